// What a registry tells those who operate it, from outside: metrics, health, logs, webhooks.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFile, readdir, rename, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { createScope, silentLog } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { rawRequest, rawSocket } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";
import { hashSync } from "bcryptjs";

import { Registry } from "./registry.ts";
import type { WebhookEvent } from "./webhooks/envelope.ts";
import { isPublicAddress, isSpecialHost } from "./webhooks/target-guard.ts";

const TYPE = "application/vnd.oci.image.index.v1+json";
const INDEX = JSON.stringify({ schemaVersion: 2, mediaType: TYPE, manifests: [] });
const basic = (user: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});

function put(registry: Registry, path: string, headers: Record<string, string> = {}): Promise<{ status: number }> {
  return rawRequest(registry.url + path, { method: "PUT", body: INDEX, headers: { "content-type": TYPE, ...headers } });
}

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

// A receiver that answers as told, and can be waited for.
async function receiver(answers: number[] = []): Promise<
  AsyncDisposable & {
    readonly url: string;
    readonly port: number;
    next(): Promise<Received>;
    readonly received: Received[];
  }
> {
  const received: Received[] = [];
  const waiting: ((one: Received) => void)[] = [];
  let taken = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one = { headers: request.headers, body: Buffer.concat(chunks).toString() };
      received.push(one);
      response.statusCode = answers.shift() ?? 200;
      response.end();
      const waiter = waiting.shift();
      if (waiter !== undefined) {
        taken++;
        waiter(one);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    received,
    next: () => {
      const one = received[taken];
      if (one === undefined) return new Promise((resolve) => waiting.push(resolve));
      taken++;
      return Promise.resolve(one);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function eventOf({ body }: Received): WebhookEvent {
  return (JSON.parse(body) as { events: WebhookEvent[] }).events[0] as WebhookEvent;
}

test("operations: metrics for who has the token, health for everybody, on an address of their own", async () => {
  await using registry = await Registry.listen({ operations: { address: "127.0.0.1:0", token: "secret" } });
  await put(registry, "/v2/a/manifests/t");
  await rawRequest(`${registry.url}/v2/a/manifests/t`);
  await rawRequest(`${registry.url}/v2/a/manifests/none`);
  await rawRequest(`${registry.url}/v2/${"x".repeat(50)}/nothing`, { method: "BREW" }).catch(() => {});
  const url = `http://${registry.operationsAddress}`;
  const metrics = await rawRequest(`${url}/metrics`, { headers: { authorization: "Bearer secret" } });
  assert.equal(metrics.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  for (const line of [
    'teu_registry_requests_total{route="manifest",method="PUT",status="201"} 1',
    'teu_registry_requests_total{route="manifest",method="GET",status="200"} 1',
    'teu_registry_requests_total{route="manifest",method="GET",status="404"} 1',
    'teu_registry_events_total{action="push"} 1',
    `teu_registry_content_bytes_total{action="pull"} ${INDEX.length}`,
    'teu_registry_request_seconds_bucket{route="manifest",le="+Inf"} 3',
    "teu_registry_requests_under_way 0",
  ])
    assert.ok(metrics.text.includes(`${line}\n`), `${line}\n${metrics.text}`);
  // Every sample belongs to a family with help and type.
  for (const [, name] of metrics.text.matchAll(/^([a-z_]+?)(?:_bucket|_sum|_count)?[{ ]/gm))
    assert.match(metrics.text, new RegExp(`^# TYPE ${name} `, "m"));
  for (const headers of [{}, { authorization: "Bearer secre" }] as Record<string, string>[])
    assert.equal((await rawRequest(`${url}/metrics`, { headers })).status, 401);
  assert.deepEqual((await rawRequest(`${url}/healthz`)).text, "alive\n");
  assert.deepEqual((await rawRequest(`${url}/readyz`)).text, "ready\n");
  assert.equal((await rawRequest(`${url}/v2/`)).status, 404);
  assert.equal((await rawRequest(`${registry.url}/metrics`)).status, 404, "not where strangers are");
});

test("operations: not ready while draining, and requests under way are answered", async () => {
  const registry = await Registry.listen({ operations: { address: "127.0.0.1:0" }, drain: 60_000 });
  const body = "a slow layer";
  const slow = rawRequest(`${registry.url}/v2/a/blobs/uploads/`, { method: "POST" });
  const location = String((await slow).headers.location);
  const [host = "", port] = registry.address.split(":");
  const socket = connect({ host, port: Number(port) });
  socket.on("error", () => {});
  socket.write(
    `PUT ${location}?digest=${digestOf(body)} HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 3)}`,
  );
  const ready = `http://${registry.operationsAddress}/readyz`;
  const underWay = async (): Promise<boolean> =>
    (await rawRequest(ready.replace("readyz", "metrics"))).text.includes("requests_under_way 1\n");
  while (!(await underWay())) await new Promise((resolve) => setTimeout(resolve, 5));
  const closing = registry[Symbol.asyncDispose]();
  const answer = await rawRequest(ready);
  assert.deepEqual([answer.status, answer.text], [503, "draining\n"]);
  // The client goes away: nothing is under way any more.
  socket.destroy();
  await closing;
});

test("logs: who did what from where; no secret, and no line that a client wrote (scenario 30)", async () => {
  await using root = await tempRoot();
  await writeFile(root.join("users"), `ann:${hashSync("pw", 4)}\n`);
  const logs = { accessLog: root.join("access"), auditLog: root.join("audit") };
  await using registry = await Registry.listen({ ...logs, htpasswd: root.join("users"), anonymousPull: true });
  await put(registry, "/v2/a/manifests/t?secret=token", basic("ann", "pw"));
  await put(registry, "/v2/a/manifests/t", basic("ann", "wrong-password"));
  await put(registry, "/v2/a/manifests/t");
  await rawRequest(`${registry.url}/v2/a/manifests/t`);
  await rawSocket(
    registry.address,
    'GET /v2/a/manifests/x\u2028{"user":"root"} HTTP/1.1\r\nhost: x\r\nuser-agent: a\x85"}{\r\nconnection: close\r\n\r\n',
  );
  await rawRequest(`${registry.url}/v2/a/manifests/t`, { method: "DELETE", headers: basic("ann", "pw") });
  const linesOf = async (file: string): Promise<Record<string, unknown>[]> =>
    (await readFile(file, "utf8"))
      .trimEnd()
      .split(/[\n\u0085\u2028\u2029]/)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const access = await linesOf(logs.accessLog);
  assert.ok(access.length >= 5);
  assert.deepEqual(
    access.slice(0, 4).map(({ method, status, user, address, path }) => [method, status, user, address, path]),
    [
      ["PUT", 201, "ann", "127.0.0.1", "/v2/a/manifests/t"],
      ["PUT", 401, "ann", "127.0.0.1", "/v2/a/manifests/t"],
      ["PUT", 401, null, "127.0.0.1", "/v2/a/manifests/t"],
      ["GET", 200, null, "127.0.0.1", "/v2/a/manifests/t"],
    ],
  );
  const audit = await linesOf(logs.auditLog);
  assert.deepEqual(
    audit.map(({ method, outcome, user }) => [method, outcome, user]),
    [
      ["PUT", "done", "ann"],
      ["PUT", "refused", "ann"],
      ["DELETE", "done", "ann"],
    ],
  );
  assert.deepEqual((audit[0] as { events: object[] }).events[0], {
    action: "push",
    repository: "a",
    digest: digestOf(INDEX),
    mediaType: TYPE,
    size: INDEX.length,
    tag: "t",
  });
  for (const file of Object.values(logs))
    assert.doesNotMatch(await readFile(file, "utf8"), /wrong-password|secret|Basic|YW5u/);
  await rename(logs.accessLog, root.join("access.1"));
  registry.reopenLogs();
  await rawRequest(`${registry.url}/v2/`);
  assert.equal((await linesOf(logs.accessLog)).length, 1);
});

test("logs: who logged in for a token, and who could not", async () => {
  await using root = await tempRoot();
  await writeFile(root.join("users"), `ann:${hashSync("pw", 4)}\n`);
  const auditLog = root.join("audit");
  await using registry = await Registry.listen({ auditLog, htpasswd: root.join("users"), tokens: {} });
  const url = `${registry.url}/token?scope=repository:a:pull&offline_token=true`;
  for (const headers of [{}, basic("ann", "pw"), basic("ann", "wrong")] as Record<string, string>[])
    await rawRequest(url, { headers });
  const text = await readFile(auditLog, "utf8");
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.map(({ user, outcome, path, status }) => [user, outcome, path, status]),
    [
      ["ann", "logged in", "/token", 200],
      ["ann", "refused", "/token", 401],
    ],
  );
  assert.doesNotMatch(text, /eyJ|wrong|offline/);
});

test("webhooks: docker-registry's envelope, signed, in order, again until it is taken", async () => {
  await using hook = await receiver([500, 302]);
  const secret = "k";
  await using registry = await Registry.listen({
    webhooks: [
      {
        name: "ci",
        url: hook.url,
        secret,
        headers: { "x-team": "a" },
        allowPrivate: true,
        pause: 1,
        actions: ["push", "pull", "delete"],
        repositories: ["a/**"],
      },
    ],
  });
  await put(registry, "/v2/b/manifests/t");
  await put(registry, "/v2/a/x/manifests/t");
  await rawRequest(`${registry.url}/v2/a/x/manifests/t`);
  await rawRequest(`${registry.url}/v2/a/x/manifests/t`, { method: "HEAD" });
  await rawRequest(`${registry.url}/v2/a/x/manifests/t`, { method: "DELETE" });
  const tries = [await hook.next(), await hook.next(), await hook.next()];
  assert.equal(new Set(tries.map(({ body }) => body)).size, 1, "the same event until it is taken");
  const [push] = tries as [Received];
  assert.equal(push.headers["content-type"], "application/vnd.docker.distribution.events.v2+json");
  assert.equal(push.headers["x-team"], "a");
  assert.equal(
    push.headers["x-hub-signature-256"],
    `sha256=${createHmac("sha256", secret).update(push.body).digest("hex")}`,
  );
  const { action, target, request, actor } = eventOf(push);
  assert.deepEqual([action, request["method"], actor], ["push", "PUT", {}]);
  assert.deepEqual(target, {
    mediaType: TYPE,
    size: INDEX.length,
    length: INDEX.length,
    digest: digestOf(INDEX),
    repository: "a/x",
    url: `${registry.url}/v2/a/x/manifests/${digestOf(INDEX)}`,
    tag: "t",
  });
  const rest = [eventOf(await hook.next()), eventOf(await hook.next())];
  assert.deepEqual(
    rest.map((event) => [event.action, event.target["tag"]]),
    [
      ["pull", "t"],
      ["delete", "t"],
    ],
  );
});

test("webhooks: what waits outlives the registry", async () => {
  await using root = await tempRoot();
  const place = await receiver();
  const url = place.url;
  await place[Symbol.asyncDispose]();
  const options = { root: root.join("data"), webhooks: [{ name: "ci", url, allowPrivate: true, pause: 1 }] };
  {
    await using registry = await Registry.listen(options);
    await put(registry, "/v2/a/manifests/one");
    await put(registry, "/v2/a/manifests/two");
  }
  assert.equal((await readdir(root.join("data/webhooks/ci"))).length, 2);
  await using hook = await receiver();
  await using _ = await Registry.listen({
    ...options,
    webhooks: [{ name: "ci", url: hook.url, allowPrivate: true, pause: 1 }],
  });
  const tags = [eventOf(await hook.next()), eventOf(await hook.next())].map(({ target }) => target["tag"]);
  assert.deepEqual(tags, ["one", "two"]);
});

test("scenario 29: webhooks reach no private or local address by accident, by number or by name", async () => {
  await using hook = await receiver();
  const warnings: string[] = [];
  const log = {
    ...silentLog,
    warn: (_: string, fields?: Readonly<Record<string, unknown>>) => warnings.push(String(fields?.["error"])),
  };
  await using registry = await Registry.listen({
    scope: createScope({ log }),
    webhooks: [
      { name: "number", url: hook.url, pause: 100_000 },
      { name: "name", url: `http://localhost:${hook.port}/hook?key=hidden`, pause: 100_000 },
    ],
  });
  await put(registry, "/v2/a/manifests/t");
  while (warnings.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const warning of warnings) assert.match(warning, /it is a private or local address/);
  assert.doesNotMatch(warnings.join(), /hidden/);
  assert.equal(hook.received.length, 0);
});

test("isPublicAddress: what IANA keeps for special purposes is none", () => {
  for (const address of ["1.1.1.1", "172.15.0.1", "172.32.0.1", "192.0.3.1", "2606:4700::1111"])
    assert.equal(isPublicAddress(address), true, address);
  const special = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
  ];
  const six = [
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2001:db8::1",
    "2002:a00:1::",
  ];
  for (const address of [...special, ...six, "x"]) assert.equal(isPublicAddress(address), false, address);
  for (const url of ["http://0x7f.1/", "http://2130706433/", "http://[::ffff:127.0.0.1]/", "http://127.1/"])
    assert.equal(isSpecialHost(new URL(url)), true, url);
});
