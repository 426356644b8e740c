// Token and Basic flows against scripted registries and token servers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { parseReference, type Reference } from "@teu/image/reference";
import { redirect, refuse, reply } from "@teu/testkit/hostile-answers";
import { type Answer, HostileRegistry } from "@teu/testkit/hostile-registry";

import type { Credential } from "./credentials.ts";
import { RegistryClient } from "./registry-client.ts";

const LIST = reply(200, {}, JSON.stringify({ name: "a/b", tags: ["t"] }));

interface Setup {
  readonly registry: HostileRegistry;
  readonly tokens: HostileRegistry;
  readonly client: RegistryClient;
  readonly reference: Reference;
  readonly clock: { now: number };
}

function check(
  title: string,
  credential: Credential | null,
  body: (setup: Setup, list: () => Promise<unknown>) => Promise<void>,
): void {
  test(`RegistryClient: ${title}`, async () => {
    const clock = { now: 1_000_000 };
    const scope = createScope({ now: () => clock.now });
    await using registry = await HostileRegistry.listen();
    await using tokens = await HostileRegistry.listen();
    await using client = new RegistryClient({ retry: { delay: 1 }, credentials: { find: async () => credential } });
    const reference = parseReference(`${registry.address}/a/b:t`);
    registry.on("GET", "/v2/a/b/tags/list", bearer("good", tokens.url));
    await body({ registry, tokens, client, reference, clock }, () => Array.fromAsync(client.tags(scope, reference)));
  });
}

// Lets a token in, and challenges everybody else.
function bearer(token: string, realm: string, extra = ""): Answer {
  return (response, request, raw) => {
    const challenge = {
      "www-authenticate": `Bearer realm="${realm}/token",service="reg",scope="repository:a/b:pull"${extra}`,
    };
    const answer =
      request.headers.authorization === `Bearer ${token}` ? LIST : refuse(401, "UNAUTHORIZED", "no", challenge);
    return answer(response, request, raw);
  };
}

const token = (text: string, extra: object = {}): Answer => reply(200, {}, JSON.stringify({ token: text, ...extra }));

check("an anonymous token is fetched once and used again", null, async ({ registry, tokens }, list) => {
  tokens.on("GET", /^\/token\?/, token("good"));
  await list();
  await list();
  assert.equal(tokens.requests.length, 1);
  const url = new URL(tokens.requests[0]?.path ?? "", tokens.url);
  assert.equal(url.searchParams.get("service"), "reg");
  assert.deepEqual(url.searchParams.getAll("scope"), ["repository:a/b:pull"]);
  assert.equal(tokens.requests[0]?.headers.authorization, undefined);
  assert.equal(registry.seen("GET", /tags/).length, 3);
});

check("many tasks fetch one token", null, async ({ tokens }, list) => {
  tokens.on("GET", /^\/token\?/, token("good"));
  await list();
  tokens.requests.length = 0;
  await Promise.all([list(), list(), list(), list()]);
  assert.equal(tokens.requests.length, 0);
});

check("a token is renewed before it ends, and lasts a minute at least", null, async ({ tokens, clock }, list) => {
  tokens.on("GET", /^\/token\?/, reply(200, {}, JSON.stringify({ access_token: "good", expires_in: 1 })));
  await list();
  clock.now += 45_000;
  await list();
  assert.equal(tokens.requests.length, 1);
  clock.now += 10_000;
  await list();
  assert.equal(tokens.requests.length, 2);
});

check("a token that is refused is fetched anew, once", null, async ({ registry, tokens }, list) => {
  tokens.on("GET", /^\/token\?/, token("good"));
  await list();
  registry.on("GET", "/v2/a/b/tags/list", bearer("newer", tokens.url));
  tokens.on("GET", /^\/token\?/, token("newer"));
  await list();
  registry.on("GET", "/v2/a/b/tags/list", bearer("unreachable", tokens.url, ',error="insufficient_scope"'));
  await assert.rejects(list(), (error) => isTeuError(error, "denied"));
  assert.ok(tokens.requests.length <= 3);
});

