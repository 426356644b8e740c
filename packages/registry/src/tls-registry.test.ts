// Certificates that are exchanged while the registry serves, client certificates, versions of TLS.

import assert from "node:assert/strict";
import { request } from "node:https";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { type CertificatePair, TestAuthority } from "@teu/testkit/certificates";
import { tempRoot, type TempRoot } from "@teu/testkit/temp-root";

import { Registry } from "./registry.ts";
import type { TlsFiles } from "./tls-files.ts";

async function files(root: TempRoot, pair: CertificatePair): Promise<TlsFiles> {
  const names = { cert: root.join("cert.pem"), key: root.join("key.pem") };
  await writeFile(names.cert, pair.cert);
  await writeFile(names.key, pair.key);
  return names;
}

function connected(registry: Registry, options: ConnectionOptions): Promise<TLSSocket> {
  const [host = "", port] = registry.address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), ...options }, () => resolve(socket));
    socket.once("error", reject);
  });
}

async function serial(registry: Registry, authority: TestAuthority): Promise<string> {
  const socket = await connected(registry, { ca: authority.cert });
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

function status(registry: Registry, path: string, options: ConnectionOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(registry.url + path, { ...options, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    outgoing.once("error", reject);
    outgoing.end();
  });
}

test("Registry: takes a renewed certificate without a restart, and keeps the old one while the files do not fit", async () => {
  await using root = await tempRoot();
  const authority = new TestAuthority();
  const tls = await files(root, authority.issue());
  await using registry = await Registry.listen({ tls });
  const first = await serial(registry, authority);
  const next = authority.issue();
  await writeFile(tls.cert, next.cert);
  await registry.reloadCertificates();
  assert.equal(await serial(registry, authority), first, "only half is there");
  await writeFile(tls.key, next.key);
  await registry.reloadCertificates();
  const second = await serial(registry, authority);
  assert.notEqual(second, first);
  await files(root, authority.issue());
  assert.deepEqual(await registry.reconfigure({ tls: { ...tls } }), []);
  assert.notEqual(await serial(registry, authority), second);
  await assert.rejects(registry.reconfigure({ tls: { ...tls, cert: root.join("none.pem") } }), { code: "not-found" });
  assert.deepEqual(await registry.reconfigure({ address: "127.0.0.1:1" }), ["address", "tls"]);
});

test("Registry: a client certificate says who somebody is; one of strangers does not", async () => {
  await using root = await tempRoot();
  const [authority, people, strangers] = [
    new TestAuthority(),
    new TestAuthority("people"),
    new TestAuthority("others"),
  ];
  await writeFile(root.join("people.pem"), people.cert);
  const tls = { ...(await files(root, authority.issue())), clientCa: root.join("people.pem") };
  // The common name that certificates of the test authority have.
  const rules = [{ repositories: ["**"], anonymous: [], users: { "test server": ["read" as const] } }];
  await using registry = await Registry.listen({ tls, rules });
  const ca = authority.cert;
  assert.equal(await status(registry, "/v2/a/tags/list", { ca }), 401);
  assert.equal(await status(registry, "/v2/a/tags/list", { ca, ...people.issue() }), 404);
  assert.equal(await status(registry, "/v2/a/tags/list", { ca, ...strangers.issue() }), 401);
  await using strict = await Registry.listen({ tls: { ...tls, clientCertificates: "required" }, rules });
  await assert.rejects(status(strict, "/v2/", { ca }));
  assert.equal(await status(strict, "/v2/", { ca, ...people.issue() }), 200);
});

test("Registry: no version of TLS older than told", async () => {
  await using root = await tempRoot();
  const authority = new TestAuthority();
  const tls = await files(root, authority.issue());
  await using registry = await Registry.listen({ tls: { ...tls, minVersion: "TLSv1.3" } });
  await assert.rejects(connected(registry, { ca: authority.cert, maxVersion: "TLSv1.2" }));
  const socket = await connected(registry, { ca: authority.cert });
  assert.equal(socket.getProtocol(), "TLSv1.3");
  socket.destroy();
});
