// Mirrors: content from wherever it is, the truth from where the name leads; and mirrors that lie, break or are gone.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference, type Reference } from "@teu/image/reference";
import { MEDIA_TYPES } from "@teu/specs/image";
import { cutAfter, endless, redirect, reply, silence } from "@teu/testkit/hostile-answers";
import { HostileRegistry } from "@teu/testkit/hostile-registry";
import { tempRoot } from "@teu/testkit/temp-root";

import { endpointsIn } from "./hosts-toml.ts";
import { pullImage } from "./pull.ts";
import { NO_REGISTRIES, type RegistryRule } from "./registries-conf.ts";
import { RegistryClient, type RegistryClientOptions } from "./registry-client.ts";

const scope = createScope();
const LAYER = Buffer.alloc(200_000, "0123456789abcdef");
const CONFIG = Buffer.from(
  JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } }),
);
const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.manifest,
  config: { mediaType: MEDIA_TYPES.config, digest: digestOf(CONFIG), size: CONFIG.length },
  layers: [{ mediaType: MEDIA_TYPES.layer, digest: digestOf(LAYER), size: LAYER.length }],
});
const DIGEST = digestOf(MANIFEST);

function serve(registry: HostileRegistry, root: string = "/v2/a/b", query: string = ""): HostileRegistry {
  const headers = { "content-type": MEDIA_TYPES.manifest, "docker-content-digest": DIGEST };
  for (const name of ["t", DIGEST])
    for (const method of ["GET", "HEAD"])
      registry.on(
        method,
        `${root}/manifests/${name}${query}`,
        reply(200, { ...headers, "content-length": MANIFEST.length }, MANIFEST),
      );
  for (const blob of [CONFIG, LAYER])
    registry.on("GET", `${root}/blobs/${digestOf(blob)}${query}`, reply(200, {}, blob));
  return registry;
}

interface Bench {
  readonly upstream: HostileRegistry;
  readonly mirror: HostileRegistry;
  readonly reference: Reference;
  /** `?ns=...` as mirrors get it. */
  readonly ns: string;
  /** Pulls with a hosts.toml; "MIRROR" in it stands for the mirror. */
  pull(hosts: string, options?: RegistryClientOptions): Promise<MemoryContentStore>;
  /** A client with a hosts.toml. */
  client(hosts: string, options?: RegistryClientOptions): Promise<RegistryClient>;
}

function check(title: string, body: (bench: Bench) => Promise<void>): void {
  test(`mirrors: ${title}`, async () => {
    await using root = await tempRoot();
    await using upstream = await HostileRegistry.listen();
    await using mirror = await HostileRegistry.listen();
    const reference = parseReference(`${upstream.address}/a/b:t`);
    const client = async (hosts: string, options: RegistryClientOptions = {}): Promise<RegistryClient> => {
      await mkdir(root.join(upstream.address), { recursive: true });
      await writeFile(root.join(`${upstream.address}/hosts.toml`), hosts.replaceAll("MIRROR", mirror.url));
      return new RegistryClient({ retry: { delay: 1, longest: 100 }, endpoints: endpointsIn([root.path]), ...options });
    };
    await body({
      upstream,
      mirror,
      reference,
      ns: `?ns=${encodeURIComponent(upstream.address)}`,
      client,
      pull: async (hosts, options) => {
        await using puller = await client(hosts, options);
        const store = new MemoryContentStore();
        await pullImage(scope, { client: puller, reference, store, platform: { os: "linux", architecture: "amd64" } });
        assert.equal((await store.info(scope, digestOf(LAYER)))?.size, LAYER.length);
        return store;
      },
    });
  });
}

check("a mirror serves all, and is told for whom it stands in", async ({ upstream, mirror, ns, pull }) => {
  serve(mirror, "/v2/a/b", ns);
  await pull('[host."MIRROR"]');
  assert.equal(mirror.requests.length, 3);
  assert.deepEqual(upstream.requests, []);
});

check("a mirror that may only pull does not say what a tag means", async ({ upstream, mirror, ns, pull }) => {
  serve(mirror, "/v2/a/b", ns);
  serve(upstream);
  await pull('[host."MIRROR"]\ncapabilities = ["pull"]');
  assert.deepEqual(upstream.seen("GET", /a\/b/), []);
  assert.equal(upstream.seen("HEAD").length, 1);
  assert.deepEqual(
    mirror.seen("GET", /manifests/).map(({ path }) => path),
    [`/v2/a/b/manifests/${DIGEST}${ns}`],
  );
});