check(
  "credentials go to the token server by POST",
  { username: "me", password: "p&w" },
  async ({ registry, tokens }, list) => {
    tokens.on("POST", "/token", token("good"));
    await list();
    const form = new URLSearchParams(String(tokens.seen("POST")[0]?.body));
    assert.deepEqual(
      [form.get("grant_type"), form.get("username"), form.get("password"), form.get("scope")],
      ["password", "me", "p&w", "repository:a/b:pull"],
    );
    // The registry itself never sees them.
    assert.ok(registry.requests.every(({ headers }) => headers.authorization?.startsWith("Basic") !== true));
  },
);

check(
  "a token server that has moved is followed, its password is not taken along to another host",
  { username: "me", password: "pw" },
  async ({ tokens }, list) => {
    await using elsewhere = await HostileRegistry.listen();
    elsewhere.on("GET", /^\/token/, token("good"));
    tokens.on("POST", "/token", redirect(`${elsewhere.url}/token`));
    tokens.on("GET", /^\/token\?/, (response, request, raw) =>
      redirect(`/moved${request.path}`, 301)(response, request, raw),
    );
    tokens.on("GET", /^\/moved/, (response, request, raw) =>
      redirect(`${elsewhere.url}/token`, 302)(response, request, raw),
    );
    await list();
    assert.match(tokens.seen("GET", /moved/)[0]?.headers.authorization ?? "", /^Basic /);
    assert.deepEqual(
      elsewhere.requests.map(({ method, headers }) => [method, headers.authorization]),
      [["GET", undefined]],
    );
  },
);

check("an older token server is asked by GET", { username: "me", password: "pw" }, async ({ tokens }, list) => {
  tokens.on("POST", "/token", reply(404)).on("GET", /^\/token\?/, token("good"));
  await list();
  const [request] = tokens.seen("GET");
  assert.equal(request?.headers.authorization, `Basic ${Buffer.from("me:pw").toString("base64")}`);
  assert.match(request?.path ?? "", /account=me/);
});

check(
  "the password goes once where the token server gives a refresh token, and again when that has ended",
  { username: "me", password: "pw" },
  async ({ tokens, clock }, list) => {
    const grants = (): (string | null)[] =>
      tokens.seen("POST").map(({ body }) => new URLSearchParams(String(body)).get("grant_type"));
    const refreshing = JSON.stringify({ access_token: "good", refresh_token: "more", expires_in: 60 });
    tokens.on("POST", "/token", reply(200, {}, refreshing));
    await list();
    clock.now += 61_000;
    await list();
    assert.deepEqual(grants(), ["password", "refresh_token"]);
    assert.equal(new URLSearchParams(String(tokens.seen("POST")[1]?.body)).get("refresh_token"), "more");
    tokens.on("POST", "/token", reply(400), 1);
    clock.now += 61_000;
    await list();
    assert.deepEqual(grants(), ["password", "refresh_token", "refresh_token", "password"]);
  },
);

for (const [form, post] of [
  ["POST", reply(200, {}, JSON.stringify({ access_token: "good", refresh_token: "kept" }))],
  ["GET", reply(404)],
] as const)
  test(`RegistryClient.ping: says what a token server gives by ${form} to be kept in place of the password`, async () => {
    const scope = createScope();
    await using registry = await HostileRegistry.listen();
    await using tokens = await HostileRegistry.listen();
    registry.on("GET", "/v2/", bearer("good", tokens.url));
    tokens.on("POST", "/token", post);
    tokens.on("GET", /^\/token\?/, token("good"));
    tokens.on("GET", /^\/token\?.*offline_token=true/, token("good", { refresh_token: "kept" }));
    const find = async (): Promise<Credential> => ({ username: "me", password: "pw" });
    await using login = new RegistryClient({ retry: { delay: 1 }, credentials: { find, offline: true } });
    assert.equal(await login.ping(scope, registry.address), "kept");
    // Nobody asks a server by GET for tokens that it then has to remember, but for a login.
    await using other = new RegistryClient({ retry: { delay: 1 }, credentials: { find } });
    assert.equal(await other.ping(scope, registry.address), form === "POST" ? "kept" : null);
  });

