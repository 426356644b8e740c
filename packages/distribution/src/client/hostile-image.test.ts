// Images that are made to harm whoever pulls them, and answers that are made to be misread (registry.md scenarios 8 to 12 and 30).

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { type Digest, digestOf } from "@teu/image/digest";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference, type Reference } from "@teu/image/reference";
import { MEDIA_TYPES } from "@teu/specs/image";
import { redirect, refuse, reply } from "@teu/testkit/hostile-answers";
import { HostileRegistry } from "@teu/testkit/hostile-registry";

import { pullImage, type PullOptions } from "./pull.ts";
import { RegistryClient } from "./registry-client.ts";

const scope = createScope();
const EMPTY = digestOf("{}");

interface Bench {
  readonly registry: HostileRegistry;
  readonly client: RegistryClient;
  readonly reference: Reference;
  readonly store: MemoryContentStore;
  /** Serves a document under its digest, and under the tag when `tag`. */
  serve(document: string | Buffer, mediaType: string, tag?: boolean): Digest;
  pull(options?: Partial<PullOptions>): Promise<unknown>;
}

function check(title: string, body: (bench: Bench) => Promise<void>): void {
  test(`hostile image: ${title}`, async () => {
    await using registry = await HostileRegistry.listen();
    await using client = new RegistryClient({ retry: { attempts: 2, delay: 1 } });
    const reference = parseReference(`${registry.address}/a:t`);
    const store = new MemoryContentStore();
    registry.on("GET", `/v2/a/blobs/${EMPTY}`, reply(200, {}, "{}"));
    await body({
      registry,
      client,
      reference,
      store,
      serve: (document, mediaType, tag = true) => {
        const digest = digestOf(document);
        const answer = reply(200, { "content-type": mediaType }, document);
        for (const name of tag ? [digest, "t"] : [digest]) registry.on("GET", `/v2/a/manifests/${name}`, answer);
        return digest;
      },
      pull: (options) => pullImage(scope, { client, reference, store, ...options }),
    });
  });
}

const config = { mediaType: MEDIA_TYPES.config, digest: EMPTY, size: 2 };
const manifest = (more: object): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, config, layers: [], ...more });
const layer = (more: object): object => ({ mediaType: MEDIA_TYPES.layer, digest: digestOf("layer"), size: 5, ...more });

check("sizes that no content has (scenario 8)", async ({ registry, serve, pull, store }) => {
  for (const size of [-1, 1.5, 2 ** 60, "5", null]) {
    serve(manifest({ layers: [layer({ size })] }), MEDIA_TYPES.manifest);
    await assert.rejects(pull(), (error) => isTeuError(error, "invalid"), String(size));
  }
  assert.deepEqual(registry.seen("GET", /blobs\/(?!sha256:44136)/), []);
  assert.equal(await store.info(scope, digestOf(manifest({}))), null);
});

check("digests that are paths (scenario 9)", async ({ registry, serve, pull }) => {
  for (const digest of ["sha256:../../etc/passwd", "../x", "sha256:", `sha256:${"A".repeat(64)}`, "", 5]) {
    serve(manifest({ layers: [layer({ digest })] }), MEDIA_TYPES.manifest);
    await assert.rejects(
      pull(),
      (error) => isTeuError(error) && ["invalid", "unsupported"].includes(error.code),
      String(digest),
    );
    const child = { mediaType: MEDIA_TYPES.manifest, digest, size: 5 };
    serve(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [child] }), MEDIA_TYPES.index);
    await assert.rejects(pull({ platform: "all" }), (error) => isTeuError(error), String(digest));
  }
  assert.ok(registry.requests.every(({ path }) => /^\/v2\/(?:$|a\/manifests\/t$)/.test(path)));
});

check("indexes that name much, and the same again and again (scenario 10)", async ({ registry, serve, pull }) => {
  const bytes = manifest({});
  const child = { mediaType: MEDIA_TYPES.manifest, digest: serve(bytes, MEDIA_TYPES.manifest), size: bytes.length };
  let entry: { mediaType: string; digest: string; size: number } = child;
  // Three levels with a hundred times the same below each: a million ways down.
  for (let depth = 0; depth < 3; depth++) {
    const index = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: Array(100).fill(entry) });
    entry = { mediaType: MEDIA_TYPES.index, digest: serve(index, MEDIA_TYPES.index), size: index.length };
  }
  await pull({ platform: "all" });
  assert.equal(registry.seen("GET", /manifests/).length, 4);
  const many = Array.from({ length: 1100 }, (_, i) => {
    const other = manifest({ annotations: { i: String(i) } });
    return { ...child, digest: serve(other, MEDIA_TYPES.manifest, false), size: other.length };
  });
  serve(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: many }), MEDIA_TYPES.index);
  registry.requests.length = 0;
  await assert.rejects(pull({ platform: "all" }), (error) => isTeuError(error, "exhausted"));
  assert.ok(registry.requests.length <= 1010);
});

