// A registry whose disk is full: pushes are refused with 507, what was acknowledged stays, pulls go on, deleting and collecting
// work, and all is well again once there is room. The disk is a tmpfs in a mount namespace of the server's own. Needs root.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import { digestOf } from "@teu/image/digest";
import { rawRequest, type RawResponse } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

const run = promisify(execFile);
const TEU = new URL("../../bin/teu", import.meta.url).pathname;
const UNABLE = process.getuid?.() !== 0 ? "needs root" : existsSync(TEU) ? undefined : "bin/teu is not built";
const options = UNABLE === undefined ? {} : { skip: UNABLE };
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const MIB = 1 << 20;
/** Room of the disk. */
const ROOM = "48m";

// Its clock runs 20,000 times faster: every lease is due when it is looked at.
const HASTY = `
  import { createScope } from "@teu/base/scope";
  import { serve } from "@teu/registry/serve";
  const base = Date.now();
  const now = () => base + (Date.now() - base) * 20_000;
  await serve(createScope({ now }), {
    address: "127.0.0.1:0", root: process.argv[1], grace: 1e15, uploadExpiry: 1e15, sweepInterval: 0, elapsed: now,
    ready: (registry) => console.log("listening on " + registry.url),
  });
`;

interface Serving extends AsyncDisposable {
  readonly url: string;
  /** Where others see its disk. */
  readonly disk: string;
  /** Runs `teu registry` on that disk; what it prints. */
  teu(verb: string, ...args: readonly string[]): Promise<string>;
}

async function serve(root: string, program: readonly string[]): Promise<Serving> {
  mkdirSync(root);
  const script = `mount -t tmpfs -o size=${ROOM} tmpfs "$0" && exec "$@"`;
  const child = spawn("unshare", ["--mount", "--propagation", "private", "sh", "-c", script, root, ...program], {
    stdio: ["ignore", "pipe", "ignore"],
    cwd: import.meta.dirname,
  });
  const ended = once(child, "close");
  let text = "";
  child.stdout.setEncoding("utf8");
  await Promise.race([once(child.stdout, "data").then(([chunk]) => (text = String(chunk))), ended]);
  return {
    url: /listening on (\S+)/.exec(text)?.[1] ?? "",
    disk: `/proc/${child.pid}/root${root}`,
    teu: async (verb: string, ...args: string[]) =>
      (
        await run("nsenter", ["--mount", "--target", String(child.pid), TEU, "registry", verb, "--root", root, ...args])
      ).stdout.trim(),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

interface Image {
  readonly body: string;
  readonly contents: readonly Uint8Array[];
}

function imageOf(contents: readonly Uint8Array[]): Image {
  const [config, ...layers] = contents.map((bytes) => ({
    mediaType: "m/t",
    digest: digestOf(bytes),
    size: bytes.length,
  }));
  return { body: JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers }), contents };
}

function pushBlob(url: string, bytes: Uint8Array): Promise<RawResponse> {
  return rawRequest(`${url}/v2/a/blobs/uploads/?digest=${digestOf(bytes)}`, { method: "POST", body: bytes });
}

function putManifest(url: string, tag: string, body: string): Promise<RawResponse> {
  return rawRequest(`${url}/v2/a/manifests/${tag}`, { method: "PUT", body, headers: { "content-type": MANIFEST } });
}

async function pushImage(url: string, tag: string, image: Image): Promise<void> {
  for (const bytes of image.contents) assert.equal((await pushBlob(url, bytes)).status, 201);
  assert.equal((await putManifest(url, tag, image.body)).status, 201);
}

async function assertServed(url: string, tag: string, image: Image): Promise<void> {
  const got = await rawRequest(`${url}/v2/a/manifests/${tag}`);
  assert.deepEqual([got.status, got.text], [200, image.body]);
  for (const bytes of image.contents) {
    const path = `${url}/v2/a/blobs/${digestOf(bytes)}`;
    assert.equal((await rawRequest(path, { method: "HEAD" })).status, 200);
    const blob = await rawRequest(path);
    assert.ok(blob.status === 200 && digestOf(blob.bytes) === digestOf(bytes), `blob ${blob.status}`);
  }
}

function assertFull(answer: RawResponse, what: string): void {
  assert.equal(answer.status, 507, `${what}: ${answer.text}`);
  const { errors } = answer.json<{ errors: { code: string; message: string }[] }>();
  assert.match(errors[0]?.message ?? "", /no space left/, what);
}

