// Client certificates: shown to the host that they are for, and to nobody else (registry.md scenario 23).

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { TestAuthority } from "@teu/testkit/certificates";
import { tempRoot } from "@teu/testkit/temp-root";

import { certificatesIn, clientCertificatesIn } from "./certificates.ts";
import { endpointsIn } from "./hosts-toml.ts";
import { RegistryClient, type RegistryClientOptions } from "./registry-client.ts";

const scope = createScope();
const authority = new TestAuthority();

interface Listening extends AsyncDisposable {
  readonly address: string;
  /** Who called, request by request; "" for nobody. */
  readonly callers: string[];
}

async function listen(handler: RequestListener = (_, response) => response.end()): Promise<Listening> {
  const callers: string[] = [];
  const options = { ...authority.issue(), requestCert: true, rejectUnauthorized: false, ca: authority.cert };
  const server = https.createServer(options, (request, response) => {
    callers.push((request.socket as TLSSocket).getPeerCertificate().subjectaltname ?? "");
    handler(request, response);
  });
  // What comes without TLS is a look whether there is any.
  server.on("tlsClientError", () => {});
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    callers,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function ping(address: string, options: RegistryClientOptions): Promise<void> {
  await using client = new RegistryClient({
    certificates: async () => [authority.cert],
    retry: { attempts: 1 },
    ...options,
  });
  await client.ping(scope, address);
}

test("RegistryClient: shows the certificate of certs.d to its host, not to where that redirects or gets tokens", async () => {
  await using root = await tempRoot();
  await using other = await listen((_, response) => response.end('{"token":"t"}'));
  await using server = await listen((request, response) => {
    if (request.headers.authorization !== undefined)
      response.writeHead(307, { location: `https://${other.address}/` }).end();
    else response.writeHead(401, { "www-authenticate": `Bearer realm="https://${other.address}/token"` }).end();
  });
  const pair = authority.issue({ names: ["me"] });
  await mkdir(root.join(server.address));
  await writeFile(root.join(`${server.address}/client.cert`), pair.cert);
  await writeFile(root.join(`${server.address}/client.key`), pair.key);
  await ping(server.address, { clientCertificates: clientCertificatesIn([root.path]) });
  assert.deepEqual(server.callers, ["DNS:me", "DNS:me"]);
  assert.deepEqual(other.callers, ["", ""]);
  await ping(other.address, { clientCertificates: clientCertificatesIn([root.path]) });
  assert.deepEqual(other.callers, ["", "", ""]);
});

test("RegistryClient: authority and certificate of hosts.toml are for that endpoint only", async () => {
  await using root = await tempRoot();
  await using server = await listen();
  const pair = authority.issue({ names: ["me"] });
  await writeFile(root.join("ca.pem"), authority.cert);
  await writeFile(root.join("me.pem"), pair.cert + pair.key);
  await mkdir(root.join("r.example"));
  const directory = endpointsIn([root.path]);
  const known = { certificates: async () => [], endpoints: directory };
  await writeFile(
    root.join("r.example/hosts.toml"),
    `server = "https://${server.address}"\nca = "../ca.pem"\nclient = "../me.pem"`,
  );
  await ping("r.example", known);
  assert.deepEqual(server.callers, ["DNS:me"]);
  await assert.rejects(ping(server.address, known), (error) => isTeuError(error, "denied"));
  await writeFile(root.join("r.example/hosts.toml"), `server = "https://${server.address}"\nskip_verify = true`);
  await ping("r.example", known);
  await writeFile(root.join("r.example/hosts.toml"), `server = "https://${server.address}"`);
  await assert.rejects(ping("r.example", known), (error) => isTeuError(error, "denied"));
  assert.deepEqual(server.callers, ["DNS:me", ""]);
});

test("clientCertificatesIn: pairs must be whole, fit, and be readable; the key is not shown", async () => {
  await using root = await tempRoot();
  const pair = authority.issue();
  await mkdir(root.join("h"));
  const refused = async (files: Readonly<Record<string, string>>, wanted: RegExp): Promise<void> => {
    await using place = await tempRoot();
    await mkdir(place.join("h"));
    for (const [name, text] of Object.entries(files)) await writeFile(place.join(`h/${name}`), text);
    await assert.rejects(
      clientCertificatesIn([place.path])("h"),
      (error) => isTeuError(error, "invalid") && wanted.test(error.message) && !String(error).includes("PRIVATE"),
    );
  };
  await refused({ "a.cert": pair.cert }, /a\.key is missing/);
  await refused({ "a.key": pair.key }, /a\.cert is missing/);
  await refused({ "a.cert": pair.cert, "a.key": authority.issue().key }, /not the key of/);
  await refused({ "a.cert": pair.cert, "a.key": "PRIVATE nonsense" }, /no private key/);
  await refused({ "a.cert": "x", "a.key": pair.key }, /no certificate/);
  assert.deepEqual(await clientCertificatesIn([root.path])("h"), []);
  assert.deepEqual(await clientCertificatesIn([root.path])(".."), []);
  assert.deepEqual(await certificatesIn([root.path])("h"), []);
});