check("documents with two meanings (scenario 11)", async ({ serve, pull, registry }) => {
  const both = { schemaVersion: 2, config, layers: [], manifests: [] };
  const cases: Readonly<Record<string, readonly [string | Buffer, string]>> = {
    "manifest and index, called one": [
      JSON.stringify({ ...both, mediaType: MEDIA_TYPES.manifest }),
      MEDIA_TYPES.manifest,
    ],
    "manifest and index, called other": [JSON.stringify({ ...both, mediaType: MEDIA_TYPES.index }), MEDIA_TYPES.index],
    "manifest and index, called neither": [JSON.stringify(both), MEDIA_TYPES.manifest],
    "duplicate keys": [manifest({}).replace('"layers"', '"config":{"a":1},"layers"'), MEDIA_TYPES.manifest],
    "keys of another case": [manifest({}).replace('"layers"', '"Layers"'), MEDIA_TYPES.manifest],
    "a byte order mark": [
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(manifest({}))]),
      MEDIA_TYPES.manifest,
    ],
    "no UTF-8": [Buffer.from(manifest({}).replace("2", "2\xff"), "latin1"), MEDIA_TYPES.manifest],
    "sent as something else": [manifest({}), MEDIA_TYPES.index],
    "a type that hides in case": [manifest({ mediaType: MEDIA_TYPES.index }), MEDIA_TYPES.manifest],
  };
  for (const [name, [document, type]] of Object.entries(cases)) {
    serve(document, type);
    await assert.rejects(pull({ platform: "all" }), (error) => isTeuError(error, "invalid"), name);
  }
  assert.deepEqual(registry.seen("GET", /blobs/), []);
});

check("addresses in descriptors are never asked (scenario 12)", async ({ registry, serve, pull, store }) => {
  await using other = await HostileRegistry.listen();
  const urls = [`${other.url}/layer`, "file:///etc/passwd", "http://169.254.169.254/"];
  other.on("GET", "/layer", reply(200, {}, "layer"));
  for (const mediaType of [MEDIA_TYPES.layer, MEDIA_TYPES.dockerForeignLayerGzip, MEDIA_TYPES.layerNondistributable]) {
    serve(manifest({ layers: [layer({ urls, mediaType })] }), MEDIA_TYPES.manifest);
    await assert.rejects(pull(), (error) => isTeuError(error, "not-found"), mediaType);
  }
  assert.deepEqual(other.requests, []);
  registry.on("GET", `/v2/a/blobs/${digestOf("layer")}`, reply(200, {}, "layer"));
  await pull();
  assert.deepEqual(other.requests, []);
  assert.equal((await store.info(scope, digestOf("layer")))?.size, 5);
});

// As it goes over the wire, since Node's server would not send it.
const raw =
  (text: string): Parameters<HostileRegistry["on"]>[2] =>
  (response) =>
    void response.socket?.end(text);

