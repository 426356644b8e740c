// Large blobs of an upstream are served while they come, and never to their end unless they are what their digest says.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import { type Digest, digestOf } from "@teu/image/digest";
import { withoutFdLeak } from "@teu/testkit/fd-leak";
import { rawRequest } from "@teu/testkit/raw-http";
import { type TempRoot, tempRoot } from "@teu/testkit/temp-root";

import { Registry } from "./registry.ts";

const MIB = 1 << 20;
const LAYER = Buffer.alloc(8 * MIB, "0123456789abcdef-");
const DIGEST = digestOf(LAYER);

interface Gate {
  readonly passed: Promise<void>;
  open(): void;
}

function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve };
}

interface Upstream extends AsyncDisposable {
  readonly address: string;
  /** Answers to GETs of blobs so far. */
  readonly gets: () => number;
}

/** Serves any blob: `begin` at once, `end` once the gate is open. */
async function upstream(begin: Buffer, end: Buffer, opened: Gate): Promise<Upstream> {
  let gets = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url === "/v2/") return void response.end("{}");
    response.setHeader("content-length", begin.length + end.length);
    if (request.method === "HEAD") return void response.end();
    gets++;
    response.write(begin);
    await opened.passed;
    response.end(end);
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    gets: () => gets,
    [Symbol.asyncDispose]: async () => {
      opened.open();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

interface Reading {
  readonly status: number | undefined;
  readonly length: number;
  /** Waits for so many bytes. */
  has(bytes: number): Promise<void>;
  /** All of it; `whole` says whether the answer ended as announced. */
  readonly ended: Promise<{ readonly bytes: Buffer; readonly whole: boolean }>;
}

async function read(url: string, headers: Record<string, string> = {}): Promise<Reading> {
  const outgoing = get(url, { agent: false, headers });
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  let size = 0;
  incoming.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    incoming.emit("more");
  });
  incoming.on("error", () => {});
  const ended = new Promise<void>((resolve) => incoming.once("close", resolve));
  return {
    status: incoming.statusCode,
    length: Number(incoming.headers["content-length"]),
    has: async (bytes) => {
      while (size < bytes) await once(incoming, "more");
    },
    ended: ended.then(() => ({ bytes: Buffer.concat(chunks), whole: incoming.complete })),
  };
}

async function proxyOf(root: TempRoot, { address }: Upstream): Promise<Registry> {
  return Registry.listen({ root: root.join("data"), proxies: [{ prefix: "up", upstream: address }] });
}

const blobUrl = (registry: Registry, digest: Digest = DIGEST, name = "up/a"): string =>
  `${registry.url}/v2/${name}/blobs/${digest}`;

