// A registry that keeps others: pull-through, from outside, with our own registry and small servers as upstreams.

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import { pullImage } from "@teu/distribution/client/pull";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { digestOf } from "@teu/image/digest";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference } from "@teu/image/reference";
import { TestAuthority } from "@teu/testkit/certificates";
import { randomImage } from "@teu/testkit/random-image";
import { rawRequest, type RawResponse } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";
import { hashSync } from "bcryptjs";

import { localName, parseUpstream, proxyOf } from "./proxy/proxy-options.ts";
import { Registry, type RegistryOptions } from "./registry.ts";

const TYPE = "application/vnd.oci.image.index.v1+json";

function index(n: number): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: TYPE, manifests: [], annotations: { n: String(n) } });
}

function put(registry: Registry, path: string, body: string): Promise<RawResponse> {
  return rawRequest(registry.url + path, { method: "PUT", body, headers: { "content-type": TYPE } });
}

async function get(registry: Registry, path: string, headers: Record<string, string> = {}): Promise<[number, string]> {
  const { status, text } = await rawRequest(registry.url + path, { headers });
  return [status, text];
}

interface Fake extends AsyncDisposable {
  readonly address: string;
  readonly requests: string[];
}

async function fake(
  answer: (request: IncomingMessage, response: ServerResponse, address: string) => void,
): Promise<Fake> {
  const requests: string[] = [];
  let address = "";
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(request, response, address);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

test("proxyOf, localName, parseUpstream: the longest prefix, and only whole parts of names", () => {
  const proxies = [
    { prefix: "hub", upstream: "docker.io" },
    { prefix: "hub/special", upstream: "quay.io/team" },
    { prefix: "", upstream: "other.example:5000" },
  ];
  const cases = [
    ["hub/library/busybox", "hub"],
    ["hub/special/x", "hub/special"],
    ["hub/specials/x", "hub"],
    ["hubs/x", ""],
    ["hub", ""],
  ] as const;
  for (const [name, prefix] of cases) assert.equal(proxyOf(proxies, name)?.prefix, prefix, name);
  assert.equal(proxyOf(proxies.slice(0, 2), "hub"), undefined);
  assert.equal(localName(proxies, "library/busybox", "docker.io"), "hub/library/busybox");
  assert.equal(localName(proxies, "team/app", "quay.io"), "hub/special/app");
  assert.equal(localName(proxies, "others/app", "quay.io"), "others/app");
  assert.equal(localName(proxies, "a", "other.example:5000"), "a");
  for (const wrong of ["", "docker", "https://docker.io", "docker.io/A", "x y", "docker.io/../x"])
    assert.throws(() => parseUpstream(wrong), { code: "invalid" }, wrong);
});

test("proxy: an image comes through, is kept, and is served when the upstream is gone; own repositories are beside it", async () => {
  const scope = createScope();
  const store = new MemoryContentStore();
  const image = await randomImage(scope, store, { layerSize: 3_000_000 });
  const upstream = await Registry.listen();
  const proxies = [{ prefix: "up", upstream: upstream.address, ttl: 0 }];
  await using root = await tempRoot();
  await using registry = await Registry.listen({ root: root.join("data"), proxies });
  await using client = new RegistryClient({ retry: { attempts: 1 } });
  await pushImage(scope, {
    client,
    reference: parseReference(`${upstream.address}/team/app:v1`),
    store,
    descriptor: image.descriptor,
  });
  await pushImage(scope, {
    client,
    reference: parseReference(`${registry.address}/own/app:v1`),
    store,
    descriptor: image.descriptor,
  });
  const pull = async (): Promise<string> => {
    const reference = parseReference(`${registry.address}/up/team/app:v1`);
    return (await pullImage(scope, { client, reference, store: new MemoryContentStore() })).descriptor.digest;
  };
  assert.equal(await pull(), image.descriptor.digest);
  assert.deepEqual(JSON.parse((await get(registry, "/v2/up/team/app/tags/list"))[1]), {
    name: "up/team/app",
    tags: ["v1"],
  });
  // As containerd asks a mirror: the name as it is there, and where that is.
  assert.equal((await get(registry, `/v2/team/app/manifests/v1?ns=${upstream.address}`))[0], 200);
  assert.equal((await get(registry, "/v2/team/app/manifests/v1"))[0], 404);
  await upstream[Symbol.asyncDispose]();
  assert.equal(await pull(), image.descriptor.digest);
  assert.deepEqual(JSON.parse((await get(registry, "/v2/up/team/app/tags/list"))[1]), {
    name: "up/team/app",
    tags: ["v1"],
  });
  assert.equal((await get(registry, "/v2/up/team/app/manifests/v2"))[0], 503);
  // Nobody pushes there.
  assert.equal((await put(registry, "/v2/up/team/app/manifests/v1", index(1))).status, 403);
  assert.equal((await rawRequest(`${registry.url}/v2/up/x/blobs/uploads/`, { method: "POST" })).status, 403);
});

test("proxy: tags are believed for their time, then asked for; content by digest is not asked for again", async () => {
  const clock = { now: Date.now() };
  await using upstream = await Registry.listen();
  const counted = await fake((request, response) => {
    void rawRequest(`${upstream.url}${request.url}`, { method: request.method ?? "GET" }).then(
      ({ status, headers, bytes }) => {
        response.writeHead(status, headers);
        response.end(request.method === "HEAD" ? undefined : bytes);
      },
    );
  });
  await using _ = counted;
  const proxies = [{ prefix: "up", upstream: counted.address, ttl: 60_000 }];
  await using registry = await Registry.listen({ scope: createScope({ now: () => clock.now }), proxies });
  await put(upstream, "/v2/a/manifests/t", index(1));
  const [one, two] = [digestOf(index(1)), digestOf(index(2))];
  assert.deepEqual(await get(registry, "/v2/up/a/manifests/t"), [200, index(1)]);
  await put(upstream, "/v2/a/manifests/t", index(2));
  assert.deepEqual(await get(registry, "/v2/up/a/manifests/t"), [200, index(1)]);
  clock.now += 61_000;
  assert.deepEqual(await get(registry, "/v2/up/a/manifests/t"), [200, index(2)]);
  const before = counted.requests.length;
  for (const digest of [one, two]) assert.equal((await get(registry, `/v2/up/a/manifests/${digest}`))[0], 200);
  assert.equal(counted.requests.length, before);
  clock.now += 61_000;
  assert.deepEqual(await get(registry, "/v2/up/a/manifests/t"), [200, index(2)]);
  assert.deepEqual(
    counted.requests.slice(before).map((line) => line.split(" ")[0]),
    ["HEAD"],
    "one HEAD when nothing changed",
  );
  // A clock that is set back makes nothing be believed for longer.
  await put(upstream, "/v2/a/manifests/t", index(3));
  clock.now -= 86_400_000;
  assert.deepEqual(await get(registry, "/v2/up/a/manifests/t"), [200, index(3)]);
  // What the upstream has deleted is gone by name.
  await rawRequest(`${upstream.url}/v2/a/manifests/t`, { method: "DELETE" });
  clock.now += 61_000;
  assert.equal((await get(registry, "/v2/up/a/manifests/t"))[0], 404);
  assert.equal((await get(registry, `/v2/up/a/manifests/${two}`))[0], 200);
});

test("proxy: many who want the same cause one fetch", async () => {
  const layer = Buffer.alloc(500_000, "x");
  const digest = digestOf(layer);
  await using upstream = await fake((request, response) => {
    if (request.url === "/v2/") return void response.end("{}");
    response.setHeader("content-length", layer.length);
    response.end(request.method === "HEAD" ? undefined : layer);
  });
  await using registry = await Registry.listen({ proxies: [{ prefix: "up", upstream: upstream.address }] });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => rawRequest(`${registry.url}/v2/up/a/blobs/${digest}`)),
  );
  assert.ok(answers.every(({ status, bytes }) => status === 200 && digestOf(bytes) === digest));
  assert.equal(upstream.requests.filter((line) => line.startsWith("GET /v2/a/blobs/")).length, 1);
});

