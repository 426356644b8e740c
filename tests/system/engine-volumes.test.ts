// Volumes that begin with what the image has in their place.

import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { busyboxEntries, EngineHost, UNABLE } from "./engine-harness.ts";

const opts = { skip: UNABLE };

test(
  "volumes: a new one is filled from the image, with owners, modes and links; one that exists is left alone",
  opts,
  async () => {
    await using host = await EngineHost.open();
    await host.image(
      "data",
      [
        ...busyboxEntries(),
        { name: "srv" },
        { name: "srv/data", mode: 0o1770, uid: 1000 },
        { name: "srv/data/sub", mode: 0o500, uid: 1000 },
        { name: "srv/data/sub/file", content: "from the image\n", mode: 0o4755, uid: 1000 },
        { name: "srv/data/link", linkName: "/etc/passwd" },
        { name: "srv/data/name2", type: "hardlink", linkName: "srv/data/sub/file" },
        { name: "link", linkName: "srv/data" },
      ],
      { Env: ["PATH=/bin"], Volumes: { "/srv/data": {} } },
    );
    const base = { image: "data", network: "none" } as const;
    const script =
      "cd /v; stat -c '%n %a %u:%g' . sub sub/file; cat sub/file; readlink link; stat -c %h name2; echo changed > new";
    const volumes = [
      { kind: "volume", name: "filled", target: "/v" },
      { kind: "volume", name: "other", target: "/srv/data" },
    ] as const;
    // The target is where the container has it: /v is not in the image, so "filled" begins empty.
    const empty = await host.run({ ...base, volumes, command: ["ls", "-A", "/v"] });
    assert.deepEqual([empty.code, empty.stdout], [0, ""]);
    const again = [{ kind: "volume", name: "other", target: "/v" }] as const;
    const { stdout } = await host.run({ ...base, volumes: again, command: ["sh", "-c", script] });
    assert.equal(
      stdout,
      ". 1770 1000:1000\nsub 500 1000:1000\nsub/file 4755 1000:1000\nfrom the image\n/etc/passwd\n2\n",
    );
    const volume = join(host.options.root, "volumes/other");
    assert.ok(existsSync(join(volume, "new")));
    const kept = await host.run({
      ...base,
      volumes: [{ kind: "volume", name: "other", target: "/srv/data" }],
      command: ["ls", "/srv/data"],
    });
    assert.equal(kept.stdout, "link\nname2\nnew\nsub\n");
    // The image's own volume, anonymous; and a target behind a symlink of the image.
    const anonymous = await host.run({ ...base, command: ["cat", "/srv/data/sub/file"] });
    assert.equal(anonymous.stdout, "from the image\n");
    const behind = await host.run({
      ...base,
      volumes: [{ kind: "volume", name: "behind", target: "/link" }],
      command: ["cat", "/srv/data/sub/file"],
    });
    assert.equal(behind.stdout, "from the image\n");
    assert.equal(statSync(volume).mode & 0o7777, 0o1770);
    assert.deepEqual(readdirSync(join(host.options.root, "tmp")), []);
  },
);
