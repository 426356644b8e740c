// The client against registries that lie, break and refuse (registry.md scenarios 8, 10, 11, 12, 23, 30).

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError, type TeuError } from "@teu/base/errors";
import { createScope, type Scope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { parseReference, type Reference } from "@teu/image/reference";
import { collectBytes } from "@teu/image/verified-stream";
import { MEDIA_TYPES } from "@teu/specs/image";
import { withoutFdLeak } from "@teu/testkit/fd-leak";
import { cutAfter, endless, redirect, refuse, reply, silence } from "@teu/testkit/hostile-answers";
import { HostileRegistry } from "@teu/testkit/hostile-registry";

import { RegistryClient, type RegistryClientOptions } from "./registry-client.ts";

const scope = createScope();
const CONTENT = Buffer.alloc(300_000, "0123456789abcdef");
const BLOB = { digest: digestOf(CONTENT), size: CONTENT.length };
const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.manifest,
  config: { mediaType: MEDIA_TYPES.config, digest: digestOf("{}"), size: 2 },
  layers: [],
});
const FAST = { retry: { delay: 1, longest: 1500 } };

function check(
  title: string,
  body: (registry: HostileRegistry, client: RegistryClient, reference: Reference) => Promise<void>,
  options: RegistryClientOptions = FAST,
): void {
  test(`RegistryClient: ${title}`, async () => {
    await using registry = await HostileRegistry.listen();
    await using client = new RegistryClient(options);
    await body(registry, client, parseReference(`${registry.address}/a/b:t`));
  });
}

async function fails(promise: Promise<unknown>, code: string, text?: RegExp): Promise<TeuError> {
  let caught: unknown;
  await assert.rejects(
    promise,
    (error) => {
      caught = error;
      return isTeuError(error) && error.code === code && (text === undefined || text.test(error.message));
    },
    `wanted ${code} ${text}`,
  );
  return caught as TeuError;
}

function readBlob(
  client: RegistryClient,
  reference: Reference,
  descriptor: { digest: string; size: number } = BLOB,
  within: Scope = scope,
): Promise<Uint8Array> {
  return collectBytes(client.blob(within, reference, descriptor), 1 << 20);
}

const BLOB_PATH = `/v2/a/b/blobs/${BLOB.digest}`;
const MANIFEST_PATH = "/v2/a/b/manifests/t";
const asManifest = { "content-type": MEDIA_TYPES.manifest };

check("a blob whose connection breaks goes on where it stopped", async (registry, client, reference) => {
  registry.on("GET", BLOB_PATH, cutAfter(CONTENT, 100_000));
  assert.ok(Buffer.from(await readBlob(client, reference)).equals(CONTENT));
  assert.deepEqual(
    registry.seen("GET", /blobs/).map(({ headers }) => headers.range),
    [undefined, "bytes=100000-", "bytes=200000-"],
  );
});

check("a registry that ignores Range is read past what is there", async (registry, client, reference) => {
  registry.on("GET", BLOB_PATH, reply(200, {}, CONTENT)).on("GET", BLOB_PATH, cutAfter(CONTENT, 70_001), 1);
  assert.ok(Buffer.from(await readBlob(client, reference)).equals(CONTENT));
});

check("a blob that is not what it is called is refused (scenario 8)", async (registry, client, reference) => {
  const other = Buffer.from(CONTENT);
  other[7] = 0;
  const cases: readonly [string, () => void, RegExp][] = [
    ["other content", () => registry.on("GET", BLOB_PATH, reply(200, {}, other)), /content has digest/],
    [
      "longer, announced",
      () => registry.on("GET", BLOB_PATH, reply(200, {}, Buffer.concat([CONTENT, CONTENT]))),
      /has it with 600000 bytes/,
    ],
    [
      "shorter, announced",
      () => registry.on("GET", BLOB_PATH, reply(200, {}, CONTENT.subarray(5))),
      /has it with 299995 bytes/,
    ],
    [
      "shorter, not announced",
      () =>
        registry.on(
          "GET",
          BLOB_PATH,
          (response) => void response.writeHead(200, { "transfer-encoding": "chunked" }).end(CONTENT.subarray(5)),
        ),
      /another range|has it with|299995 bytes only/,
    ],
    [
      "another range",
      () => registry.on("GET", BLOB_PATH, reply(206, { "content-range": "bytes 5-300004/300005" }, CONTENT)),
      /another range/,
    ],
  ];
  for (const [name, arrange, text] of cases) {
    arrange();
    await fails(readBlob(client, reference), "corrupt", text).catch((error: unknown) => {
      throw new Error(`${name}: ${String(error)}`);
    });
  }
});

