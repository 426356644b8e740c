// A registry with users and TLS, from outside.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import { pullImage } from "@teu/distribution/client/pull";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { openAccess } from "@teu/distribution/server/access";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference } from "@teu/image/reference";
import { TestAuthority } from "@teu/testkit/certificates";
import { randomImage } from "@teu/testkit/random-image";
import { rawRequest, rawSocket } from "@teu/testkit/raw-http";
import { type TempRoot, tempRoot } from "@teu/testkit/temp-root";
import { hashSync } from "bcryptjs";

import { exposureWarnings } from "./exposure.ts";
import { Registry } from "./registry.ts";

const scope = createScope();
const authority = new TestAuthority();
const ann = { find: async () => ({ username: "ann", password: "right" }) };

async function usersIn(root: TempRoot): Promise<string> {
  await writeFile(root.join("users"), `ann:${hashSync("right", 4)}\n`);
  return root.join("users");
}

async function tlsIn(root: TempRoot, pair = authority.issue()): Promise<{ cert: string; key: string }> {
  const files = { cert: root.join("cert.pem"), key: root.join("key.pem") };
  await writeFile(files.cert, pair.cert);
  await writeFile(files.key, pair.key);
  return files;
}

test("Registry: with htpasswd every path asks for a login, and the storage is not touched before", async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen({ htpasswd: await usersIn(root) });
  const digest = `sha256:${"0".repeat(64)}`;
  const requests = [
    ["GET", "/v2/"],
    ["GET", "/v2/_catalog"],
    ["GET", "/v2/a/tags/list"],
    ["GET", "/v2/a/manifests/latest"],
    ["PUT", "/v2/a/manifests/latest"],
    ["DELETE", `/v2/a/manifests/${digest}`],
    ["HEAD", `/v2/a/blobs/${digest}`],
    ["DELETE", `/v2/a/blobs/${digest}`],
    ["POST", "/v2/a/blobs/uploads/"],
    ["POST", `/v2/a/blobs/uploads/?mount=${digest}&from=b`],
    ["PATCH", "/v2/a/blobs/uploads/00000000-0000-0000-0000-000000000000"],
    ["GET", `/v2/a/referrers/${digest}`],
  ] as const;
  for (const [method, path] of requests) {
    const answer = await rawRequest(registry.url + path, { method });
    assert.equal(answer.status, 401, `${method} ${path}`);
    assert.equal(answer.headers["www-authenticate"], 'Basic realm="teu registry", charset="UTF-8"');
    if (method !== "HEAD") assert.match(answer.text, /"code":"UNAUTHORIZED"/);
  }
  const known = await rawRequest(`${registry.url}/v2/a/tags/list`, {
    headers: { authorization: `Basic ${Buffer.from("ann:right").toString("base64")}` },
  });
  assert.equal(known.status, 404);
});

test("Registry: TLS and htpasswd together, pushed to and pulled from by our client", async () => {
  await using root = await tempRoot();
  const options = {
    root: root.join("data"),
    htpasswd: await usersIn(root),
    tls: await tlsIn(root),
    anonymousPull: true,
  };
  await using registry = await Registry.listen(options);
  assert.equal(registry.url, `https://${registry.address}`);
  const certificates = async (): Promise<string[]> => [authority.cert];
  const store = new MemoryContentStore();
  const image = await randomImage(scope, store, { layerSize: 2_000_000 });
  const reference = parseReference(`${registry.address}/a:v1`);
  {
    await using nobody = new RegistryClient({ certificates });
    const push = pushImage(scope, { client: nobody, reference, store, descriptor: image.descriptor });
    await assert.rejects(push, {
      code: "denied",
      hint: `log in with \`teu login ${registry.address}\`, and check that the repository exists`,
    });
    await using client = new RegistryClient({ certificates, credentials: ann });
    await pushImage(scope, { client, reference, store, descriptor: image.descriptor });
  }
  await using anybody = new RegistryClient({ certificates });
  const pulled = await pullImage(scope, { client: anybody, reference, store: new MemoryContentStore() });
  assert.equal(pulled.descriptor.digest, image.descriptor.digest);
});

test("Registry: plain HTTP on a TLS port gets no answer that could be one", async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen({ tls: await tlsIn(root) });
  const answer = await rawSocket(registry.address, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.doesNotMatch(answer, /HTTP\/1\.1 200/);
});

const STARTS: readonly { name: string; files(root: TempRoot): Promise<object>; code: string; message: RegExp }[] = [
  {
    name: "a key of another certificate",
    files: async (root) => {
      const { cert } = authority.issue();
      return { tls: await tlsIn(root, { cert, key: authority.issue().key }) };
    },
    code: "invalid",
    message: /does not belong to/,
  },
  {
    name: "a certificate that is none",
    files: async (root) => ({ tls: await tlsIn(root, { ...authority.issue(), cert: "x" }) }),
    code: "invalid",
    message: /cert.pem.*no PEM certificate/,
  },
  {
    name: "a key that is none",
    files: async (root) => ({ tls: await tlsIn(root, { ...authority.issue(), key: "x" }) }),
    code: "invalid",
    message: /key.pem.*no PEM key/,
  },
  {
    name: "a missing certificate",
    files: async (root) => ({ tls: { cert: root.join("none"), key: root.join("none") } }),
    code: "not-found",
    message: /none/,
  },
  {
    name: "passwords in MD5",
    files: async (root) => {
      await writeFile(root.join("users"), "ann:$apr1$x$y");
      return { htpasswd: root.join("users") };
    },
    code: "invalid",
    message: /"ann" is not hashed with bcrypt/,
  },
  {
    name: "two kinds of access",
    files: async (root) => ({ htpasswd: await usersIn(root), access: openAccess }),
    code: "invalid",
    message: /exclude each other/,
  },
];
for (const { name, files, code, message } of STARTS) {
  test(`Registry.listen: does not start with ${name}`, async () => {
    await using root = await tempRoot();
    await assert.rejects(Registry.listen(await files(root)), { code, message });
    await assert.rejects(readFile(root.join("data")), { code: "ENOENT" });
  });
}

test("exposureWarnings: says what a network can do, nothing on loopback", () => {
  for (const address of ["127.0.0.1:5000", "[::1]:5000", "localhost:1"])
    assert.deepEqual(exposureWarnings({ address, authenticated: false, secure: false }), [], address);
  const warnings = (authenticated: boolean, secure: boolean): string =>
    exposureWarnings({ address: "0.0.0.0:5000", authenticated, secure }).join("\n");
  assert.match(warnings(false, false), /push and delete.*--htpasswd[^]*not encrypted: give --tls-cert/);
  assert.match(warnings(true, false), /^what goes to 0.0.0.0:5000 is not encrypted, passwords neither/);
  assert.equal(warnings(true, true), "");
});
