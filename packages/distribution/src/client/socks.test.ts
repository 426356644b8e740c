// Registries behind SOCKS5 proxies: a small proxy that knows where names lead, and proxies that refuse, lie, or say nothing.

import assert from "node:assert/strict";
import { once } from "node:events";
import https from "node:https";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference } from "@teu/image/reference";
import { Registry } from "@teu/registry/registry";
import { TestAuthority } from "@teu/testkit/certificates";
import { HostileRegistry } from "@teu/testkit/hostile-registry";
import { randomImage } from "@teu/testkit/random-image";

import { HttpTransport } from "./http-transport.ts";
import { pullImage } from "./pull.ts";
import { pushImage } from "./push.ts";
import { RegistryClient } from "./registry-client.ts";

const scope = createScope();

/** What one client said, and a server that answers each thing that it says with the next of `answers`. */
class Proxy implements AsyncDisposable {
  readonly said: string[] = [];
  readonly server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.server = server;
  }

  static async listen(serve: (socket: Socket, proxy: Proxy) => void): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server);
    server.on("connection", (socket) => {
      proxy.#sockets.add(socket);
      socket.on("error", () => {});
      serve(socket, proxy);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return proxy;
  }

  /** Says these bytes, one answer for each thing that it is told. */
  static answering(...answers: readonly (readonly number[])[]): Promise<Proxy> {
    return Proxy.listen((socket, proxy) => {
      let at = 0;
      socket.on("data", (data) => {
        proxy.said.push(data.toString("hex"));
        const answer = answers[at++];
        if (answer !== undefined) socket.write(Buffer.from(answer));
        else socket.end();
      });
    });
  }

  /** A proxy that works: without a password, or with "me" and "p w"; every name leads to `port` here. */
  static working(port: number, password: boolean): Promise<Proxy> {
    return Proxy.listen((socket, proxy) => {
      const steps = [
        (data: Buffer) => {
          assert.ok(data.subarray(2).includes(password ? 2 : 0));
          return Buffer.from([5, password ? 2 : 0]);
        },
        ...(password
          ? [(data: Buffer) => Buffer.from([1, data.toString("latin1") === "\x01\x02me\x03p w" ? 0 : 1])]
          : []),
      ];
      socket.on("data", function first(data: Buffer) {
        const step = steps.shift();
        if (step !== undefined) return void socket.write(step(data));
        socket.off("data", first);
        const name = data.subarray(5, -2).toString();
        proxy.said.push(`${name}:${data.readUInt16BE(data.length - 2)}`);
        const inner = connect(port, "127.0.0.1", () => {
          socket.write(Buffer.from([5, 0, 0, 3, 2, 0x61, 0x62, 0, 80]));
          inner.pipe(socket).pipe(inner);
        });
        inner.on("error", () => socket.destroy());
        proxy.#sockets.add(inner);
      });
    });
  }

  address(userInfo = ""): string {
    return `socks5://${userInfo}127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }
}

test("HttpTransport: plain requests through a SOCKS proxy, which is told names, not addresses", async () => {
  await using registry = await HostileRegistry.listen();
  await using proxy = await Proxy.working(Number(registry.address.split(":")[1]), false);
  await using client = new HttpTransport({ proxyEnv: { ALL_PROXY: proxy.address() } });
  for (let round = 0; round < 3; round++) {
    const url = new URL("http://r.example:5000/v2/");
    await using answer = await client.send(scope, { method: "GET", url, headers: {} });
    assert.equal(answer.status, 200);
    assert.deepEqual(await Array.fromAsync(answer.body), []);
  }
  // The connection is kept.
  assert.deepEqual(proxy.said, ["r.example:5000"]);
  assert.equal(registry.requests[0]?.headers.host, "r.example:5000");
  assert.equal(registry.requests[0]?.path, "/v2/");
});

test("HttpTransport: TLS through a SOCKS proxy is verified by the name, with user and password", async () => {
  const authority = new TestAuthority();
  const server = https.createServer(authority.issue({ names: ["r.example"] }), (_, response) => response.end());
  await once(server.listen(0, "127.0.0.1"), "listening");
  await using proxy = await Proxy.working((server.address() as AddressInfo).port, true);
  const certificates = async (): Promise<string[]> => [authority.cert];
  const get = async (host: string, user: string): Promise<number> => {
    await using client = new HttpTransport({ proxyEnv: { HTTPS_PROXY: proxy.address(user) }, certificates });
    await using answer = await client.send(scope, { method: "GET", url: new URL(`https://${host}/v2/`), headers: {} });
    return answer.status;
  };
  try {
    assert.equal(await get("r.example", "me:p%20w@"), 200);
    await assert.rejects(get("other.example", "me:p%20w@"), (error) => isTeuError(error, "denied"));
    await assert.rejects(get("r.example", "me:wrong@"), (error) => {
      assert.ok(isTeuError(error, "denied"), String(error));
      assert.match(error.message, /user or password is wrong/);
      assert.doesNotMatch(error.message, /me:|: wrong|wrong@/);
      return true;
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("HttpTransport: addresses go to a SOCKS proxy as addresses", async () => {
  for (const [url, wanted] of [
    ["http://192.0.2.7:5000/", "05010001c00002071388"],
    ["http://[2001:db8::7]/", "0501000420010db80000000000000000000000070050"],
    ["http://[::ffff:192.0.2.7]/", "0501000400000000000000000000ffffc00002070050"],
  ] as const) {
    await using proxy = await Proxy.answering([5, 0], [5, 4, 0, 1, 0, 0, 0, 0, 0, 0]);
    await using client = new HttpTransport({ proxyEnv: { HTTP_PROXY: proxy.address() } });
    await assert.rejects(client.send(scope, { method: "GET", url: new URL(url), headers: {} }), (error) =>
      isTeuError(error, "unavailable"),
    );
    assert.deepEqual(proxy.said, ["050100", wanted]);
  }
});

test("HttpTransport: a SOCKS proxy that refuses, lies or hangs up is named with its reason", async () => {
  for (const [answers, code, text] of [
    [
      [
        [5, 0],
        [5, 2, 0, 1, 0, 0, 0, 0, 0, 0],
      ],
      "denied",
      /does not allow it/,
    ],
    [
      [
        [5, 0],
        [5, 5, 0, 1, 0, 0, 0, 0, 0, 0],
      ],
      "unavailable",
      /refuses the proxy's connection/,
    ],
    [
      [
        [5, 0],
        [5, 99, 0, 1, 0, 0, 0, 0, 0, 0],
      ],
      "unavailable",
      /says 99/,
    ],
    [[[5, 0xff]], "denied", /another kind of proof/],
    [[[5, 2]], "denied", /another kind of proof/],
    [[[0x48, 0x54]], "unavailable", /does not speak SOCKS5/],
    [
      [
        [5, 0],
        [4, 0, 0, 1],
      ],
      "unavailable",
      /does not speak SOCKS5/,
    ],
    [[], "unavailable", /hung up/],
    [[[5, 0]], "unavailable", /hung up/],
  ] as const) {
    await using proxy = await Proxy.answering(...answers);
    await using client = new HttpTransport({ proxyEnv: { HTTP_PROXY: proxy.address() } });
    await assert.rejects(
      client.send(scope, { method: "GET", url: new URL("http://r.example/v2/"), headers: {} }),
      (error) => {
        assert.ok(isTeuError(error, code), String(error));
        assert.match(error.message, text);
        assert.match(error.message, /r\.example:80.*SOCKS proxy 127\.0\.0\.1:\d+/);
        return true;
      },
    );
  }
});

test("HttpTransport: a SOCKS proxy that says nothing is given up, one that is not there is named", async () => {
  await using proxy = await Proxy.listen(() => {});
  const address = proxy.address();
  const request = { method: "GET", url: new URL("http://r.example/v2/"), headers: {} };
  await using client = new HttpTransport({ proxyEnv: { HTTP_PROXY: address }, connectTimeout: 50 });
  await assert.rejects(client.send(scope, request), (error) => isTeuError(error, "timeout"));
  const patient = new HttpTransport({ proxyEnv: { HTTP_PROXY: address } });
  const connected = once(proxy.server, "connection");
  const sending = assert.rejects(patient.send(scope, request), (error) => isTeuError(error));
  await connected;
  // Closing waits for nobody.
  await patient[Symbol.asyncDispose]();
  await sending;
});

test("RegistryClient: push and pull through a SOCKS proxy", async () => {
  await using registry = await Registry.listen();
  await using proxy = await Proxy.working(Number(registry.address.split(":")[1]), true);
  await using client = new RegistryClient({
    proxyEnv: { HTTP_PROXY: proxy.address("me:p%20w@").replace("socks5:", "socks5h:") },
    plainHttp: () => true,
  });
  const [from, to] = [new MemoryContentStore(), new MemoryContentStore()];
  const { descriptor } = await randomImage(scope, from, { layers: 3, layerSize: 300_000 });
  const reference = parseReference("r.example:5000/app:v1");
  await pushImage(scope, { client, reference, store: from, descriptor });
  assert.equal((await pullImage(scope, { client, reference, store: to })).descriptor.digest, descriptor.digest);
  assert.ok(proxy.said.every((name) => name === "r.example:5000"));
});
