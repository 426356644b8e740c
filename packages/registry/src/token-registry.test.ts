// A registry with its own token server, and with tokens of others, from outside.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import { pullImage } from "@teu/distribution/client/pull";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { parseChallenges } from "@teu/distribution/wire/challenge";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference } from "@teu/image/reference";
import { randomImage } from "@teu/testkit/random-image";
import { rawRequest, type RawResponse } from "@teu/testkit/raw-http";
import { tempRoot, type TempRoot } from "@teu/testkit/temp-root";
import { hashSync } from "bcryptjs";

import { signingKey, signJwt } from "./access/jwt.ts";
import { thumbprint } from "./access/key-ring.ts";
import { Registry, type RegistryOptions } from "./registry.ts";

const HASH = hashSync("pw", 4);
const CATALOG = "registry:catalog:*";

interface TokenAnswer {
  readonly token: string;
  readonly access_token: string;
  readonly expires_in: number;
  readonly refresh_token?: string;
}

async function users(root: TempRoot, ...names: readonly string[]): Promise<string> {
  await writeFile(root.join("users"), names.map((name) => `${name}:${HASH}\n`).join(""));
  return root.join("users");
}

const basic = (user: string, password: string = "pw"): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

function getToken(registry: Registry, query: string, headers: Record<string, string> = {}): Promise<RawResponse> {
  return rawRequest(`${registry.url}/token?${query}`, { headers });
}

function postToken(registry: Registry, form: Record<string, string>): Promise<RawResponse> {
  return rawRequest(`${registry.url}/token`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(form).toString(),
  });
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
}

const RULES: RegistryOptions = {
  groups: { devs: ["ann"] },
  rules: [
    { repositories: ["**"], users: { root: ["all"] } },
    { repositories: ["public/**"], anonymous: ["read", "catalog"], users: { root: ["all"] } },
    { repositories: ["team/**"], groups: { devs: ["read", "create", "catalog"] }, users: { root: ["all"] } },
  ],
  tokens: {},
};

test("token server: what was asked for, as far as it is allowed; GET and POST as docker's", async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen({ ...RULES, htpasswd: await users(root, "ann", "root") });
  const ping = await rawRequest(`${registry.url}/v2/`);
  assert.equal(ping.headers["www-authenticate"], `Bearer realm="${registry.url}/token",service="teu-registry"`);
  const scope = "repository:team/a:pull,push,delete repository:private:pull repository:public/x:pull,push";
  const got = await getToken(
    registry,
    `service=teu-registry&scope=${encodeURIComponent(scope)}&scope=${CATALOG}`,
    basic("ann"),
  );
  const answer = got.json<TokenAnswer>();
  assert.deepEqual([got.status, answer.expires_in, answer.refresh_token], [200, 300, undefined]);
  assert.equal(got.headers["cache-control"], "no-store");
  assert.equal(answer.token, answer.access_token);
  assert.deepEqual(claimsOf(answer.token)["access"], [
    { type: "repository", name: "team/a", actions: ["pull", "push"] },
    { type: "repository", name: "public/x", actions: ["pull"] },
    { type: "registry", name: "catalog", actions: ["*"] },
  ]);
  const offline = await getToken(registry, "service=teu-registry&offline_token=true&account=ann", basic("ann"));
  assert.equal(typeof offline.json<TokenAnswer>().refresh_token, "string");
  const posted = await postToken(registry, {
    grant_type: "password",
    service: "teu-registry",
    username: "ann",
    password: "pw",
    access_type: "offline",
    client_id: "x",
  });
  const refreshToken = posted.json<TokenAnswer>().refresh_token ?? "";
  const again = await postToken(registry, {
    grant_type: "refresh_token",
    refresh_token: refreshToken,
    scope: "repository:team/a:pull",
  });
  assert.equal(again.json<TokenAnswer>().refresh_token, refreshToken);
  assert.deepEqual(claimsOf(again.json<TokenAnswer>().token)["access"], [
    { type: "repository", name: "team/a", actions: ["pull"] },
  ]);
  // As docker sends an identity token where only a password fits.
  assert.equal((await getToken(registry, "scope=repository:team/a:pull", basic("<token>", refreshToken))).status, 200);
  const refusals: readonly (readonly [Promise<RawResponse>, number])[] = [
    [getToken(registry, "service=other", basic("ann")), 400],
    [getToken(registry, "", basic("ann", "wrong")), 401],
    [getToken(registry, "", bearer(answer.token)), 401],
    [postToken(registry, { grant_type: "refresh_token", refresh_token: answer.token }), 401],
    [postToken(registry, { grant_type: "refresh_token", refresh_token: "" }), 401],
    [postToken(registry, { grant_type: "password", username: "ann", password: "wrong" }), 401],
    [postToken(registry, { grant_type: "device" }), 400],
    [
      rawRequest(`${registry.url}/token`, {
        method: "POST",
        body: "{}",
        headers: { "content-type": "application/json" },
      }),
      400,
    ],
    [rawRequest(`${registry.url}/token`, { method: "PUT" }), 405],
  ];
  for (const [pending, status] of refusals) assert.equal((await pending).status, status);
});

