// The whole chain with real input: a Debian root file system goes build -> push -> pull -> run; an image that skopeo pushed to
// docker-registry is pulled and run.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";
import { CliHost, type Running, UNABLE } from "./cli-harness.ts";
import { debianRootfs, NO_DEBIAN } from "./debian-rootfs.ts";

const skip = UNABLE ?? NO_DEBIAN;
const noPeer =
  skip ?? (existsSync("/usr/bin/skopeo") ? undefined : "skopeo is not installed") ?? (noDockerRegistry() || undefined);

let host: CliHost;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  const context = join(host.directory, "debian");
  mkdirSync(context);
  linkSync(debianRootfs(), join(context, "rootfs.tar"));
  writeFileSync(join(context, "Dockerfile"), 'FROM scratch\nADD rootfs.tar /\nCMD ["dpkg", "-l"]\n');
  await host.ok(["build", "-q", "-t", "debian", context]);
});
after(async () => {
  if (skip === undefined) await host[Symbol.asyncDispose]();
});

/** Starts `teu registry serve` on a free port; the caller ends it. */
async function serve(): Promise<{ address: string; registry: Running }> {
  const registry = host.start([
    "registry",
    "serve",
    "--addr",
    "127.0.0.1:0",
    "--root",
    join(host.directory, "registry"),
  ]);
  const said = await registry.says("listening on");
  const address = /127\.0\.0\.1:\d+/.exec(said)?.[0] ?? "";
  return { address, registry };
}

/** The programs of a real distribution find their files, libraries and users. */
async function assertDebianRuns(image: string): Promise<void> {
  const run = ["run", "--rm", "--network", "none", image];
  assert.match(await host.ok(run), /^ii {2}dpkg +1\./m);
  assert.match(await host.ok([...run, "apt-get", "--version"]), /^apt 2\./);
  assert.equal(await host.ok([...run, "perl", "-e", 'print join(",", map { $_ ** 2 } 1..5)']), "1,4,9,16,25");
  assert.equal(
    await host.ok([...run, "sh", "-c", "su -s /bin/sh nobody -c id"]),
    "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)",
  );
}

test("chain: Debian is built, pushed, removed, pulled with the same digest, and runs", { skip }, async () => {
  const { address, registry } = await serve();
  try {
    const name = `${address}/debian:12`;
    await host.ok(["tag", "debian", name]);
    const pushed = /sha256:[0-9a-f]{64}/.exec(await host.ok(["push", name]))?.[0];
    await host.ok(["rmi", name, "debian"]);
    await host.ok(["system", "prune", "-af"]);
    const pulled = /sha256:[0-9a-f]{64}/.exec(await host.ok(["pull", name]))?.[0];
    assert.ok(pushed !== undefined);
    assert.equal(pulled, pushed);
    await assertDebianRuns(name);
    await host.ok(["tag", name, "debian"]);
  } finally {
    registry.child.kill("SIGTERM");
    assert.equal((await registry.ended).code, 0);
  }
});

test("chain: an image pushed by skopeo to docker-registry is pulled and runs", { skip: noPeer }, async () => {
  await using peer = await DockerRegistry.start();
  const layout = join(host.directory, "debian-archive.tar");
  await host.ok(["save", "-o", layout, "debian"]);
  const target = `${peer.address}/library/debian:12`;
  execFileSync(
    "skopeo",
    [
      "copy",
      "--quiet",
      "--insecure-policy",
      "--dest-tls-verify=false",
      `docker-archive:${layout}`,
      `docker://${target}`,
    ],
    {
      env: { ...process.env, TMPDIR: host.directory },
    },
  );
  await host.ok(["pull", target]);
  await assertDebianRuns(target);
});