check("a body without end costs no more than was declared (scenario 8)", async (registry, client, reference) => {
  const sent = { bytes: 0 };
  registry.on("GET", BLOB_PATH, endless(200, {}, sent));
  await fails(readBlob(client, reference), "corrupt", /more than was declared/);
  assert.ok(sent.bytes < 20_000_000);
});

check("an error body without end is not read to its end", async (registry, client, reference) => {
  registry.on("GET", MANIFEST_PATH, endless(404, {}, { bytes: 0 }));
  await fails(client.manifest(scope, reference), "not-found", /manifest unknown/);
});

check("a manifest is bounded, whatever is announced", async (registry, client, reference) => {
  registry.on("GET", MANIFEST_PATH, endless(200, asManifest, { bytes: 0 }));
  await fails(client.manifest(scope, reference), "exhausted");
  registry.on("GET", MANIFEST_PATH, reply(200, { ...asManifest, "content-length": 1 << 30 }, "{"));
  await fails(client.manifest(scope, reference), "exhausted");
});

check(
  "a manifest must be what tag, digest, headers and descriptor say (scenario 11)",
  async (registry, client, reference) => {
    registry.on("GET", MANIFEST_PATH, reply(200, asManifest, MANIFEST));
    assert.equal((await client.manifest(scope, reference)).descriptor.digest, digestOf(MANIFEST));
    registry.on(
      "GET",
      MANIFEST_PATH,
      reply(200, { ...asManifest, "docker-content-digest": digestOf("other") }, MANIFEST),
    );
    await fails(client.manifest(scope, reference), "corrupt", /instead of/);
    registry.on("GET", MANIFEST_PATH, reply(200, { "content-type": MEDIA_TYPES.dockerManifest }, MANIFEST));
    await fails(client.manifest(scope, reference), "invalid", /calls itself/);
    registry.on("GET", MANIFEST_PATH, reply(200, { "content-type": "application/json" }, MANIFEST));
    assert.equal((await client.manifest(scope, reference)).descriptor.mediaType, MEDIA_TYPES.manifest);
    registry.on("GET", MANIFEST_PATH, reply(200, { "content-type": "text/html" }, "<html>"));
    await fails(client.manifest(scope, reference), "unsupported");
    registry.on("GET", MANIFEST_PATH, reply(200, asManifest, MANIFEST));
    await fails(client.manifest(scope, reference, { size: 5 }), "exhausted");
    const byDigest = { ...reference, digest: digestOf("wanted") };
    registry.on(
      "GET",
      `/v2/a/b/manifests/${byDigest.digest}`,
      reply(200, { ...asManifest, "docker-content-digest": byDigest.digest }, MANIFEST),
    );
    await fails(client.manifest(scope, byDigest), "corrupt");
  },
);

check("resolve takes one HEAD when that says enough, and GET when not", async (registry, client, reference) => {
  registry.on("GET", MANIFEST_PATH, reply(200, asManifest, MANIFEST));
  registry.on(
    "HEAD",
    MANIFEST_PATH,
    reply(200, { ...asManifest, "content-length": MANIFEST.length, "docker-content-digest": digestOf(MANIFEST) }),
  );
  assert.deepEqual(await client.resolve(scope, reference), {
    mediaType: MEDIA_TYPES.manifest,
    digest: digestOf(MANIFEST),
    size: MANIFEST.length,
  });
  assert.equal(registry.seen("GET", /manifests/).length, 0);
  registry.on("HEAD", MANIFEST_PATH, reply(200, asManifest));
  assert.equal((await client.resolve(scope, reference)).digest, digestOf(MANIFEST));
  registry.on("HEAD", MANIFEST_PATH, reply(404));
  await fails(client.resolve(scope, reference), "not-found", /manifest unknown/);
});