test("scenario 21: a token for one repository opens no other one, and no longer name either", async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen({ ...RULES, htpasswd: await users(root, "root", "ann") });
  const token = (await getToken(registry, "scope=repository:a:pull,push", basic("root"))).json<TokenAnswer>().token;
  const status = async (method: string, path: string): Promise<number> =>
    (await rawRequest(registry.url + path, { method, headers: bearer(token) })).status;
  assert.equal(await status("POST", "/v2/a/blobs/uploads/"), 202);
  assert.equal(await status("GET", "/v2/a/tags/list"), 404, "allowed, and there is nothing yet");
  for (const path of ["/v2/a/b/tags/list", "/v2/b/tags/list", "/v2/aa/tags/list", "/v2/_catalog"])
    assert.equal(await status("GET", path), 401, path);
  assert.equal(await status("DELETE", "/v2/a/manifests/t"), 401);
  const refused = await rawRequest(`${registry.url}/v2/a/b/tags/list`, { headers: bearer(token) });
  const [challenge] = parseChallenges([String(refused.headers["www-authenticate"])]);
  assert.equal(challenge?.parameters.get("error"), "insufficient_scope");
  assert.equal(challenge?.parameters.get("scope"), "repository:a/b:pull");
  // Header injection by name or Host: neither gets anywhere.
  const odd = await rawRequest(`${registry.url}/v2/`, { headers: { host: 'x"y' } });
  assert.equal(odd.headers["www-authenticate"], 'Bearer realm="http://localhost/token",service="teu-registry"');
});

test("scenario 20: rights, users and passwords that are gone end tokens and refresh tokens at once", async () => {
  await using root = await tempRoot();
  const clock = { now: Date.now() };
  const scope = createScope({ now: () => clock.now });
  const options = { ...RULES, scope, htpasswd: await users(root, "ann", "root") };
  await using registry = await Registry.listen(options);
  const get = async (): Promise<TokenAnswer> =>
    (
      await getToken(registry, "offline_token=true&scope=repository:team/a:pull,push", basic("ann"))
    ).json<TokenAnswer>();
  const { token, refresh_token: refreshToken = "" } = await get();
  const push = async (): Promise<number> =>
    (await rawRequest(`${registry.url}/v2/team/a/blobs/uploads/`, { method: "POST", headers: bearer(token) })).status;
  const refresh = async (): Promise<number> =>
    (await postToken(registry, { grant_type: "refresh_token", refresh_token: refreshToken })).status;
  assert.deepEqual([await push(), await refresh()], [202, 200]);
  // Out of the group, as a changed configuration says (zot CVE-2025-23208).
  assert.deepEqual(await registry.reconfigure({ ...options, groups: { devs: [] } }), []);
  assert.equal(await push(), 401);
  await registry.reconfigure(options);
  assert.equal(await push(), 202);
  // A new password.
  await writeFile(root.join("users"), `ann:${hashSync("new", 4)}\nroot:${HASH}\n`);
  clock.now += 1500;
  assert.deepEqual([await push(), await refresh()], [401, 401]);
  // The old one again, and then nobody of that name.
  await users(root, "ann", "root");
  clock.now += 1500;
  assert.deepEqual([await push(), await refresh()], [202, 200]);
  await users(root, "root");
  clock.now += 1500;
  assert.deepEqual([await push(), await refresh()], [401, 401]);
  // Time ends them, too.
  await users(root, "ann", "root");
  clock.now += 400_000;
  assert.deepEqual([await push(), await refresh()], [401, 200]);
});

test("token keys: kept below the root for nobody else's eyes, exchanged in time, old tokens still good", async () => {
  await using root = await tempRoot();
  const clock = { now: Date.now() };
  const options = {
    ...RULES,
    scope: createScope({ now: () => clock.now }),
    root: root.join("data"),
    htpasswd: await users(root, "root"),
    tokens: { lifetime: 3_600_000, rotation: 1_800_000, refreshLifetime: 3_600_000 },
  };
  const kid = (token: string): unknown =>
    (JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()) as { kid: string }).kid;
  let old = "";
  {
    await using registry = await Registry.listen(options);
    old = (await getToken(registry, "scope=repository:a:push", basic("root"))).json<TokenAnswer>().token;
    assert.equal((await stat(root.join("data/token-keys.json"))).mode & 0o777, 0o600);
  }
  await using registry = await Registry.listen(options);
  const push = async (token: string): Promise<number> =>
    (await rawRequest(`${registry.url}/v2/a/blobs/uploads/`, { method: "POST", headers: bearer(token) })).status;
  assert.equal(await push(old), 202, "after a restart");
  clock.now += 1_900_000;
  const next = (await getToken(registry, "scope=repository:a:push", basic("root"))).json<TokenAnswer>().token;
  assert.notEqual(kid(next), kid(old));
  assert.deepEqual([await push(old), await push(next)], [202, 202]);
  clock.now += 4_000_000;
  await getToken(registry, "", basic("root"));
  const { keys } = JSON.parse(await readFile(root.join("data/token-keys.json"), "utf8")) as { keys: unknown[] };
  assert.equal(keys.length, 2, "the first one is gone");
  await registry[Symbol.asyncDispose]();
  await writeFile(root.join("data/token-keys.json"), "{}");
  await assert.rejects(Registry.listen(options), { code: "invalid", message: /token-keys\.json.*it holds no keys/ });
});

