// Single cases of docs/design/hostile-clients.md that belong to no other file: names, lengths, content for browsers, queries,
// upstreams that send on.

import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { rawRequest, rawSocket } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

import { Registry } from "./registry.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const BODY = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] });

async function put(registry: Registry, path: string, body: string = BODY): Promise<number> {
  const answer = await rawRequest(registry.url + path, { method: "PUT", body, headers: { "content-type": INDEX } });
  if (answer.status >= 400) assert.ok(answer.json<{ errors: unknown[] }>().errors.length > 0, path);
  return answer.status;
}

test("scenario 16: spellings that could be another name, or another file, are no names", async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen({ root: root.join("data") });
  const names = [
    "_catalog",
    "A",
    "a/B",
    "..",
    ".",
    "a/../b",
    "a/..",
    "a/./b",
    "a//b",
    "/a",
    "a/",
    "%2e%2e",
    "a%2fb",
    "a%2Fb",
  ]
    .concat(["a%00", "a\\b", "a%5cb", "a..b", "-a", "a-", "a/_", "é", "%61", "a b", "a%20b", "a?b", "a;b", "~a"])
    .concat(["a".repeat(256), "a/".repeat(200) + "a", "_catalog/x"]);
  for (const name of names) {
    for (const path of [`/v2/${name}/manifests/t`, `/v2/${name}/blobs/${digestOf("x")}`]) {
      const target = path.replace(/[^\x21-\x7e]/g, encodeURIComponent);
      const answer = await rawSocket(
        registry.address,
        `PUT ${target} HTTP/1.1\r\nhost: x\r\ncontent-type: ${INDEX}\r\ncontent-length: ${BODY.length}\r\nconnection: close\r\n\r\n${BODY}`,
        10_000,
      );
      assert.match(answer, /^HTTP\/1\.1 4\d\d [^]*"errors":\[/, path);
    }
  }
  const { metadata } = registry.storages;
  assert.deepEqual(await metadata.listRepositories(createScope(), { limit: 10 }), []);
  assert.deepEqual((await readdir(root.path)).sort(), ["data"]);
});

test("scenario 15: long names and tags are refused, the longest that may be are taken", async () => {
  await using registry = await Registry.listen();
  const longest = "a".repeat(255);
  assert.equal(await put(registry, `/v2/${longest}/manifests/${"t".repeat(128)}`), 201);
  assert.equal((await rawRequest(`${registry.url}/v2/${longest}/manifests/${"t".repeat(128)}`)).status, 200);
  for (const [name, tag] of [
    ["a".repeat(256), "t"],
    ["a", "t".repeat(129)],
    ["a", "t".repeat(10_000)],
    ["a", ".t"],
    ["a", "-t"],
  ])
    assert.equal(await put(registry, `/v2/${name}/manifests/${tag}`), 400, `${name?.length} ${tag?.length}`);
  const tags = Array.from({ length: 101 }, (_, i) => `tag=t${i}`).join("&");
  assert.equal(await put(registry, `/v2/a/manifests/${digestOf(BODY)}?${tags}`), 414);
  assert.equal((await rawRequest(`${registry.url}/v2/a/tags/list`)).status, 404);
});

test("scenario 15: a Content-Length that lies stores nothing, and nobody else's request is part of it", async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen({ root: root.path });
  const head = (path: string, method: string, length: number): string =>
    `${method} ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${INDEX}\r\ncontent-length: ${length}\r\n\r\n`;
  // Shorter than what comes: the rest is no part of it.
  const short = await rawSocket(registry.address, head("/v2/a/manifests/t", "PUT", BODY.length - 1) + BODY, 300);
  assert.match(short, /^HTTP\/1\.1 400 /);
  const upload = `/v2/a/blobs/uploads/?digest=${digestOf("content")}`;
  assert.match(await rawSocket(registry.address, `${head(upload, "POST", 4)}content`, 300), /^HTTP\/1\.1 400 /);
  // Longer, and no number.
  for (const length of ["99999999999999999999", "-1", "0x10", "4, 5", ""]) {
    const text = `POST ${upload} HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\ncontent`;
    assert.doesNotMatch(await rawSocket(registry.address, text, 300), /^HTTP\/1\.1 [23]/, length);
  }
  const { metadata, blobs } = registry.storages;
  assert.equal(await metadata.hasRepository(createScope(), "a"), false);
  assert.equal(await blobs.stat(createScope(), digestOf("content")), null);
});

