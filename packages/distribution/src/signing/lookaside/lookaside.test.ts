// Lookaside signatures as they are found: which addresses are asked, when a list ends, and what a server cannot do to us.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { type Digest, parseDigest } from "@teu/image/digest";
import { parseReference } from "@teu/image/reference";
import { cutAfter, endless, redirect, reply, silence } from "@teu/testkit/hostile-answers";
import { HostileRegistry } from "@teu/testkit/hostile-registry";
import { tempRoot, type TempRoot } from "@teu/testkit/temp-root";

import { RegistryClient } from "../../client/registry-client.ts";
import { findGpgSignatures } from "../find-gpg-signatures.ts";
import { LARGEST_GPG_SIGNATURE } from "../gpg/limits.ts";
import { registryPlace } from "../signature-place.ts";

const HEX = "a".repeat(64);
const DIGEST = parseDigest(`sha256:${HEX}`);
const scope = createScope();

/** What is found for a reference when registries.d has this; texts of signatures, codes of what cannot be read. */
async function found(
  root: TempRoot,
  yaml: string,
  name: string = "registry.example/team/app:v1",
  digest: Digest = DIGEST,
): Promise<readonly string[]> {
  await mkdir(root.join("d"), { recursive: true });
  await writeFile(root.join("d/test.yaml"), yaml);
  await using client = new RegistryClient({ idleTimeout: 300, retry: { attempts: 2, delay: 1 } });
  const files = { directories: [root.join("d")], fallback: root.join("fallback") };
  const place = registryPlace(client, parseReference(name), files);
  const signatures = await findGpgSignatures(scope, place, digest);
  return signatures.map((one) => (one.format === "gpg" ? Buffer.from(one.bytes).toString() : one.fault.code));
}

async function refused(code: ErrorCode, reason: RegExp, attempt: Promise<unknown>): Promise<void> {
  await assert.rejects(attempt, (error) => isTeuError(error, code) && reason.test(error.message));
}

async function put(file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
  await writeFile(file, content);
}

test("lookaside: files of a directory, one after the other until there is none", async () => {
  await using root = await tempRoot();
  const yaml = `default-docker:\n  lookaside: file://${root.join("sigs")}\n`;
  assert.deepEqual(await found(root, yaml), []);
  const directory = root.join(`sigs/team/app@sha256=${HEX}`);
  await put(`${directory}/signature-1`, "one");
  await put(`${directory}/signature-2`, "two");
  await put(`${directory}/signature-4`, "behind a gap");
  await put(root.join(`fallback/team/app@sha256=${HEX}/signature-1`), "of the fallback");
  assert.deepEqual(await found(root, yaml), ["one", "two"]);
  assert.deepEqual(await found(root, yaml, "other.example/team/app"), ["one", "two"]);
  assert.deepEqual(await found(root, yaml, "registry.example/team/apps"), []);
  assert.deepEqual(await found(root, yaml, undefined, parseDigest(`sha256:${"b".repeat(64)}`)), []);
  assert.deepEqual(await found(root, ""), ["of the fallback"]);
  assert.deepEqual(await found(root, "docker:\n  registry.example:\n"), ["of the fallback"]);
  const scopes = `docker:\n  registry.example/team:\n    sigstore: file://${root.join("none")}\n`;
  assert.deepEqual(await found(root, yaml + scopes), []);
  assert.deepEqual(await found(root, yaml + scopes, "other.example/team/app"), ["one", "two"]);
  // Sigstore's, which registries keep.
  await put(`${directory}/signature-3`, '\0sigstore-json\n{"mimeType":"x"}');
  assert.deepEqual(await found(root, yaml), ["one", "two", "behind a gap"]);
});

test("lookaside: what is too large does not count and hides nothing; what is no file is an error", async () => {
  await using root = await tempRoot();
  const yaml = `default-docker:\n  lookaside: file://${root.join("sigs")}/\n`;
  const directory = root.join(`sigs/team/app@sha256=${HEX}`);
  await put(`${directory}/signature-1`, Buffer.alloc(LARGEST_GPG_SIGNATURE + 1));
  await put(`${directory}/signature-2`, "two");
  assert.deepEqual(await found(root, yaml), ["exhausted", "two"]);
  for (let number = 3; number <= 100; number++) await put(`${directory}/signature-${number}`, "more");
  assert.equal((await found(root, yaml)).length, 100);
  await put(`${directory}/signature-101`, "one too many");
  await refused("exhausted", /more than 100 signatures/, found(root, yaml));
  await mkdir(root.join(`fallback/team/app@sha256=${HEX}/signature-1`), { recursive: true });
  await refused("invalid", /not a regular file/, found(root, ""));
  // One that waits for a writer.
  execFileSync("mkfifo", [root.join(`fallback/team/app@sha256=${HEX}/signature-2`)]);
  const first = root.join(`fallback/team/app@sha256=${HEX}/signature-1`);
  await rm(first, { recursive: true });
  await writeFile(first, "one");
  await refused("invalid", /not a regular file/, found(root, ""));
});

