import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import { type Digest, digestOf } from "@teu/image/digest";
import { rawRequest } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

import { Registry } from "../registry.ts";
import { OpenRoot } from "./open-root.ts";
import { verify, type VerifyReport } from "./verify.ts";

const scope = createScope();
const CONFIG = "{}";

interface Served extends AsyncDisposable {
  readonly registry: Registry;
  readonly root: OpenRoot;
  file(digest: Digest): string;
  push(text: string): Promise<Digest>;
  pushImage(tag: string, layers: readonly string[]): Promise<Digest>;
}

async function serving(): Promise<Served> {
  const stack = new AsyncDisposableStack();
  const directory = stack.use(await tempRoot());
  const registry = stack.use(await Registry.listen({ root: directory.path, sweepInterval: 0 }));
  const root = stack.use(await OpenRoot.open(scope, directory.path));
  const push = async (text: string): Promise<Digest> => {
    const digest = digestOf(text);
    const url = `${registry.url}/v2/a/blobs/uploads/?digest=${digest}`;
    assert.equal((await rawRequest(url, { method: "POST", body: text })).status, 201);
    return digest;
  };
  return {
    registry,
    root,
    push,
    file: (digest) => path.join(directory.path, "blobs", "sha256", digest.slice(7)),
    pushImage: async (tag, layers) => {
      for (const text of [CONFIG, ...layers]) await push(text);
      const [config, ...others] = [CONFIG, ...layers].map((text) => ({
        mediaType: "m/t",
        digest: digestOf(text),
        size: text.length,
      }));
      const body = JSON.stringify({ schemaVersion: 2, config, layers: others });
      const put = await rawRequest(`${registry.url}/v2/a/manifests/${tag}`, {
        method: "PUT",
        body,
        headers: { "content-type": "application/vnd.oci.image.manifest.v1+json" },
      });
      assert.equal(put.status, 201);
      return digestOf(body);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function kinds({ findings }: VerifyReport): string[] {
  return findings.map(({ severity, kind, subject }) => `${severity} ${kind} ${subject}`).sort();
}

test("verify: a registry that serves is clean, and all of it was read", async () => {
  await using served = await serving();
  await served.pushImage("t", ["one", "two"]);
  const report = await verify(scope, served.root);
  assert.deepEqual(report, { manifests: 1, blobs: 3, bytes: 8, findings: [] });
});

test("verify: damage to blobs is found", async () => {
  await using served = await serving();
  await served.pushImage("t", ["changed", "shorter", "removed"]);
  await writeFile(served.file(digestOf("changed")), "chANGed");
  await truncate(served.file(digestOf("shorter")), 3);
  await rm(served.file(digestOf("removed")));
  assert.deepEqual(
    kinds(await verify(scope, served.root)),
    [
      `error blob-damaged ${digestOf("changed")}`,
      `error blob-damaged ${digestOf("shorter")}`,
      `error blob-missing ${digestOf("removed")}`,
    ].sort(),
  );
  assert.equal(kinds(await verify(scope, served.root, { quick: true })).length, 2);
});

test("verify: a layer that a client deleted is a warning", async () => {
  await using served = await serving();
  const image = await served.pushImage("t", ["layer"]);
  await rawRequest(`${served.registry.url}/v2/a/blobs/${digestOf("layer")}`, { method: "DELETE" });
  assert.deepEqual(kinds(await verify(scope, served.root)), [`warning reference-missing a@${image}`]);
});

test("verify: files that nobody knows are found, and deleted only when told so", async () => {
  await using served = await serving();
  const stray = digestOf("stray");
  const id = randomUUID();
  await writeFile(served.file(stray), "stray");
  await writeFile(path.join(served.root.path, "uploads", id), "left");
  const expected = [`warning stray-blob ${stray}`, `warning stray-upload ${id}`];
  assert.deepEqual(kinds(await verify(scope, served.root)), expected);
  const repaired = await verify(scope, served.root, { repair: true });
  assert.deepEqual(kinds(repaired), expected);
  assert.ok(repaired.findings.every(({ repaired: done }) => done === true));
  assert.deepEqual(kinds(await verify(scope, served.root)), []);
});

test("verify: what an upload is about to become is no stray", async () => {
  await using served = await serving();
  const digest = digestOf("coming");
  await served.root.metadata.createUpload(scope, { id: "u", repository: "a" }, 10);
  await served.root.metadata.claimBlobs(scope, "u", [digest]);
  await writeFile(path.join(served.root.path, "uploads", "u"), "");
  await writeFile(served.file(digest), "coming");
  assert.deepEqual(kinds(await verify(scope, served.root, { repair: true })), []);
  assert.equal((await served.root.blobs.stat(scope, digest))?.size, 6);
});

test("verify: reads no faster than it is allowed to", async () => {
  await using served = await serving();
  await served.push("x".repeat(3000));
  const pauses: number[] = [];
  await verify(scope, served.root, { rate: 1, pause: async (milliseconds) => void pauses.push(milliseconds) });
  assert.equal(pauses.length, 1);
  assert.ok((pauses[0] ?? 0) > 1_000_000);
});
