// How a session finds out whether a registry speaks TLS, by a transport that says what each address would.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";

import { noCredentials } from "./credentials.ts";
import { type HttpRequest, type HttpResponse, HttpTransport } from "./http-transport.ts";
import { networkError } from "./network-error.ts";
import { RegistrySession } from "./registry-session.ts";
import { DEFAULT_RETRY } from "./retry.ts";

/** What a ping of an origin comes to: a status, or the system's error. */
type Outcomes = Readonly<Record<string, number | string>>;

class ScriptedTransport extends HttpTransport {
  readonly asked: string[] = [];
  readonly #outcomes: Outcomes;

  constructor(outcomes: Outcomes) {
    super();
    this.#outcomes = outcomes;
  }

  override async send(_scope: unknown, { url }: HttpRequest): Promise<HttpResponse> {
    this.asked.push(url.origin);
    const outcome = this.#outcomes[url.origin] ?? "ENOTFOUND";
    if (typeof outcome === "string") throw networkError(url, Object.assign(new Error(outcome), { code: outcome }));
    async function* nothing(): AsyncIterable<Uint8Array> {}
    return {
      status: outcome,
      url,
      headers: {},
      headerValues: () => [],
      body: nothing(),
      [Symbol.asyncDispose]: async () => {},
    };
  }
}

async function originOf(domain: string, outcomes: Outcomes, insecure = false): Promise<string> {
  const transport = new ScriptedTransport(outcomes);
  const session = await RegistrySession.open(createScope(), domain, {
    transport,
    credentials: noCredentials,
    retry: DEFAULT_RETRY,
    plainHttp: () => insecure,
    warned: new Set(),
  });
  return session.base.origin;
}

test("RegistrySession: on this machine plain HTTP where it is spoken, TLS where that is meant", async () => {
  assert.equal(await originOf("localhost:5000", { "http://localhost:5000": 200 }), "http://localhost:5000");
  assert.equal(await originOf("localhost:5000", { "http://localhost:5000": 401 }), "http://localhost:5000");
  for (const other of [400, 301, "ECONNRESET", "HPE_INVALID_CONSTANT"])
    assert.equal(await originOf("127.0.0.1:5000", { "http://127.0.0.1:5000": other }), "https://127.0.0.1:5000");
  await assert.rejects(originOf("localhost:5000", { "http://localhost:5000": "ECONNREFUSED" }), (error) =>
    isTeuError(error, "unavailable"),
  );
});

test("RegistrySession: without a port the two are at different doors, and one that is shut says nothing of the other", async () => {
  assert.equal(await originOf("localhost", { "http://localhost": "ECONNREFUSED" }), "https://localhost");
  assert.equal(await originOf("localhost", { "http://localhost": 200 }), "http://localhost");
});

test("RegistrySession: a host that may be spoken to without TLS is, whatever keeps TLS from working but a bad certificate", async () => {
  const host = "reg.example:5000";
  const [secure, plain] = [`https://${host}`, `http://${host}`];
  assert.equal(await originOf(host, { [secure]: 200 }, true), secure);
  for (const fault of ["ECONNREFUSED", "EPROTO", "ECONNRESET", "ETIMEDOUT", "ERR_SSL_WRONG_VERSION_NUMBER"])
    assert.equal(await originOf(host, { [secure]: fault }, true), plain, fault);
  await assert.rejects(originOf(host, { [secure]: "CERT_HAS_EXPIRED" }, true), (error) => isTeuError(error, "denied"));
  // Nobody is asked where that was not allowed.
  assert.equal(await originOf(host, {}), secure);
});