/** Sends one body in every way there is. Each must be refused, and leave nothing that could be asked for. */
async function assertAllRefused(url: string): Promise<void> {
  const bytes = randomBytes(8 * MIB);
  const digest = digestOf(bytes);
  assertFull(await pushBlob(url, bytes), "monolithic");
  const begun = await rawRequest(`${url}/v2/a/blobs/uploads/`, { method: "POST" });
  if (begun.status === 202) {
    const place = url + String(begun.headers.location);
    assertFull(await rawRequest(place, { method: "PATCH", body: bytes }), "streamed");
    const status = await rawRequest(place);
    assert.equal(status.status, 204);
    const taken = Number(/^0-(\d+)$/.exec(String(status.headers.range))?.[1] ?? "0");
    assert.ok(taken < bytes.length);
    assertFull(await rawRequest(`${place}?digest=${digest}`, { method: "PUT", body: bytes }), "the last chunk");
    assert.ok([204, 404].includes((await rawRequest(place, { method: "DELETE" })).status));
  } else assertFull(begun, "begun");
  assert.equal((await rawRequest(`${url}/v2/a/blobs/${digest}`)).status, 404);
}

test("registry: a disk that pushes have filled", options, async () => {
  await using directory = await tempRoot();
  const root = directory.join("disk");
  await using served = await serve(root, [TEU, "registry", "serve", "--addr", "127.0.0.1:0", "--root", root]);
  const { url, teu } = served;
  const kept = imageOf([randomBytes(1000), randomBytes(2 * MIB)]);
  const old = imageOf([randomBytes(1000), randomBytes(10 * MIB)]);
  await pushImage(url, "kept", kept);
  await pushImage(url, "old", old);
  for (let i = 0; (await pushBlob(url, randomBytes(4 * MIB))).status === 201; i++) assert.ok(i < 20, "never full");
  await assertAllRefused(url);
  await fillIndex(url, kept);
  await assertServed(url, "kept", kept);
  // What makes room still works: pushes do not get the last of it.
  assert.equal((await rawRequest(`${url}/v2/a/manifests/${digestOf(old.body)}`, { method: "DELETE" })).status, 202);
  assert.match(await teu("verify"), / 0 errors, 0 warnings$/);
  assert.match(await teu("gc", "--grace", "0"), /^removed /);
  const next = imageOf([randomBytes(1000), randomBytes(8 * MIB)]);
  await pushImage(url, "next", next);
  await assertServed(url, "next", next);
  await assertServed(url, "kept", kept);
  assert.match(await teu("verify"), / 0 errors, 0 warnings$/);
});

test("registry: a disk that others have filled to the last byte", options, async () => {
  await using directory = await tempRoot();
  const root = directory.join("disk");
  await using served = await serve(root, [process.execPath, "--input-type=module", "-e", HASTY, root]);
  const { url, disk, teu } = served;
  const kept = imageOf([randomBytes(1000), randomBytes(2 * MIB)]);
  await pushImage(url, "kept", kept);
  assert.equal((await pushBlob(url, randomBytes(10 * MIB))).status, 201);
  // The first cleaning keeps room for those on a full disk.
  await teu("gc");
  fill(disk);
  await assertAllRefused(url);
  await fillIndex(url, kept);
  // The index itself, when there is not even room for a row.
  const begun = await rawRequest(`${url}/v2/a/blobs/uploads/`, { method: "POST" });
  if (begun.status !== 202) assertFull(begun, "an upload's row");
  await assertServed(url, "kept", kept);
  assert.match(await teu("gc", "--grace", "0"), /^removed 10\.\d+MB: /);
  const small = imageOf([randomBytes(1000), randomBytes(2 * MIB)]);
  await pushImage(url, "small", small);
  await assertServed(url, "small", small);
  rmSync(`${disk}/fill`);
  const next = imageOf([randomBytes(1000), randomBytes(8 * MIB)]);
  await pushImage(url, "next", next);
  await assertServed(url, "next", next);
  await assertServed(url, "kept", kept);
  assert.match(await teu("verify"), / 0 errors, 0 warnings$/);
});

/** Pushes manifests until there is no room for one more. */
async function fillIndex(url: string, { body }: Image): Promise<void> {
  for (let i = 0; ; i++) {
    assert.ok(i < 100, "manifests never fill the disk");
    const annotations = { i: `${i} ${"x".repeat(1_000_000)}` };
    const answer = await putManifest(url, `m${i}`, JSON.stringify({ ...JSON.parse(body), annotations }));
    if (answer.status !== 201) return assertFull(answer, "manifest");
  }
}

/** Leaves nothing, whatever else is written meanwhile. */
function fill(disk: string): void {
  const { bavail, bsize } = statfsSync(disk);
  const file = openSync(`${disk}/fill`, "w");
  try {
    for (let left = bavail; left >= 0; left--) writeSync(file, Buffer.alloc(bsize));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
  } finally {
    closeSync(file);
  }
}