test("lookaside: a web server, asked without credentials", async () => {
  await using root = await tempRoot();
  await using server = await HostileRegistry.listen();
  const path = `/base/team/app@sha256=${HEX}/signature-`;
  server.on("GET", `${path}1`, reply(200, {}, "one"));
  server.on("GET", `${path}2`, redirect("/elsewhere"));
  server.on("GET", "/elsewhere", reply(200, {}, "two"));
  for (const base of ["base", "base/"])
    assert.deepEqual(await found(root, `default-docker:\n  lookaside: ${server.url}/${base}\n`), ["one", "two"]);
  const asked = server.seen("GET").map((request) => request.path);
  assert.deepEqual(asked.slice(0, 4), [`${path}1`, `${path}2`, "/elsewhere", `${path}3`]);
  assert.ok(server.requests.every(({ headers }) => headers.authorization === undefined));
  server.on("GET", /^\/team\/app@/, reply(200, {}, "at the root"), 1);
  assert.deepEqual(await found(root, `default-docker:\n  lookaside: ${server.url}\n`), ["at the root"]);
});

test("lookaside: a server that cannot be asked is an error, not an image without signatures", async () => {
  await using root = await tempRoot();
  await using server = await HostileRegistry.listen();
  const yaml = `default-docker:\n  lookaside: ${server.url}\n`;
  const first = /signature-1$/;
  for (const status of [401, 403, 410, 500, 503]) {
    server.on("GET", first, reply(status));
    await refused("unavailable", new RegExp(`signature-1.*answered ${status}`), found(root, yaml));
  }
  server.on("GET", first, silence);
  await refused("timeout", /./, found(root, yaml));
  server.on("GET", first, cutAfter(Buffer.alloc(100), 10));
  await refused("unavailable", /./, found(root, yaml));
  // What passes is tried again.
  server.on("GET", first, reply(200, {}, "one")).on("GET", first, reply(503), 1);
  assert.deepEqual(await found(root, yaml), ["one"]);
  const address = server.address;
  await server[Symbol.asyncDispose]();
  await refused(
    "unavailable",
    /cannot fetch ".*signature-1": connection refused/,
    found(root, `default-docker:\n  lookaside: http://${address}\n`),
  );
});

test("lookaside: bodies, lists and redirects without end", async () => {
  await using root = await tempRoot();
  await using server = await HostileRegistry.listen();
  const yaml = `default-docker:\n  lookaside: ${server.url}\n`;
  const sent = { bytes: 0 };
  server.on("GET", /signature-1$/, endless(200, {}, sent)).on("GET", /signature-2$/, reply(200, {}, "two"));
  assert.deepEqual(await found(root, yaml), ["exhausted", "two"]);
  assert.ok(sent.bytes < 20 << 20, `${sent.bytes} bytes were sent`);
  server.on("GET", /./, reply(200, {}, "again"));
  await refused("exhausted", /more than 100 signatures/, found(root, yaml));
  assert.ok(server.seen("GET").length < 110);
  server.on("GET", /./, redirect("/round"));
  await refused("denied", /more than 10 redirects/, found(root, yaml));
  for (const [target, reason] of [
    ["file:///etc/passwd", /no HTTP address/],
    ["http://169.254.169.254/latest", /link-local/],
  ] as const) {
    server.on("GET", /./, redirect(target));
    await refused("denied", reason, found(root, yaml));
  }
});

test("lookaside: a file that is wrong is an error, and so is an address", async () => {
  await using root = await tempRoot();
  await refused("invalid", /test\.yaml: /, found(root, "docker: ["));
  await refused("invalid", /lookaside address "\/srv"/, found(root, "default-docker:\n  lookaside: /srv\n"));
  await refused("invalid", /lookaside address/, found(root, "default-docker:\n  lookaside: ftp://host\n"));
});

test("lookaside: no name of a repository leads out of the directory", async () => {
  await using root = await tempRoot();
  await using client = new RegistryClient();
  const files = { directories: [], fallback: root.join("sigs") };
  for (const repository of ["..", "../a", "a/../../b", "a/./b", "a//b", "/a", ""]) {
    const place = registryPlace(client, { domain: "registry.example", repository, tag: "v1" }, files);
    await refused("invalid", /is no repository/, place.kept(scope, DIGEST, 1, 1000));
  }
});