for (const [what, refresh] of [
  ["of 16 KiB and more", "x".repeat((16 << 10) + 1)],
  ["with a line break", "a\nb"],
  ["that is empty", ""],
  ["that is no text", 7],
] as const)
  test(`RegistryClient.ping: a refresh token ${what} is not to be kept`, async () => {
    await using registry = await HostileRegistry.listen();
    await using tokens = await HostileRegistry.listen();
    registry.on("GET", "/v2/", bearer("good", tokens.url));
    tokens.on("POST", "/token", token("good", { refresh_token: refresh }));
    const find = async (): Promise<Credential> => ({ username: "me", password: "pw" });
    await using client = new RegistryClient({ retry: { delay: 1 }, credentials: { find, offline: true } });
    assert.equal(await client.ping(createScope(), registry.address), null);
  });

check("an identity token is a refresh token", { identityToken: "refresh" }, async ({ tokens }, list) => {
  tokens.on("POST", "/token", token("good"));
  await list();
  const form = new URLSearchParams(String(tokens.seen("POST")[0]?.body));
  assert.deepEqual([form.get("grant_type"), form.get("refresh_token")], ["refresh_token", "refresh"]);
});

check("a registry token is sent as it is", { registryToken: "good" }, async ({ tokens, registry }, list) => {
  await list();
  await list();
  assert.equal(tokens.requests.length, 0);
  assert.deepEqual(
    registry.seen("GET", /tags/).map(({ headers }) => headers.authorization),
    // Not before the registry has asked.
    [undefined, "Bearer good", "Bearer good"],
  );
});

check("a registry token that is refused is the end", { registryToken: "bad" }, async ({ tokens, registry }, list) => {
  await assert.rejects(list(), (error) => isTeuError(error, "denied"));
  assert.equal(tokens.requests.length, 0);
  assert.equal(registry.seen("GET", /tags/).at(-1)?.headers.authorization, "Bearer bad");
});

check(
  "wrong credentials are an error that says so",
  { username: "me", password: "s3same" },
  async ({ tokens }, list) => {
    tokens
      .on("POST", "/token", reply(401))
      .on("GET", /^\/token\?/, refuse(401, "UNAUTHORIZED", "incorrect username or password"));
    await assert.rejects(
      list(),
      (error) =>
        isTeuError(error, "denied") &&
        /is wrong: incorrect username/.test(error.message) &&
        !error.message.includes("s3same"),
    );
  },
);

check("a token that would end its header is refused", null, async ({ tokens }, list) => {
  for (const answer of [
    token("good\r\nevil: 1"),
    reply(200, {}, "{}"),
    reply(200, {}, "["),
    reply(200, {}, '{"token":5}'),
  ]) {
    tokens.on("GET", /^\/token\?/, answer);
    await assert.rejects(list(), (error) => isTeuError(error, "invalid"));
  }
});

check(
  "a realm that is no place for credentials is refused (scenario 23)",
  { username: "me", password: "pw" },
  async ({ registry }, list) => {
    for (const realm of ["file:///etc", "http://169.254.169.254", "", "ftp://127.0.0.1"]) {
      registry.on("GET", "/v2/a/b/tags/list", bearer("good", realm));
      await assert.rejects(list(), (error) => isTeuError(error, "denied") || isTeuError(error, "not-found"), realm);
    }
  },
);

check(
  "Basic is used where the registry wants it, and tried once",
  { username: "me", password: "pw" },
  async ({ registry, tokens }, list) => {
    const basic = `Basic ${Buffer.from("me:pw").toString("base64")}`;
    registry.on("GET", "/v2/a/b/tags/list", (response, request, raw) =>
      (request.headers.authorization === basic
        ? LIST
        : refuse(401, "UNAUTHORIZED", "no", { "www-authenticate": 'Basic realm="x"' }))(response, request, raw),
    );
    await list();
    await list();
    assert.equal(registry.seen("GET", /tags/).length, 3);
    assert.equal(tokens.requests.length, 0);
    registry.requests.length = 0;
    registry.on(
      "GET",
      "/v2/a/b/tags/list",
      refuse(401, "UNAUTHORIZED", "no", { "www-authenticate": 'Basic realm="x"' }),
    );
    await assert.rejects(list(), (error) => isTeuError(error, "denied"));
    assert.equal(registry.requests.length, 1);
  },
);