check(
  "redirects carry no credentials to another host (scenarios 12, 23)",
  async (registry, client, reference) => {
    await using other = await HostileRegistry.listen();
    other.on("GET", "/storage?signature=x", reply(200, {}, CONTENT));
    registry.on("GET", BLOB_PATH, redirect(`${other.url}/storage?signature=x`));
    registry.on("GET", BLOB_PATH, reply(401, { "www-authenticate": 'Basic realm="r"' }), 1);
    assert.ok(Buffer.from(await readBlob(client, reference)).equals(CONTENT));
    assert.equal(
      registry.requests.at(-1)?.headers.authorization,
      `Basic ${Buffer.from("me:secret").toString("base64")}`,
    );
    const [request] = other.seen("GET");
    assert.equal(request?.headers.authorization, undefined);
    assert.equal(request?.headers.cookie, undefined);
  },
  { ...FAST, credentials: { find: async () => ({ username: "me", password: "secret" }) } },
);

check("redirects to nowhere, in circles and to other protocols end", async (registry, client, reference) => {
  for (const [location, text] of [
    [BLOB_PATH, /more than 10 redirects/],
    ["file:///etc/passwd", /no HTTP address/],
    ["ftp://127.0.0.1/x", /no HTTP address/],
    ["http://169.254.169.254/latest/meta-data", /link-local/],
    ["http://[fe80::1]/", /link-local/],
    ["http://", /no HTTP address/],
  ] as const) {
    registry.on("GET", BLOB_PATH, redirect(location));
    await fails(readBlob(client, reference), "denied", text);
  }
});

check("passing failures are tried again, others not", async (registry, client, reference) => {
  registry
    .on("GET", MANIFEST_PATH, reply(200, asManifest, MANIFEST))
    .on("GET", MANIFEST_PATH, refuse(503, "UNKNOWN"), 2);
  await client.manifest(scope, reference);
  assert.equal(registry.seen("GET", /manifests/).length, 3);
  registry.on("GET", MANIFEST_PATH, (response) => void response.destroy(), 2);
  await client.manifest(scope, reference);
  registry.requests.length = 0;
  registry.on("GET", MANIFEST_PATH, refuse(403, "DENIED"));
  await fails(client.manifest(scope, reference), "denied");
  assert.equal(registry.seen("GET", /manifests/).length, 1);
  registry.requests.length = 0;
  registry.on("GET", MANIFEST_PATH, refuse(500, "UNKNOWN"));
  await fails(client.manifest(scope, reference), "unavailable");
  assert.equal(registry.seen("GET", /manifests/).length, 5);
});

check("Retry-After is obeyed when it is short, and told when it is long", async (registry, client, reference) => {
  registry
    .on("GET", MANIFEST_PATH, reply(200, asManifest, MANIFEST))
    .on("GET", MANIFEST_PATH, refuse(429, "TOOMANYREQUESTS", "slow down", { "retry-after": "1" }), 1);
  const began = performance.now();
  await client.manifest(scope, reference);
  assert.ok(performance.now() - began >= 990);
  registry.requests.length = 0;
  registry.on("GET", MANIFEST_PATH, refuse(429, "TOOMANYREQUESTS", "slow down", { "retry-after": "3600" }));
  const error = await fails(client.manifest(scope, reference), "unavailable", /too many requests/);
  assert.match(error.hint ?? "", /^try again in 3600 s; log in/);
  assert.equal(registry.seen("GET", /manifests/).length, 1);
});

check(
  "a registry that says nothing is given up",
  async (registry, client, reference) => {
    registry.on("GET", MANIFEST_PATH, silence);
    await fails(client.manifest(scope, reference), "timeout");
  },
  { idleTimeout: 100, retry: { attempts: 1 } },
);