test("our client pushes and pulls with tokens, mounts included", async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen({ ...RULES, htpasswd: await users(root, "root", "ann") });
  const scope = createScope();
  const credentials = { find: async () => ({ username: "root", password: "pw" }) };
  await using client = new RegistryClient({ credentials });
  const store = new MemoryContentStore();
  const image = await randomImage(scope, store, { layerSize: 100_000 });
  for (const name of ["public/a:v1", "team/b:v1"])
    await pushImage(scope, {
      client,
      reference: parseReference(`${registry.address}/${name}`),
      store,
      descriptor: image.descriptor,
    });
  await using nobody = new RegistryClient({});
  const pulled = await pullImage(scope, {
    client: nobody,
    reference: parseReference(`${registry.address}/public/a:v1`),
    store: new MemoryContentStore(),
  });
  assert.equal(pulled.descriptor.digest, image.descriptor.digest);
  await assert.rejects(
    pullImage(scope, {
      client: nobody,
      reference: parseReference(`${registry.address}/team/b:v1`),
      store: new MemoryContentStore(),
    }),
    { code: "denied" },
  );
});

test("tokens of others: their access decides, or the rules for whom they name; new keys are found", async () => {
  await using root = await tempRoot();
  const make = (): { signer: ReturnType<typeof signingKey>; jwk: object } => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const signer = signingKey(privateKey.export({ type: "pkcs8", format: "pem" }).toString(), thumbprint);
    return { signer, jwk: { ...publicKey.export({ format: "jwk" }), kid: signer.kid } };
  };
  const [first, second, people] = [make(), make(), make()];
  let served: object[] = [first.jwk];
  const server = createServer((_request, response) => response.end(JSON.stringify({ keys: served })));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await using _ = { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
  await writeFile(root.join("people.json"), JSON.stringify({ keys: [people.jwk] }));
  const clock = { now: Date.now() };
  await using registry = await Registry.listen({
    scope: createScope({ now: () => clock.now }),
    rules: [{ repositories: ["team/**"], groups: { devs: ["read", "create"] } }],
    trustedTokens: [
      {
        issuer: "https://ci",
        audience: "reg",
        jwks: [`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`],
        realm: "https://ci/auth",
      },
      { issuer: "https://people", audience: "reg", jwks: [root.join("people.json")], decides: false },
    ],
  });
  const seconds = Math.floor(clock.now / 1000);
  const claims = { iss: "https://ci", aud: "reg", sub: "job", exp: seconds + 3600 };
  const access = [{ type: "repository", name: "built/x", actions: ["pull", "push"] }];
  const push = async (token: string, name: string): Promise<number> =>
    (await rawRequest(`${registry.url}/v2/${name}/blobs/uploads/`, { method: "POST", headers: bearer(token) })).status;
  const token = signJwt(first.signer, { ...claims, access });
  assert.deepEqual(
    [await push(token, "built/x"), await push(token, "built/y"), await push(token, "team/x")],
    [202, 401, 401],
  );
  for (const odd of [
    null,
    5,
    "x",
    [null],
    [{ type: "repository" }],
    [{ type: "repository", name: "built/x", actions: "push" }],
  ])
    assert.equal(await push(signJwt(first.signer, { ...claims, access: odd }), "built/x"), 401, JSON.stringify(odd));
  const named = { ...claims, iss: "https://people", sub: "zoe", groups: ["devs", 5] };
  assert.equal(await push(signJwt(people.signer, { ...named, access }), "team/x"), 202);
  assert.equal(await push(signJwt(people.signer, { ...named, access }), "built/x"), 403);
  assert.equal(await push(signJwt(people.signer, { ...named, sub: "" }), "team/x"), 401);
  // One issuer's key is not the other's.
  assert.equal(await push(signJwt(people.signer, { ...claims, access }), "built/x"), 401);
  served = [second.jwk];
  const next = signJwt(second.signer, { ...claims, access });
  assert.equal(await push(next, "built/x"), 401, "asked just now");
  clock.now += 15_000;
  assert.equal(await push(next, "built/x"), 202);
  const ping = await rawRequest(`${registry.url}/v2/`);
  assert.equal(ping.headers["www-authenticate"], 'Bearer realm="https://ci/auth",service="reg"');
  await assert.rejects(
    Registry.listen({ trustedTokens: [{ issuer: "a", audience: "b", jwks: ["http://192.0.2.1/keys"] }] }),
    { code: "invalid", message: /want https/ },
  );
});
