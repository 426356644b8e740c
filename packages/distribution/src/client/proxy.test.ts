import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { TestAuthority } from "@teu/testkit/certificates";
import { HostileRegistry } from "@teu/testkit/hostile-registry";
import https from "node:https";

import { HttpTransport } from "./http-transport.ts";
import { type ProxyEnv, proxyFor } from "./proxy.ts";

const scope = createScope();

// Cases of golang.org/x/net/http/httpproxy, and of what its documentation says.
test("proxyFor: reads the variables as Go does", () => {
  const P = "http://proxy.example:3128";
  const cases: readonly [string, ProxyEnv, string | null][] = [
    ["https://r.example/", {}, null],
    ["https://r.example/", { HTTPS_PROXY: P }, "http://proxy.example:3128/"],
    ["https://r.example/", { https_proxy: P }, "http://proxy.example:3128/"],
    ["https://r.example/", { HTTP_PROXY: P, ALL_PROXY: P }, null],
    ["http://r.example/", { HTTPS_PROXY: P }, null],
    ["http://r.example/", { HTTP_PROXY: "proxy.example:3128" }, "http://proxy.example:3128/"],
    ["http://r.example/", { HTTP_PROXY: "u:p@proxy.example" }, "http://u:p@proxy.example/"],
    ["http://r.example/", { HTTP_PROXY: P, REQUEST_METHOD: "GET" }, null],
    ["https://r.example/", { HTTPS_PROXY: P, REQUEST_METHOD: "GET" }, "http://proxy.example:3128/"],
    ["https://localhost/", { HTTPS_PROXY: P }, null],
    ["https://127.8.0.1/", { HTTPS_PROXY: P }, null],
    ["https://[::1]/", { HTTPS_PROXY: P }, null],
    ["https://r.example/", { HTTPS_PROXY: "socks5://u:p@s.example" }, "socks5://u:p@s.example"],
    ["http://r.example/", { HTTP_PROXY: "socks5h://s.example:9050" }, "socks5h://s.example:9050"],
    // Beside Go's: as Docker's dialer took it.
    ["https://r.example/", { ALL_PROXY: "socks5://s.example" }, "socks5://s.example"],
    ["http://r.example/", { all_proxy: "socks5h://s.example" }, "socks5h://s.example"],
    ["http://r.example/", { HTTP_PROXY: P, ALL_PROXY: "socks5://s.example" }, "http://proxy.example:3128/"],
    [
      "http://r.example/",
      { HTTP_PROXY: P, ALL_PROXY: "socks5://s.example", REQUEST_METHOD: "GET" },
      "socks5://s.example",
    ],
    ["https://r.example/", { ALL_PROXY: P }, null],
    ["https://r.example/", { ALL_PROXY: "socks5://s.example", NO_PROXY: "r.example" }, null],
    ["https://localhost/", { ALL_PROXY: "socks5://s.example" }, null],
  ];
  for (const [url, env, wanted] of cases)
    assert.equal(proxyFor(new URL(url), env)?.href ?? null, wanted, `${url} ${JSON.stringify(env)}`);
});

test("proxyFor: NO_PROXY has domains, addresses, ranges and ports", () => {
  const excepted: readonly [string, string, boolean][] = [
    ["*", "https://r.example/", true],
    ["r.example", "https://r.example/", true],
    ["r.example", "https://R.Example./", true],
    ["r.example", "https://sub.r.example/", true],
    ["r.example", "https://other-r.example/", false],
    [".r.example", "https://sub.r.example/", true],
    [".r.example", "https://r.example/", false],
    ["*.r.example", "https://sub.r.example/", true],
    ["*.r.example", "https://r.example/", false],
    [" a.example , R.EXAMPLE ", "https://r.example/", true],
    ["r.example:443", "https://r.example/", true],
    ["r.example:444", "https://r.example/", false],
    ["r.example:5000", "https://r.example:5000/", true],
    ["10.0.0.0/8", "https://10.1.2.3/", true],
    ["10.0.0.0/8", "https://11.1.2.3/", false],
    ["10.0.0.0/8", "https://r.example/", false],
    ["10.0.0.1", "https://10.0.0.1:5000/", true],
    ["10.0.0.1:5000", "https://10.0.0.1:5000/", true],
    ["10.0.0.1:5000", "https://10.0.0.1/", false],
    ["2001:db8::/32", "https://[2001:db8::5]/", true],
    ["2001:db8::5", "https://[2001:db8::5]/", true],
    ["[2001:db8::5]:5000", "https://[2001:db8::5]:5000/", true],
    ["10.0.0.0/99,,", "https://10.0.0.1/", false],
    ["0.1", "https://10.0.0.1/", false],
    ["", "https://r.example/", false],
  ];
  for (const [exceptions, url, wanted] of excepted) {
    const env = { HTTPS_PROXY: "http://proxy.example", NO_PROXY: exceptions };
    assert.equal(proxyFor(new URL(url), env) === null, wanted, `${exceptions} ${url}`);
  }
});

test("proxyFor: a proxy that cannot be used is named, its password is not shown", () => {
  const url = new URL("https://r.example/");
  assert.throws(
    () => proxyFor(url, { HTTPS_PROXY: "socks4://p:1080" }),
    (error) => isTeuError(error, "unsupported"),
  );
  assert.throws(
    () => proxyFor(url, { HTTPS_PROXY: "http://u:secret@[" }),
    (error) => isTeuError(error, "invalid") && !/secret/.test(String(error)),
  );
});

test("HttpTransport: plain requests go to the proxy whole, TLS goes through it unread", async () => {
  await using registry = await HostileRegistry.listen();
  await using client = new HttpTransport({ proxyEnv: { HTTP_PROXY: `http://me:pw@${registry.address}` } });
  registry.on("GET", "http://r.example/v2/", (response) => void response.writeHead(200).end());
  await using answer = await client.send(scope, { method: "GET", url: new URL("http://r.example/v2/"), headers: {} });
  assert.equal(answer.status, 200);
  assert.equal(registry.requests[0]?.headers.host, "r.example");
  assert.equal(
    registry.requests[0]?.headers["proxy-authorization"],
    `Basic ${Buffer.from("me:pw").toString("base64")}`,
  );

  const authority = new TestAuthority();
  const seen: (string | undefined)[] = [];
  const secure = https.createServer({ ...authority.issue({ names: ["r.example"] }) }, (request, response) => {
    seen.push(request.headers.authorization, request.headers["proxy-authorization"]);
    response.end();
  });
  await once(secure.listen(0, "127.0.0.1"), "listening");
  const proxy = createServer();
  const tunnels: string[] = [];
  proxy.on("connect", (request, socket) => {
    tunnels.push(`${request.url} ${request.headers.authorization ?? ""}`);
    const inner = connect((secure.address() as AddressInfo).port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      inner.pipe(socket).pipe(inner);
    });
    for (const one of [inner, socket]) one.on("error", () => {});
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  try {
    await using through = new HttpTransport({
      proxyEnv: { HTTPS_PROXY: `127.0.0.1:${(proxy.address() as AddressInfo).port}` },
      certificates: async () => [authority.cert],
    });
    const headers = { authorization: "Bearer x" };
    await using _ = await through.send(scope, { method: "GET", url: new URL("https://r.example/v2/"), headers });
    assert.deepEqual(tunnels, ["r.example:443 "]);
    assert.deepEqual(seen, ["Bearer x", undefined]);
  } finally {
    for (const server of [secure, proxy]) {
      server.closeAllConnections();
      server.close();
    }
  }
});
