import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import https from "node:https";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { type CertificatePair, TestAuthority } from "@teu/testkit/certificates";
import { tempRoot } from "@teu/testkit/temp-root";

import { certificateDirectories, certificatesIn } from "./certificates.ts";
import { RegistryClient, type RegistryClientOptions } from "./registry-client.ts";

const scope = createScope();
const authority = new TestAuthority();
const credentials = { find: async () => ({ username: "me", password: "secret" }) };
const trusting = (...pem: readonly string[]) => ({ certificates: async () => pem });
// Where a client has no reason to think that it is this machine.
const OUTSIDE = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ internal, family }) => !internal && family === "IPv4")?.address;

interface Listening extends AsyncDisposable {
  readonly address: string;
  /** Authorization headers of the requests that came, by TLS or (without it) in plain. */
  readonly authorizations: (string | undefined)[];
  /** What came without TLS. */
  plain: string;
}

const demandsBasic: RequestListener = (request, response) => {
  const known = request.headers.authorization !== undefined;
  response.writeHead(known ? 200 : 401, known ? {} : { "www-authenticate": 'Basic realm="x"' }).end();
};

// Speaks TLS on a port and notes what comes without it.
async function listen(pair: CertificatePair | null, handler = demandsBasic, host = "127.0.0.1"): Promise<Listening> {
  const authorizations: (string | undefined)[] = [];
  const noting: RequestListener = (request, response) => {
    authorizations.push(request.headers.authorization);
    handler(request, response);
  };
  const inner = pair === null ? createHttpServer(noting) : https.createServer({ ...pair }, noting);
  inner.on("tlsClientError", () => {});
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.once("readable", () => {
      const first = socket.read() as Buffer | null;
      if (first === null) return;
      if (pair !== null && first[0] !== 0x16) {
        listening.plain += first.toString("latin1");
        socket.destroy();
        return;
      }
      socket.unshift(first);
      inner.emit("connection", socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const listening: Listening = {
    address: `${host}:${(server.address() as AddressInfo).port}`,
    authorizations,
    plain: "",
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return listening;
}

async function ping(address: string, options: RegistryClientOptions): Promise<void> {
  await using client = new RegistryClient({ credentials, retry: { attempts: 1 }, ...options });
  await client.ping(scope, address);
}

test("RegistryClient: speaks TLS to who it trusts; the password goes nowhere else", async () => {
  await using server = await listen(authority.issue());
  await ping(server.address, trusting(authority.cert));
  assert.deepEqual(server.authorizations.slice(0, 2), [undefined, "Basic bWU6c2VjcmV0"]);
  assert.match(server.plain, /^GET \/v2\//);
  assert.doesNotMatch(server.plain, /authorization/i);
});

test("RegistryClient: certificates of a host are for that host only, other files do not count", async () => {
  await using root = await tempRoot();
  await using server = await listen(authority.issue());
  await using other = await listen(authority.issue());
  const directory = root.join(server.address);
  await mkdir(directory);
  await writeFile(`${directory}/ca.crt`, authority.cert);
  await writeFile(`${directory}/notes.txt`, "no certificate");
  const options = { certificates: certificatesIn([root.join("missing"), root.path]) };
  await ping(server.address, options);
  await assert.rejects(ping(other.address, options), { code: "denied" });
  assert.deepEqual(await certificatesIn([root.path])(".."), []);
  await writeFile(`${directory}/other.crt`, "no PEM");
  await assert.rejects(
    ping(server.address, options),
    (error) => isTeuError(error, "invalid") && /other.crt/.test(error.message),
  );
});

test("certificateDirectories: one's own before the machine's", () => {
  assert.deepEqual(certificateDirectories({ HOME: "/home/me" }), [
    "/home/me/.config/containers/certs.d",
    "/etc/containers/certs.d",
    "/etc/docker/certs.d",
  ]);
});

test("RegistryClient: insecure hosts are not asked for a certificate that counts", async () => {
  await using server = await listen(authority.issue({ names: ["elsewhere"], to: new Date(Date.now() - 1000) }));
  await ping(server.address, { insecure: (host) => host === server.address });
  await assert.rejects(ping(server.address, { insecure: (host) => host === "another" }), { code: "denied" });
});

const yesterday = new Date(Date.now() - 3_600_000);
const tomorrow = new Date(Date.now() + 3_600_000);
const REFUSED = [
  {
    name: "unknown authority",
    pair: authority.issue(),
    trust: [],
    text: /certificate is not trusted/,
    hint: /certs\.d.*--insecure/,
  },
  {
    name: "another authority",
    pair: authority.issue(),
    trust: [new TestAuthority().cert],
    text: /not trusted/,
    hint: /certs\.d/,
  },
  {
    name: "expired",
    pair: authority.issue({ to: yesterday }),
    trust: [authority.cert],
    text: /has expired/,
    hint: /renew/,
  },
  {
    name: "not valid yet",
    pair: authority.issue({ from: tomorrow }),
    trust: [authority.cert],
    text: /not valid yet/,
    hint: /clock/,
  },
  {
    name: "other name",
    pair: authority.issue({ names: ["a.example"] }),
    trust: [authority.cert],
    text: /another host/,
    hint: /name that/,
  },
];
for (const { name, pair, trust, text, hint } of REFUSED) {
  test(`RegistryClient: refuses a certificate (${name}) and sends nothing`, async () => {
    await using server = await listen(pair);
    await assert.rejects(
      ping(server.address, trusting(...trust)),
      (error) => isTeuError(error, "denied") && text.test(error.message) && hint.test(error.hint ?? ""),
    );
    assert.deepEqual(server.authorizations, []);
    assert.doesNotMatch(server.plain, /authorization/i);
  });
}

test("RegistryClient: no redirect and no token server leads from TLS to plain HTTP", async () => {
  await using plain = await listen(null);
  const answers: Record<string, RequestListener> = {
    redirect: (_, response) => response.writeHead(307, { location: `http://${plain.address}/v2/` }).end(),
    realm: (_, response) =>
      response.writeHead(401, { "www-authenticate": `Bearer realm="http://${plain.address}/token"` }).end(),
  };
  for (const [name, answer] of Object.entries(answers)) {
    await using server = await listen(authority.issue(), answer);
    await assert.rejects(
      ping(server.address, trusting(authority.cert)),
      (error) => isTeuError(error, "denied") && /TLS to plain HTTP/.test(error.message),
      name,
    );
  }
  assert.deepEqual(plain.authorizations, []);
});

const skip = OUTSIDE === undefined ? "this machine has only loopback addresses" : false;

test("RegistryClient: never tries plain HTTP on a host that was not named for it", { skip }, async () => {
  await using plain = await listen(null, demandsBasic, OUTSIDE);
  await assert.rejects(
    ping(plain.address, {}),
    (error) => isTeuError(error, "unavailable") && /no TLS/.test(error.message) && /--insecure/.test(error.hint ?? ""),
  );
  assert.deepEqual(plain.authorizations, []);
  await ping(plain.address, { plainHttp: () => true });
  assert.deepEqual(plain.authorizations, [undefined, "Basic bWU6c2VjcmV0"]);
});

test("RegistryClient: prefers TLS on a host that was named for plain HTTP too", { skip }, async () => {
  await using server = await listen(authority.issue(), demandsBasic, OUTSIDE);
  await ping(server.address, { plainHttp: () => true, insecure: () => true });
  assert.equal(server.plain, "");
  assert.equal(server.authorizations.at(-1), "Basic bWU6c2VjcmV0");
});