check("what a mirror does not have, or has wrong, comes from the host", async ({ upstream, mirror, ns, pull }) => {
  serve(upstream);
  const layer = `/v2/a/b/blobs/${digestOf(LAYER)}${ns}`;
  const other = Buffer.from(LAYER);
  other[9] = 0;
  const faults: Readonly<Record<string, () => void>> = {
    "nothing at all": () => {},
    "no layer": () => serve(mirror, "/v2/a/b", ns).on("GET", layer, reply(404)),
    "another layer of the same size": () => serve(mirror, "/v2/a/b", ns).on("GET", layer, reply(200, {}, other)),
    "another config of the same size": () =>
      serve(mirror, "/v2/a/b", ns).on(
        "GET",
        `/v2/a/b/blobs/${digestOf(CONFIG)}${ns}`,
        reply(200, {}, Buffer.alloc(CONFIG.length)),
      ),
    "a longer layer": () =>
      serve(mirror, "/v2/a/b", ns).on("GET", layer, reply(200, {}, Buffer.concat([LAYER, LAYER]))),
    "a layer without end": () => serve(mirror, "/v2/a/b", ns).on("GET", layer, endless(200, {}, { bytes: 0 })),
    "half a layer": () => serve(mirror, "/v2/a/b", ns).on("GET", layer, cutAfter(LAYER, 70_000)),
    "half a layer, wrong": () => serve(mirror, "/v2/a/b", ns).on("GET", layer, cutAfter(other, 70_000)),
    "redirects without end": () => serve(mirror, "/v2/a/b", ns).on("GET", layer, redirect(layer)),
    "a redirect to a metadata service": () =>
      serve(mirror, "/v2/a/b", ns).on("GET", layer, redirect("http://169.254.169.254/latest")),
    "no access": () => serve(mirror, "/v2/a/b", ns).on("GET", /./, reply(403)),
    "a page": () => mirror.on("GET", /./, reply(200, { "content-type": "text/html" }, "<html>")),
    "no HTTP": () => mirror.on("GET", /./, (response) => void response.socket?.end("SSH-2.0-x\r\n")),
  };
  for (const [name, arrange] of Object.entries(faults)) {
    arrange();
    upstream.requests.length = 0;
    await pull('[host."MIRROR"]').catch((error: unknown) => assert.fail(`${name}: ${String(error)}`));
    assert.ok(upstream.seen("GET", /blobs|manifests/).length > 0, name);
  }
});

check("a mirror that is gone is asked once, one that is silent not for long", async ({ upstream, mirror, pull }) => {
  serve(upstream);
  await pull('[host."http://127.0.0.1:1"]');
  mirror.on("GET", /./, silence);
  await pull('[host."MIRROR"]', { idleTimeout: 100, retry: { delay: 1, longest: 100 } });
  assert.equal(mirror.requests.length, 1);
});

check("when nobody has it, the host's word counts", async ({ mirror, client, reference }) => {
  mirror.on("GET", /./, reply(403));
  await using puller = await client('[host."MIRROR"]');
  await assert.rejects(puller.manifest(scope, reference), (error) => isTeuError(error, "not-found"));
});

check("a path stands before the repository, with override_path alone", async ({ mirror, upstream, ns, pull }) => {
  for (const [toml, root] of [
    ['[host."MIRROR/proxy"]', "/proxy/v2/a/b"],
    ['[host."MIRROR/v2"]', "/v2/a/b"],
    ['[host."MIRROR/v2/hub"]\noverride_path = true', "/v2/hub/a/b"],
    ['[host."MIRROR"]\noverride_path = true', "/a/b"],
  ] as const) {
    serve(mirror, root, ns);
    await pull(toml);
    assert.deepEqual(upstream.requests, [], toml);
  }
});

check("headers go to the mirror and no further (scenario 23)", async ({ mirror, upstream, ns, pull }) => {
  await using storage = await HostileRegistry.listen();
  storage.on("GET", "/layer", reply(200, {}, LAYER));
  serve(upstream);
  serve(mirror, "/v2/a/b", ns).on("GET", `/v2/a/b/blobs/${digestOf(LAYER)}${ns}`, redirect(`${storage.url}/layer`));
  await pull('[host."MIRROR"]\n[host."MIRROR".header]\nX-Key = ["a", "b"]');
  assert.ok(mirror.requests.every(({ headers }) => headers["x-key"] === "a, b"));
  assert.equal(storage.requests.length, 1);
  assert.equal(storage.requests[0]?.headers["x-key"], undefined);
  await pull('server = "http://127.0.0.1:1"\n[host."MIRROR"]\n[header]\nX-Key = "c"');
  assert.ok(mirror.requests.slice(4).every(({ headers }) => headers["x-key"] === undefined));
});