check("cancellation ends a download at once", async (registry, client, reference) => {
  registry.on("GET", BLOB_PATH, (response) => {
    response.writeHead(200, { "content-length": BLOB.size });
    response.write(CONTENT.subarray(0, 10));
  });
  const stop = new AbortController();
  const reading = readBlob(client, reference, BLOB, scope.withSignal(stop.signal));
  setTimeout(() => stop.abort(), 50);
  await fails(reading, "cancelled");
});

check("what a registry says is cleaned before it is shown", async (registry, client, reference) => {
  registry.on("GET", MANIFEST_PATH, refuse(400, "STRANGE", "\u001b[31mred\u0007 Bearer abcdefghIJKLmnop1"));
  const error = await fails(client.manifest(scope, reference), "invalid");
  assert.doesNotMatch(error.message, /[\u001b\u0007]|abcdefghIJKL/);
});

check("unauthorized says what to do", async (registry, client, reference) => {
  registry.on("GET", MANIFEST_PATH, refuse(401, "UNAUTHORIZED", "no", { "www-authenticate": 'Basic realm="r"' }));
  const error = await fails(client.manifest(scope, reference), "denied", /unauthorized/);
  assert.match(error.hint ?? "", /teu login/);
});

check("lists follow pages on the same host, and no further", async (registry, client, reference) => {
  await using other = await HostileRegistry.listen();
  const page = (tags: readonly string[], link?: string): ReturnType<typeof reply> =>
    reply(200, link === undefined ? {} : { link: `<${link}>; rel="next"` }, JSON.stringify({ name: "a/b", tags }));
  registry
    .on("GET", "/v2/a/b/tags/list", page(["1", "2"], "/v2/a/b/tags/list?last=2"))
    .on("GET", "/v2/a/b/tags/list?last=2", page(["3"]));
  assert.deepEqual(await Array.fromAsync(client.tags(scope, reference)), ["1", "2", "3"]);
  registry.on("GET", "/v2/a/b/tags/list?last=2", page(["3"], "/v2/a/b/tags/list?last=2"));
  await fails(Array.fromAsync(client.tags(scope, reference)), "invalid", /circle/);
  registry.on("GET", "/v2/a/b/tags/list?last=2", page(["3"], `${other.url}/v2/a/b/tags/list`));
  await fails(Array.fromAsync(client.tags(scope, reference)), "invalid", /another host/);
  assert.equal(other.requests.length, 0);
  registry.on("GET", "/v2/a/b/tags/list", reply(200, {}, '{"name":"a/b","tags":null}'));
  assert.deepEqual(await Array.fromAsync(client.tags(scope, reference)), []);
  for (const body of ["[]", "{", '{"tags":[1]}', '{"tags":"x"}']) {
    registry.on("GET", "/v2/a/b/tags/list", reply(200, {}, body));
    await fails(Array.fromAsync(client.tags(scope, reference)), "invalid");
  }
});

test("RegistryClient: warnings are shown once, and too many of them never (scenario 30)", async () => {
  const shown: string[] = [];
  const scope = createScope({ log: { debug: () => {}, info: () => {}, warn: (text) => shown.push(text) } });
  await using registry = await HostileRegistry.listen();
  await using client = new RegistryClient(FAST);
  const reference = parseReference(`${registry.address}/a/b:t`);
  registry.on(
    "GET",
    MANIFEST_PATH,
    reply(200, { ...asManifest, Warning: ['299 - "going away"', "299 nonsense"] }, MANIFEST),
  );
  await client.manifest(scope, reference);
  registry.on("GET", MANIFEST_PATH, reply(200, { ...asManifest, Warning: ['299 - "going away"'] }, MANIFEST));
  await client.manifest(scope, reference);
  await client.manifest(scope, reference);
  registry.on("GET", MANIFEST_PATH, reply(200, { ...asManifest, Warning: [`299 - "${"x".repeat(5000)}"`] }, MANIFEST));
  await client.manifest(scope, reference);
  assert.deepEqual(shown, [`${registry.address}: going away`]);
  for (let i = 0; i < 5; i++) {
    const many = Array.from({ length: 40 }, (_, n) => `299 - "${i} and ${n}"`);
    registry.on("GET", MANIFEST_PATH, reply(200, { ...asManifest, Warning: many }, MANIFEST));
    await client.manifest(scope, reference);
  }
  assert.equal(shown.length, 100, "a registry that always has something new to say is not listened to for ever");
});

