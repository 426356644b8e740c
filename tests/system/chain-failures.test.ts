// What goes wrong in the chain, as a user meets it: a clear error, an exit code that is not 0, and nothing left behind.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "@teu/image/tar/writer";
import { reply } from "@teu/testkit/hostile-answers";
import { HostileRegistry } from "@teu/testkit/hostile-registry";
import { CliHost, type Outcome, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
let host: CliHost;
before(async () => {
  if (skip === undefined) host = await CliHost.open();
});
after(async () => {
  if (skip === undefined) await host[Symbol.asyncDispose]();
});

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** One blob as a registry serves it; `lie` replaces the bytes but not their name. */
interface Blob {
  readonly bytes: Uint8Array;
  readonly lie?: Uint8Array;
}

/** Serves an image of one layer under "evil:1"; the layer holds the given tar. */
function serveImage(registry: HostileRegistry, tar: Uint8Array, lie?: Uint8Array): void {
  const layer: Blob = { bytes: gzipSync(tar), ...(lie === undefined ? {} : { lie }) };
  const config: Blob = {
    bytes: Buffer.from(
      JSON.stringify({
        architecture: "amd64",
        os: "linux",
        rootfs: { type: "layers", diff_ids: [sha256(tar)] },
        config: { Cmd: ["/x"] },
      }),
    ),
  };
  const describe = (blob: Blob, mediaType: string): unknown => ({
    mediaType,
    digest: sha256(blob.bytes),
    size: blob.bytes.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: describe(config, "application/vnd.oci.image.config.v1+json"),
      layers: [describe(layer, "application/vnd.oci.image.layer.v1.tar+gzip")],
    }),
  );
  const type = {
    "content-type": "application/vnd.oci.image.manifest.v1+json",
    "docker-content-digest": sha256(manifest),
  };
  for (const method of ["GET", "HEAD"]) {
    for (const name of ["1", sha256(manifest)])
      registry.on(method, `/v2/evil/manifests/${name}`, reply(200, type, manifest));
    for (const blob of [layer, config])
      registry.on(method, `/v2/evil/blobs/${sha256(blob.bytes)}`, reply(200, {}, blob.lie ?? blob.bytes));
  }
}

function tarOf(name: string, content: string): Uint8Array {
  const bytes = Buffer.from(content);
  return Buffer.concat([
    encodeTarHeader(tarEntry({ name, type: "file", size: bytes.length, mode: 0o644 })),
    bytes,
    tarPadding(bytes.length),
    TAR_END,
  ]);
}

/** A failure a person can act on, with nothing of it kept: no image, no layer, nothing that is being received. */
async function assertRefused(outcome: Outcome, text: RegExp, images: string): Promise<void> {
  assert.equal(outcome.code, 1, outcome.stderr);
  assert.match(outcome.stderr, text);
  assert.match(outcome.stderr, /^teu: /m);
  assert.doesNotMatch(outcome.stderr, /at .*\.[cm]?[jt]s:\d+/, "no stack trace");
  assert.equal(await host.ok(["images", "-q"]), images);
}

test("failures: an image that the registry does not have", { skip }, async () => {
  await using registry = await HostileRegistry.listen();
  const images = await host.ok(["images", "-q"]);
  await assertRefused(
    await host.teu(["pull", `${registry.address}/no/such:1`]),
    /no\/such:1.*(not found|unknown)/s,
    images,
  );
});

test("failures: a name that is none", { skip }, async () => {
  const images = await host.ok(["images", "-q"]);
  await assertRefused(await host.teu(["pull", "a/UPPER:1"]), /a\/UPPER/, images);
});

test("failures: the registry is down", { skip }, async () => {
  const images = await host.ok(["images", "-q"]);
  const { address } = await HostileRegistry.listen().then(async (registry) => {
    await registry[Symbol.asyncDispose]();
    return registry;
  });
  await assertRefused(await host.teu(["pull", `${address}/x:1`]), /refused.*\nhint: .*registry/s, images);
  await host.ok(["tag", "base", `${address}/x:1`]);
  await assertRefused(await host.teu(["push", `${address}/x:1`]), /refused/, await host.ok(["images", "-q"]));
  await host.ok(["rmi", `${address}/x:1`]);
});

test("failures: a blob that is not what its digest says", { skip }, async () => {
  await using registry = await HostileRegistry.listen();
  const tar = tarOf("x", "good");
  const lie = Buffer.from(gzipSync(tar));
  lie[lie.length - 1] = (lie[lie.length - 1] ?? 0) ^ 1;
  serveImage(registry, tar, lie);
  const images = await host.ok(["images", "-q"]);
  await assertRefused(await host.teu(["pull", `${registry.address}/evil:1`]), /digest/, images);
});

test("failures: a layer with a path that leaves the root", { skip }, async () => {
  await using registry = await HostileRegistry.listen();
  const victim = join(host.directory, "victim");
  serveImage(registry, tarOf(`../../../../../../../../../..${victim}`, "gotcha"));
  const outcome = await host.teu(["pull", `${registry.address}/evil:1`]);
  assert.ok(!readdirSync(host.directory).includes("victim"));
  // Clamped into the root, as tar does, or refused: never outside.
  if (outcome.code !== 0) assert.match(outcome.stderr, /^teu: cannot .*\.\./m);
  else await host.ok(["rmi", `${registry.address}/evil:1`]);
});

test("failures: no Dockerfile, and a base that is nowhere", { skip }, async () => {
  const images = await host.ok(["images", "-q"]);
  await assertRefused(await host.teu(["build", host.context("empty", {})]), /Dockerfile.*no such file/s, images);
  await using registry = await HostileRegistry.listen();
  const context = host.context("nowhere", { Dockerfile: `FROM ${registry.address}/no/base:1\nRUN true\n` });
  await assertRefused(await host.teu(["build", context]), /no\/base/, images);
});

test("failures: disk full while pulling and while building", { skip }, async () => {
  const small = join(host.directory, "small");
  mkdirSync(small);
  const env = { TEU_ROOT: small };
  const archive = join(host.directory, "base.tar");
  await host.ok(["save", "-o", archive, "base"]);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "teu-test", small]);
  try {
    assert.equal((await host.teu(["load", "-q", "-i", archive], { env })).code, 0, "the base fits");
    const before = statfsSync(small).bfree;
    const context = host.context("big", { Dockerfile: "FROM base\nRUN dd if=/dev/zero of=/big bs=1M count=64\n" });
    const built = await host.teu(["build", "--network", "none", context], { env });
    assert.equal(built.code, 1, built.stderr);
    assert.match(built.stderr, /[Nn]o space left on device/);
    // The write-ahead log of the database may have grown; the 4 MiB have not been eaten.
    assert.ok(before - statfsSync(small).bfree < 128, `${before} blocks were free, now ${statfsSync(small).bfree}`);
    assert.equal(
      (await host.teu(["run", "--rm", "--network", "none", "base", "true"], { env })).code,
      0,
      "goes on afterwards",
    );
  } finally {
    execFileSync("umount", [small]);
  }
});

test("failures: none of them left a mount, a process, a cgroup or a temporary file", { skip }, () => {
  assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(host.directory));
  assert.deepEqual(readdirSync(join(host.directory, "run/containers")), []);
  assert.deepEqual(readdirSync(join(host.directory, "root/content/ingest")), []);
});
