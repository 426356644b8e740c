// The default spec is a valid one and is what runc writes.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defaultSpec } from "./runtime-default.ts";
import { parseSpec } from "./runtime-parse.ts";

test("defaultSpec: valid when root and when rootless", () => {
  for (const spec of [defaultSpec(), defaultSpec({ rootless: { uid: 1000, gid: 1000 }, cgroup2: true })]) {
    assert.deepEqual(parseSpec(JSON.stringify(spec)), spec);
  }
});

test("defaultSpec: a cgroup namespace when the host has only cgroup v2", () => {
  assert.equal(defaultSpec({ cgroup2: true }).linux?.namespaces?.at(-1)?.type, "cgroup");
});

const noRunc = spawnSync("runc", ["--version"]).error === undefined ? false : "runc is not installed";
for (const rootless of [false, true]) {
  test(
    `defaultSpec: what \`runc spec${rootless ? " --rootless" : ""}\` writes, but for version and host name`,
    { skip: noRunc },
    () => {
      const directory = mkdtempSync(join(tmpdir(), "teu-spec-"));
      try {
        execFileSync("runc", ["spec", ...(rootless ? ["--rootless"] : [])], { cwd: directory });
        const wanted = JSON.parse(readFileSync(join(directory, "config.json"), "utf8")) as object;
        const ids = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
        const spec = JSON.parse(JSON.stringify(defaultSpec(rootless ? { rootless: ids } : {}))) as object;
        assert.deepEqual({ ...spec, ociVersion: "", hostname: "" }, { ...wanted, ociVersion: "", hostname: "" });
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
  );
}