check("a mirror gets its own credentials, not the host's", async ({ mirror, upstream, reference, ns, client }) => {
  const asked: string[] = [];
  const credentials = {
    find: async (_: unknown, host: string) => {
      asked.push(host);
      return { username: host, password: "secret" };
    },
  };
  serve(upstream).on("GET", /manifests/, reply(401, { "www-authenticate": 'Basic realm="r"' }), 1);
  mirror.on("GET", /./, reply(401, { "www-authenticate": 'Basic realm="r"' }));
  await using puller = await client('[host."MIRROR"]', { credentials });
  await puller.manifest(scope, reference);
  assert.deepEqual(asked, [mirror.address, upstream.address]);
  assert.ok(ns.length > 0);
});

check("pushes go to the first endpoint that may be pushed to; lists to the host", async (bench) => {
  const { mirror, upstream, reference, client } = bench;
  mirror.on("PUT", /manifests/, reply(201, { "oci-subject": "x" }));
  upstream.on("PUT", /manifests/, reply(201, { "oci-subject": "x" }));
  upstream.on("GET", "/v2/a/b/tags/list", reply(200, {}, '{"tags":["t"]}'));
  const upload = { mediaType: MEDIA_TYPES.manifest, bytes: Buffer.from(MANIFEST), reference: "t" };
  await using reading = await client('[host."MIRROR"]\ncapabilities = ["pull", "resolve"]');
  await reading.pushManifest(scope, reference, upload);
  assert.deepEqual([mirror.seen("PUT").length, upstream.seen("PUT").length], [0, 1]);
  assert.deepEqual(await Array.fromAsync(reading.tags(scope, reference)), ["t"]);
  await using writing = await client('[host."MIRROR"]');
  await writing.pushManifest(scope, reference, upload);
  assert.deepEqual([mirror.seen("PUT").length, upstream.seen("PUT").length], [1, 1]);
  await using nothing = await client('capabilities = ["pull"]');
  await assert.rejects(nothing.pushManifest(scope, reference, upload), (error) => isTeuError(error, "unsupported"));
});

function rule(prefix: string, more: Partial<RegistryRule>): RegistryClientOptions {
  const rules = [{ prefix, location: "", insecure: false, blocked: false, mirrors: [], ...more }];
  return { endpoints: async () => null, registries: async () => ({ ...NO_REGISTRIES, rules }) };
}

check("registries.conf: mirrors with another path, then the location, never the prefix", async (bench) => {
  const { mirror, upstream, reference, pull } = bench;
  const elsewhere = rule(`${upstream.address}/a`, {
    location: `${mirror.address}/moved`,
    mirrors: [{ location: `${mirror.address}/copy/of`, insecure: false, use: "all" }],
  });
  serve(mirror, "/v2/moved/b").on("GET", `/v2/moved/b/blobs/${digestOf(LAYER)}`, reply(404));
  mirror.on("GET", `/v2/copy/of/b/blobs/${digestOf(LAYER)}`, reply(200, {}, LAYER));
  await pull("", elsewhere);
  assert.deepEqual(upstream.requests, []);
  assert.ok(mirror.seen("GET", /copy/).length > 0);
  await using client = new RegistryClient(rule(upstream.address, { blocked: true }));
  for (const attempt of [
    client.manifest(scope, reference),
    client.resolve(scope, reference),
    client.pushManifest(scope, reference, { mediaType: "x", bytes: Buffer.from("{}"), reference: "t" }),
    Array.fromAsync(client.tags(scope, reference)),
  ])
    await assert.rejects(attempt, (error) => isTeuError(error, "denied") && /blocks/.test(error.message));
  assert.deepEqual(upstream.requests, []);
});

check("registries.conf: a mirror for digests is not asked what a tag means", async ({ mirror, upstream, pull }) => {
  serve(mirror, "/v2/copy");
  serve(upstream);
  const mirrors = [{ location: `${mirror.address}/copy`, insecure: false, use: "digest-only" as const }];
  await pull("", rule(`${upstream.address}/a/b`, { mirrors }));
  assert.deepEqual(upstream.seen("GET", /a\/b/), []);
  assert.deepEqual(mirror.seen("GET", /manifests\/t/), []);
  assert.equal(mirror.seen("GET", /manifests\/sha256/).length, 1);
});