test("RegistryClient: connection refused names the place", async () => {
  await using client = new RegistryClient(FAST);
  const error = await fails(
    client.manifest(scope, parseReference("127.0.0.1:1/a")),
    "unavailable",
    /connection refused/,
  );
  assert.match(error.hint ?? "", /is a registry running at 127\.0\.0\.1:1\?/);
});

test("RegistryClient: closes what it opened, also after failures", async () => {
  await withoutFdLeak(async () => {
    await using registry = await HostileRegistry.listen();
    await using client = new RegistryClient({ retry: { attempts: 2, delay: 1 } });
    const reference = parseReference(`${registry.address}/a/b:t`);
    for (const answer of [
      reply(200, {}, CONTENT),
      cutAfter(CONTENT, 10),
      endless(200, {}, { bytes: 0 }),
      refuse(404, "BLOB_UNKNOWN"),
    ]) {
      registry.on("GET", BLOB_PATH, answer);
      await readBlob(client, reference).catch((error: unknown) => assert.ok(isTeuError(error)));
      const firstChunk = async (): Promise<void> => {
        for await (const chunk of client.blob(scope, reference, BLOB)) if (chunk.length > 0) return;
      };
      await firstChunk().catch((error: unknown) => assert.ok(isTeuError(error)));
    }
  });
});

check("referrers come from the API, or from the tag that stands in", async (registry, client, reference) => {
  const subject = digestOf("subject");
  const entry = { mediaType: MEDIA_TYPES.manifest, digest: digestOf("r1"), size: 5, artifactType: "t/sbom" };
  const other = { ...entry, digest: digestOf("r2"), artifactType: "t/other" };
  const index = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [entry, other] });
  const asIndex = { "content-type": MEDIA_TYPES.index };
  assert.deepEqual(await client.referrers(scope, reference, subject), []);
  registry.on("GET", `/v2/a/b/manifests/sha256-${subject.slice(7)}`, reply(200, asIndex, index));
  assert.deepEqual(await client.referrers(scope, reference, subject, { artifactType: "t/sbom" }), [entry]);
  registry.on(
    "GET",
    `/v2/a/b/referrers/${subject}`,
    reply(200, asIndex, JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [other] })),
  );
  assert.deepEqual(await client.referrers(scope, reference, subject), [other]);
});

check(
  "a pushed referrer is filed under the tag where the registry does not do it",
  async (registry, client, reference) => {
    const subject = { mediaType: MEDIA_TYPES.manifest, digest: digestOf("subject"), size: 5 };
    const bytes = Buffer.from(JSON.stringify({ ...(JSON.parse(MANIFEST) as object), artifactType: "t/sbom", subject }));
    const tag = `/v2/a/b/manifests/sha256-${subject.digest.slice(7)}`;
    registry.on("PUT", /manifests/, reply(201));
    await client.pushManifest(scope, reference, { mediaType: MEDIA_TYPES.manifest, bytes, reference: "t" });
    const [, index] = registry.seen("PUT");
    assert.equal(index?.path, tag);
    assert.deepEqual((JSON.parse(String(index?.body)) as { manifests: unknown }).manifests, [
      { mediaType: MEDIA_TYPES.manifest, digest: digestOf(bytes), size: bytes.length, artifactType: "t/sbom" },
    ]);
    // There already: nothing to do.
    registry.on("GET", tag, reply(200, { "content-type": MEDIA_TYPES.index }, index?.body ?? ""));
    await client.pushManifest(scope, reference, { mediaType: MEDIA_TYPES.manifest, bytes, reference: "t" });
    assert.equal(registry.seen("PUT").length, 3);
    registry.on("PUT", /manifests/, reply(201, { "oci-subject": subject.digest }));
    registry.requests.length = 0;
    await client.pushManifest(scope, reference, { mediaType: MEDIA_TYPES.manifest, bytes, reference: "t" });
    assert.equal(registry.requests.length, 1);
  },
);
