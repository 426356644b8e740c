// `teu copy` killed at any point, by SIGKILL and by Ctrl-C: nothing has a name that is not whole, and the next copy goes on.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { createScope } from "@teu/base/scope";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference } from "@teu/image/reference";
import { Registry } from "@teu/registry/registry";
import { randomImage } from "@teu/testkit/random-image";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
const ROUNDS = 10;
const LAYER = 24 << 20;
let host: CliHost;
let registry: Registry;
let digest: string;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await Registry.listen({ root: join(host.directory, "registry") });
  await using client = new RegistryClient();
  const store = new MemoryContentStore();
  const { descriptor } = await randomImage(createScope(), store, { layers: 3, layerSize: LAYER });
  const reference = parseReference(`${registry.address}/big:v1`);
  await pushImage(createScope(), { client, reference, store, descriptor });
  ({ digest } = descriptor);
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

/** Bytes of all files below a directory, as far as they are there at this moment. */
function bytesBelow(directory: string): number {
  if (!existsSync(directory)) return 0;
  let sum = 0;
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" }))
    sum += statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
  return sum;
}

/** Bytes of files without a name that a process has open: what an archive is until it is whole. */
function bytesUnnamed(pid: number): number {
  let sum = 0;
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const path = `/proc/${pid}/fd/${fd}`;
      if (readlinkSync(path).startsWith(`${host.directory}/#`)) sum += statSync(path).size;
    }
  } catch {
    // It has closed one of them, or is gone.
  }
  return sum;
}

/** Starts a copy, and ends it with `signal` as soon as `size()` is beyond `enough`; null when it was quicker. */
async function interrupt(
  args: readonly string[],
  signal: NodeJS.Signals,
  size: (pid: number) => number,
  enough: number,
): Promise<NodeJS.Signals | null> {
  const { child, ended } = host.start(args, { cwd: host.directory });
  let over = false;
  void ended.then(() => (over = true));
  while (!over && size(child.pid ?? 0) < enough) await new Promise((resolve) => setTimeout(resolve, 1));
  child.kill(signal);
  const outcome = await ended;
  return outcome.code === 0 ? null : signal;
}

for (const signal of ["SIGKILL", "SIGINT"] as const) {
  test(
    `copy to a layout, ended by ${signal}: no name before it is whole, and the next one goes on`,
    { skip },
    async () => {
      let interrupted = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const name = `${signal}-${round}`;
        const directory = join(host.directory, name);
        const enough = Math.floor((3 * LAYER * round) / ROUNDS) + 1;
        const args = ["copy", "-q", `${registry.address}/big:v1`, `oci:${name}:v1`];
        if ((await interrupt(args, signal, () => bytesBelow(directory), enough)) !== null) {
          interrupted++;
          if (existsSync(join(directory, "index.json"))) {
            const index = JSON.parse(readFileSync(join(directory, "index.json"), "utf8")) as { manifests: unknown[] };
            assert.deepEqual(index.manifests, []);
          }
        }
        const outcome = await host.teu(args, { cwd: host.directory });
        assert.equal(outcome.code, 0, outcome.stderr);
        assert.equal(outcome.stdout.trim(), digest);
        assert.deepEqual(readdirSync(directory).sort(), ["blobs", "index.json", "oci-layout"]);
        assert.equal(readdirSync(join(directory, "blobs/sha256")).length, 5);
      }
      assert.ok(interrupted > 0, "no copy was interrupted");
    },
  );

  test(`copy to an archive and a directory, ended by ${signal}: the target is absent or whole`, { skip }, async () => {
    let interrupted = 0;
    for (let round = 0; round < 4; round++) {
      const name = `${signal}-archive-${round}`;
      const enough = Math.floor((3 * LAYER * round) / 4) + 1;
      const written = (): number =>
        readdirSync(host.directory)
          .filter((file) => file.includes(name))
          .reduce((sum, file) => sum + (statSync(join(host.directory, file), { throwIfNoEntry: false })?.size ?? 0), 0);
      const archive = ["copy", "-q", `${registry.address}/big:v1`, `oci-archive:${name}.tar:v1`];
      const ended = await interrupt(archive, signal, (pid) => written() + bytesUnnamed(pid), enough);
      // A signal that comes when it has its name already comes too late.
      const target = join(host.directory, `${name}.tar`);
      if (ended === null || existsSync(target))
        assert.equal(await host.ok(["digest", `oci-archive:${target}`]), digest);
      else interrupted++;
      const directory = join(host.directory, `${name}.dir`);
      const dir = ["copy", "-q", `${registry.address}/big:v1`, `dir:${name}.dir`];
      const endedToo = await interrupt(dir, signal, () => bytesBelow(directory), enough);
      assert.equal(existsSync(join(directory, "manifest.json")), endedToo === null);
      await host.ok(["copy", "-q", `${registry.address}/big:v1`, `dir:${directory}`]);
      assert.equal(readdirSync(directory).length, 6);
      assert.equal(await host.ok(["digest", `dir:${directory}`]), digest);
    }
    assert.ok(interrupted > 0, "no copy was interrupted");
  });
}