test("proxy: an upstream that limits or fails does not take away what is here", async () => {
  const clock = { now: Date.now() };
  let status = 200;
  await using upstream = await fake((request, response) => {
    if (request.url === "/v2/") return void response.end("{}");
    response.writeHead(status, {
      "content-type": TYPE,
      "docker-content-digest": digestOf(index(1)),
      "content-length": index(1).length,
    });
    response.end(request.method === "HEAD" ? undefined : index(1));
  });
  const proxies = [{ prefix: "up", upstream: upstream.address, ttl: 1000 }];
  await using registry = await Registry.listen({ scope: createScope({ now: () => clock.now }), proxies });
  assert.equal((await get(registry, "/v2/up/a/manifests/t"))[0], 200);
  for (status of [429, 500, 403, 401]) {
    clock.now += 20_000;
    assert.deepEqual(await get(registry, "/v2/up/a/manifests/t"), [200, index(1)], String(status));
  }
});

test("proxy: an upstream that refuses the proxy's login, or that it does not trust, is no missing image", async () => {
  await using root = await tempRoot();
  await writeFile(root.join("users"), `me:${hashSync("right", 4)}\n`);
  const certificate = new TestAuthority().issue();
  await writeFile(root.join("cert"), certificate.cert);
  await writeFile(root.join("key"), certificate.key);
  const tls = { cert: root.join("cert"), key: root.join("key") };
  for (const more of [{}, { tokens: {} }]) {
    await using upstream = await Registry.listen({ root: root.join("up"), htpasswd: root.join("users"), ...more });
    await using other = await Registry.listen({ tls });
    const proxies = [
      { prefix: "good", upstream: upstream.address, username: "me", password: "right" },
      { prefix: "bad", upstream: upstream.address, username: "me", password: "wrong" },
      { prefix: "open", upstream: upstream.address },
      { prefix: "tls", upstream: other.address },
    ];
    await using registry = await Registry.listen({ proxies });
    const statuses = { good: 404, bad: 503, open: 404, tls: 503 };
    for (const [prefix, status] of Object.entries(statuses))
      for (const path of ["manifests/v1", `manifests/${digestOf("x")}`, `blobs/${digestOf("x")}`])
        assert.equal((await get(registry, `/v2/${prefix}/a/${path}`))[0], status, `${prefix} ${path}`);
  }
});