/** Nothing of what was being fetched is left. */
async function assertNothing(root: TempRoot, registry: Registry, digest: Digest): Promise<void> {
  const scope = createScope();
  assert.equal(await registry.storages.blobs.stat(scope, digest), null);
  assert.equal(await registry.storages.metadata.hasBlob(scope, "up/a", digest), false);
  while ((await readdir(root.join("data/uploads"))).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("proxy: a large blob is served while it comes, to everybody, by one fetch, and kept", async () => {
  await using root = await tempRoot();
  const opened = gate();
  await using from = await upstream(LAYER.subarray(0, 4 * MIB), LAYER.subarray(4 * MIB), opened);
  await using registry = await proxyOf(root, from);
  const first = await read(blobUrl(registry));
  assert.deepEqual([first.status, first.length], [200, LAYER.length]);
  await first.has(2 * MIB);
  const second = await read(blobUrl(registry));
  await second.has(2 * MIB);
  const part = await read(blobUrl(registry), { range: `bytes=${MIB}-${MIB + 9}` });
  assert.equal(part.status, 206);
  assert.equal((await part.ended).bytes.toString(), LAYER.subarray(MIB, MIB + 10).toString());
  // Nothing of this is there yet.
  const later = read(blobUrl(registry), { range: `bytes=${6 * MIB}-` });
  assert.equal((await rawRequest(blobUrl(registry), { method: "HEAD" })).headers["content-length"], `${LAYER.length}`);
  opened.open();
  for (const reading of [first, second]) {
    const { bytes, whole } = await reading.ended;
    assert.ok(whole && bytes.equals(LAYER));
  }
  assert.ok((await (await later).ended).bytes.equals(LAYER.subarray(6 * MIB)));
  assert.equal(from.gets(), 1);
  const again = await rawRequest(blobUrl(registry));
  assert.ok(Buffer.from(again.bytes).equals(LAYER));
  assert.equal(from.gets(), 1);
});

test("proxy: who asked first may go; the others, and the registry, get all of it", async () => {
  await using root = await tempRoot();
  const opened = gate();
  await using from = await upstream(LAYER.subarray(0, 4 * MIB), LAYER.subarray(4 * MIB), opened);
  await using registry = await proxyOf(root, from);
  const outgoing = get(blobUrl(registry), { agent: false });
  await once(outgoing, "response");
  const second = await read(blobUrl(registry));
  outgoing.destroy();
  await second.has(2 * MIB);
  opened.open();
  assert.ok((await second.ended).bytes.equals(LAYER));
  assert.equal(from.gets(), 1);
});

test("proxy: a blob that is not what its digest says is never whole for anybody, and not kept (scenario 24)", async () => {
  await using root = await tempRoot();
  const opened = gate();
  await using from = await upstream(LAYER.subarray(0, 4 * MIB), LAYER.subarray(4 * MIB), opened);
  await using registry = await proxyOf(root, from);
  const wrong = digestOf("something else");
  const reading = await read(blobUrl(registry, wrong));
  await reading.has(2 * MIB);
  opened.open();
  const { bytes, whole } = await reading.ended;
  assert.equal(whole, false);
  assert.ok(bytes.length < LAYER.length);
  await assertNothing(root, registry, wrong);
});

test("proxy: an upstream that ends early ends the answer early, and nothing is kept", async () => {
  await using root = await tempRoot();
  const opened = gate();
  await using registry = await (async () => {
    const from = await upstream(LAYER.subarray(0, 4 * MIB), LAYER.subarray(4 * MIB), opened);
    const made = await proxyOf(root, from);
    const reading = await read(blobUrl(made));
    await reading.has(2 * MIB);
    const closing = from[Symbol.asyncDispose]();
    assert.equal((await reading.ended).whole, false);
    await closing;
    return made;
  })();
  await assertNothing(root, registry, DIGEST);
  assert.equal((await rawRequest(blobUrl(registry))).status, 503);
});

test("proxy: closing ends what is being fetched, and leaves nothing of it", async () => {
  await using root = await tempRoot();
  const opened = gate();
  await using from = await upstream(LAYER.subarray(0, 4 * MIB), LAYER.subarray(4 * MIB), opened);
  await withoutFdLeak(async () => {
    const registry = await Registry.listen({
      root: root.join("data"),
      proxies: [{ prefix: "up", upstream: from.address }],
      drain: 100,
    });
    const reading = await read(blobUrl(registry));
    await reading.has(2 * MIB);
    await registry[Symbol.asyncDispose]();
    assert.equal((await reading.ended).whole, false);
  });
  assert.deepEqual(await readdir(root.join("data/uploads")), []);
});

test("proxy: 429 of an upstream is 429 here when nothing is here, with the time to wait", async () => {
  const server = createServer((request, response) => {
    if (request.url === "/v2/") return void response.end("{}");
    response.writeHead(429, request.url?.includes("/blobs/") === true ? {} : { "retry-after": "17" }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await using registry = await Registry.listen({ proxies: [{ prefix: "up", upstream: address }] });
    const cases = [
      ["manifests/t", "17"],
      [`manifests/${DIGEST}`, "17"],
      [`blobs/${DIGEST}`, "60"],
    ] as const;
    for (const [path, wait] of cases) {
      const answer = await rawRequest(`${registry.url}/v2/up/a/${path}`);
      assert.deepEqual([answer.status, answer.headers["retry-after"]], [429, wait], path);
      assert.equal(answer.json<{ errors: { code: string }[] }>().errors[0]?.code, "TOOMANYREQUESTS");
    }
  } finally {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
});