test("scenario 25: what looks like a query of the database is a text", async () => {
  await using registry = await Registry.listen();
  await put(registry, "/v2/a/manifests/t");
  for (const text of [
    "' OR 1=1 --",
    "'; DROP TABLE tag; --",
    '"',
    "%",
    "\\",
    "t' UNION SELECT name FROM repository --",
  ]) {
    const value = encodeURIComponent(text);
    const referrers = await rawRequest(`${registry.url}/v2/a/referrers/${digestOf("x")}?artifactType=${value}`);
    assert.deepEqual(referrers.json<{ manifests: unknown[] }>().manifests, [], text);
    for (const path of [`/v2/a/tags/list?last=${value}`, `/v2/_catalog?last=${value}`]) {
      const names = await rawRequest(registry.url + path);
      // Names behind this text, in the order of bytes: all or none.
      assert.equal(names.status, 200);
      assert.ok(names.text.length < 100);
    }
    assert.equal(await put(registry, `/v2/a/manifests/${value}`), 400, text);
  }
  assert.deepEqual((await rawRequest(`${registry.url}/v2/a/tags/list`)).json(), { name: "a", tags: ["t"] });
});

test("scenario 26: nothing that was pushed is shown by a browser as a page of ours", async () => {
  await using registry = await Registry.listen();
  const page = "<script>alert(1)</script>";
  const url = `${registry.url}/v2/a/blobs/uploads/?digest=${digestOf(page)}`;
  await rawRequest(url, { method: "POST", body: page, headers: { "content-type": "text/html" } });
  assert.equal(
    (await rawRequest(`${registry.url}/v2/a/blobs/${digestOf(page)}`)).headers["content-type"],
    "application/octet-stream",
  );
  const html = { method: "PUT", body: page, headers: { "content-type": "text/html" } };
  assert.equal((await rawRequest(`${registry.url}/v2/a/manifests/t`, html)).status, 415);
  const typed = JSON.stringify({ schemaVersion: 2, mediaType: "text/html", manifests: [] });
  assert.equal(await put(registry, "/v2/a/manifests/t", typed), 400);
  const refused = await rawRequest(`${registry.url}/v2/${encodeURIComponent(page)}/tags/list`);
  assert.equal(refused.headers["content-type"], "application/json");
});

test("scenario 23: an upstream that sends on gets no password there, and no log shows where with which signature", async () => {
  const layer = "layer behind a signed address";
  const seen: IncomingMessage[] = [];
  let good = true;
  const store = createServer((request, response) => {
    seen.push(request);
    response.writeHead(good ? 200 : 403).end(good ? layer : "no");
  });
  const upstream = createServer((request, response) => {
    if (request.url === "/v2/") return void response.end("{}");
    if (request.method === "HEAD") return void response.writeHead(200, { "content-length": layer.length }).end();
    const { port } = store.address() as AddressInfo;
    response.writeHead(307, { location: `http://127.0.0.1:${port}/x?X-Amz-Signature=hidden-signature` }).end();
  });
  const lines: string[] = [];
  const note = (...parts: readonly unknown[]): void => void lines.push(JSON.stringify(parts));
  const log = { debug: note, info: note, warn: note };
  for (const server of [store, upstream]) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const address = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const proxy = { prefix: "up", upstream: address, username: "me", password: "hidden-word" };
    await using registry = await Registry.listen({ proxies: [proxy], scope: createScope({ log }) });
    assert.equal((await rawRequest(`${registry.url}/v2/up/a/blobs/${digestOf(layer)}`)).text, layer);
    good = false;
    const other = digestOf(layer.toUpperCase());
    assert.ok((await rawRequest(`${registry.url}/v2/up/a/blobs/${other}`)).status >= 400);
    assert.ok(seen.length >= 2);
    for (const { headers } of seen) assert.equal(headers.authorization, undefined);
    assert.ok(lines.length > 0);
    assert.doesNotMatch(lines.join("\n"), /hidden-signature|hidden-word/);
  } finally {
    for (const server of [store, upstream]) {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  }
});