check("answers that two readers cut at different places (scenario 30)", async ({ registry, pull }) => {
  const length = manifest({}).length;
  const type = `content-type: ${MEDIA_TYPES.manifest}`;
  for (const head of [
    `content-length: ${length}\r\ntransfer-encoding: chunked\r\n${type}`,
    `content-length: ${length}\r\ncontent-length: ${length + 5}\r\n${type}`,
    `content-length: +${length}\r\n${type}`,
    `content-length: 0x10\r\n${type}`,
    `${type}\r\nx: ${"y".repeat(100_000)}`,
    `${type}\r\nx\0y: z`,
    `${type}\r\n : z`,
  ]) {
    registry.on("GET", "/v2/a/manifests/t", raw(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${manifest({})}`));
    await assert.rejects(
      pull(),
      (error) => isTeuError(error) && error.code !== "internal",
      JSON.stringify(head.slice(0, 60)),
    );
  }
});

check("line ends in addresses end nothing (scenario 30)", async ({ registry, client, reference, pull }) => {
  registry.on("GET", "/v2/a/manifests/t", redirect("/v2/a/manifests/x%0d%0aAuthorization:%20Bearer%20x"));
  await assert.rejects(pull(), (error) => isTeuError(error, "not-found"));
  assert.equal(registry.requests.at(-1)?.headers.authorization, undefined);
  assert.match(registry.requests.at(-1)?.path ?? "", /%0d%0a/);
  registry.on("GET", "/v2/a/manifests/t", raw("HTTP/1.1 307 x\r\nlocation: /y\r\n z: 1\r\ncontent-length: 0\r\n\r\n"));
  await assert.rejects(pull(), (error) => isTeuError(error));
  assert.ok(registry.requests.every(({ headers }) => headers["z"] === undefined));
  registry.on("POST", "/v2/a/blobs/uploads/", raw("HTTP/1.1 202 x\r\nlocation: /u\u0001\r\ncontent-length: 0\r\n\r\n"));
  await assert.rejects(
    client.pushBlob(scope, reference, { digest: digestOf("x"), size: 1 }, async function* () {
      yield Buffer.from("x");
    }),
    (error) => isTeuError(error),
  );
});

check("referrers whose pages never end, lead away or are missing", async ({ registry, client, reference }) => {
  await using other = await HostileRegistry.listen();
  const entry = { mediaType: MEDIA_TYPES.manifest, digest: digestOf("r"), size: 1 };
  const index = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [entry] });
  const first = `/v2/a/referrers/${EMPTY}`;
  const page = (next?: string): ReturnType<typeof reply> =>
    reply(
      200,
      { "content-type": MEDIA_TYPES.index, ...(next === undefined ? {} : { link: `<${next}>; rel="next"` }) },
      index,
    );
  registry.on("GET", first, page(`${first}?p=2`)).on("GET", `${first}?p=2`, page());
  assert.equal((await client.referrers(scope, reference, EMPTY)).length, 2);
  let count = 0;
  for (const [arrange, wanted] of [
    [() => registry.on("GET", `${first}?p=2`, page(first)), /circle/],
    [() => registry.on("GET", `${first}?p=2`, page(`${other.url}/x`)), /another host/],
    [() => registry.on("GET", `${first}?p=2`, refuse(404, "NAME_UNKNOWN")), /missing/],
    [
      () =>
        registry.on("GET", /referrers/, (response, request, message) =>
          page(`${first}?n=${++count}`)(response, request, message),
        ),
      /more than 1000 pages/,
    ],
  ] as const) {
    arrange();
    await assert.rejects(
      client.referrers(scope, reference, EMPTY),
      (error) => isTeuError(error, "invalid") && wanted.test(error.message),
    );
  }
  assert.deepEqual(other.requests, []);
  // Entries of no use to anybody, as many as fit.
  const small = '{"mediaType":"a/b","digest":"a:b","size":1}';
  const many = JSON.stringify({ schemaVersion: 2, manifests: [] }).replace(
    "[]",
    `[${Array(80_000).fill(small).join()}]`,
  );
  registry.on("GET", /referrers/, (response, request, message) =>
    reply(200, { "content-type": MEDIA_TYPES.index, link: `<${first}?n=${++count}>; rel="next"` }, many)(
      response,
      request,
      message,
    ),
  );
  registry.requests.length = 0;
  await assert.rejects(client.referrers(scope, reference, EMPTY), /more than 100000 entries/);
  assert.equal(registry.requests.length, 2);
});

check("an image that is here costs one HEAD", async ({ registry, serve, pull }) => {
  const bytes = manifest({});
  const digest = serve(bytes, MEDIA_TYPES.manifest);
  await pull();
  registry.requests.length = 0;
  const headers = {
    "content-type": MEDIA_TYPES.manifest,
    "docker-content-digest": digest,
    "content-length": bytes.length,
  };
  registry.on("HEAD", "/v2/a/manifests/t", reply(200, headers));
  await pull({ isHere: true });
  assert.deepEqual(
    registry.requests.map(({ method }) => method),
    ["HEAD"],
  );
  const changed = manifest({ annotations: { a: "b" } });
  const next = {
    ...headers,
    "docker-content-digest": serve(changed, MEDIA_TYPES.manifest),
    "content-length": changed.length,
  };
  registry.on("HEAD", "/v2/a/manifests/t", reply(200, next));
  await pull({ isHere: true });
  assert.deepEqual(
    registry.requests.map(({ method }) => method),
    ["HEAD", "HEAD", "GET"],
  );
});

test("RegistryClient: says once that few pulls are left, and does not ask again when none are", async () => {
  const shown: string[] = [];
  const noting = createScope({ log: { debug: () => {}, info: () => {}, warn: (text) => shown.push(text) } });
  await using registry = await HostileRegistry.listen();
  await using client = new RegistryClient({ retry: { delay: 1, longest: 100 } });
  const reference = parseReference(`${registry.address}/a:t`);
  const answer = (remaining: string): void =>
    void registry.on(
      "GET",
      "/v2/a/manifests/t",
      reply(
        200,
        { "content-type": MEDIA_TYPES.manifest, "ratelimit-limit": "100;w=21600", "ratelimit-remaining": remaining },
        manifest({}),
      ),
    );
  for (const remaining of ["76;w=21600", "nonsense", "10;w=21600", "9;w=21600"]) {
    answer(remaining);
    await client.manifest(noting, reference);
  }
  assert.deepEqual(shown, [
    `${registry.address}: 10 of 100 pulls are left in a window of 6 h; logging in may give more`,
  ]);
  registry.requests.length = 0;
  const none = { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=21600" };
  registry.on("GET", "/v2/a/manifests/t", refuse(429, "TOOMANYREQUESTS", "slow down", none));
  await assert.rejects(
    client.manifest(noting, reference),
    (error) =>
      isTeuError(error, "unavailable") &&
      /too many requests: 0 of 100 pulls/.test(error.message) &&
      /teu login/.test(error.hint ?? ""),
  );
  assert.equal(registry.requests.length, 1);
});