test("scenario 24: an upstream's content that is not what its digest says is refused and not kept", async () => {
  await using upstream = await fake((request, response) => {
    if (request.url === "/v2/") return void response.end("{}");
    const body = request.url?.includes("/blobs/") === true ? "other bytes" : index(2);
    response.writeHead(200, {
      "content-type": TYPE,
      "docker-content-digest": digestOf(index(1)),
      "content-length": body.length,
    });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  await using registry = await Registry.listen({ proxies: [{ prefix: "up", upstream: upstream.address }] });
  const wrong = digestOf("some bytes!");
  for (const path of [`manifests/${digestOf(index(1))}`, "manifests/t", `blobs/${wrong}`])
    assert.equal((await get(registry, `/v2/up/a/${path}`))[0], 503, path);
  const { metadata, blobs } = registry.storages;
  assert.equal(await blobs.stat(createScope(), wrong), null);
  assert.equal(await metadata.hasRepository(createScope(), "up/a"), false);
});

test("scenario 24: what is kept is for whom the rules let read it, whatever the upstream thinks of them", async () => {
  await using root = await tempRoot();
  await using upstream = await Registry.listen();
  await put(upstream, "/v2/secret/manifests/t", index(1));
  await writeFile(root.join("users"), `ann:${hashSync("pw", 4)}\neve:${hashSync("pw", 4)}\n`);
  const options: RegistryOptions = {
    htpasswd: root.join("users"),
    proxies: [{ prefix: "up", upstream: upstream.address }],
    rules: [
      { repositories: ["**"], anonymous: ["read"] },
      { repositories: ["up/**"], users: { ann: ["read"] } },
    ],
  };
  await using registry = await Registry.listen(options);
  const as = (user: string): Record<string, string> => ({
    authorization: `Basic ${Buffer.from(`${user}:pw`).toString("base64")}`,
  });
  assert.equal((await get(registry, "/v2/up/secret/manifests/t", as("ann")))[0], 200);
  const digest = digestOf(index(1));
  for (const path of [
    "/v2/up/secret/manifests/t",
    `/v2/up/secret/manifests/${digest}`,
    `/v2/secret/manifests/t?ns=${upstream.address}`,
  ]) {
    assert.equal((await get(registry, path, as("eve")))[0], 403, path);
    assert.equal((await get(registry, path))[0], 401, path);
  }
});

test("scenario 23: the upstream's password goes to token servers that it is bound to, and to no other", async () => {
  const seen: string[] = [];
  const note = (request: IncomingMessage): void => {
    seen.push(request.headers.authorization ?? "none");
    request.on("data", (chunk: Buffer) => seen.push(chunk.toString()));
  };
  await using thief = await fake((request, response) => {
    note(request);
    response.end(JSON.stringify({ token: "t" }));
  });
  await using upstream = await fake((request, response) => {
    const known = request.headers.authorization === "Bearer t";
    response.writeHead(known ? 200 : 401, {
      "www-authenticate": `Bearer realm="http://${thief.address}/token",service="s"`,
      "content-type": TYPE,
      "docker-content-digest": digestOf(index(1)),
      "content-length": index(1).length,
    });
    response.end(request.method === "HEAD" ? undefined : index(1));
  });
  const proxy = { prefix: "up", upstream: upstream.address, username: "me", password: "hidden-word" };
  {
    await using registry = await Registry.listen({ proxies: [proxy] });
    // What is for everybody still comes.
    assert.equal((await get(registry, "/v2/up/a/manifests/t"))[0], 200);
    assert.ok(seen.length > 0);
    assert.doesNotMatch(seen.join("\n"), /Basic|hidden-word/);
  }
  await using registry = await Registry.listen({ proxies: [{ ...proxy, realms: [thief.address] }] });
  assert.equal((await get(registry, "/v2/up/a/manifests/t"))[0], 200);
  assert.match(seen.join("\n"), /Basic|hidden-word/);
});