// Shows something to everybody, and more to who is known; challenges only where clients ask for it.
function open(challenge: string, authorization: string): { ping: Answer; list: Answer } {
  return {
    ping: refuse(401, "UNAUTHORIZED", "authentication required", { "www-authenticate": challenge }),
    list: (response, request, raw) => {
      const given = request.headers.authorization;
      const known = reply(200, {}, JSON.stringify({ name: "a/b", tags: ["public", "private"] }));
      const answer = given === undefined ? LIST : given === authorization ? known : refuse(401, "UNAUTHORIZED", "no");
      return answer(response, request, raw);
    },
  };
}

const ANN: Credential = { username: "ann", password: "right" };
const BASIC = `Basic ${Buffer.from("ann:right").toString("base64")}`;

check("credentials are used where everybody is shown something", ANN, async ({ registry }, list) => {
  const { ping, list: tags } = open('Basic realm="r"', BASIC);
  registry.on("GET", "/v2/", ping).on("GET", "/v2/a/b/tags/list", tags);
  assert.deepEqual(await list(), ["public", "private"]);
  assert.deepEqual(await list(), ["public", "private"]);
  // Asked once; and once before that whether it speaks TLS.
  assert.equal(registry.seen("GET", /^\/v2\/$/).length, 2);
  assert.equal(registry.seen("GET", /tags/).length, 2);
});

check("and so where a token server gives tokens", ANN, async ({ registry, tokens }, list) => {
  tokens.on("POST", "/token", token("good"));
  const { ping, list: tags } = open(`Bearer realm="${tokens.url}/token",service="reg"`, "Bearer good");
  registry.on("GET", "/v2/", ping).on("GET", "/v2/a/b/tags/list", tags);
  assert.deepEqual(await list(), ["public", "private"]);
  assert.equal(registry.seen("GET", /tags/).length, 1);
});

const WRONG: Credential = { username: "ann", password: "wrong" };

check("a wrong password fails where everybody is shown something", WRONG, async ({ registry }, list) => {
  const { ping, list: tags } = open('Basic realm="r"', BASIC);
  registry.on("GET", "/v2/", ping).on("GET", "/v2/a/b/tags/list", tags);
  await assert.rejects(list(), (error) => isTeuError(error, "denied") && /password is wrong/.test(error.message));
});

check("without credentials nothing is asked before", null, async ({ registry }, list) => {
  const { ping, list: tags } = open('Basic realm="r"', BASIC);
  registry.on("GET", "/v2/", ping).on("GET", "/v2/a/b/tags/list", tags);
  assert.deepEqual(await list(), ["t"]);
  assert.equal(registry.seen("GET", /^\/v2\/$/).length, 1);
});

check("who is logged in is told which right is missing", ANN, async ({ registry, tokens }, list) => {
  tokens.on("POST", "/token", token("poor"));
  registry.on("GET", "/v2/a/b/tags/list", bearer("good", tokens.url));
  await assert.rejects(list(), (error) => {
    assert.ok(isTeuError(error, "denied"));
    assert.equal(error.what, "ann may not do this: it needs repository:a/b:pull");
    assert.match(error.hint ?? "", /as another user/);
    return true;
  });
});

check("a registry's reason for a refusal is shown", ANN, async ({ registry }, list) => {
  registry.on("GET", "/v2/a/b/tags/list", refuse(403, "DENIED", "quota of team a is used up"));
  await assert.rejects(
    list(),
    (error) => isTeuError(error, "denied") && error.what.endsWith("denied: quota of team a is used up"),
  );
});
