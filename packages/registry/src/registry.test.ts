import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import type { AccessControl } from "@teu/distribution/server/access";
import { digestOf } from "@teu/image/digest";
import { withoutFdLeak } from "@teu/testkit/fd-leak";
import { rawRequest, rawSocket } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

import { parseListenAddress } from "./listen-address.ts";
import { Registry } from "./registry.ts";

test("parseListenAddress: takes what one types", () => {
  assert.deepEqual(parseListenAddress("127.0.0.1:5000"), { host: "127.0.0.1", port: 5000 });
  assert.deepEqual(parseListenAddress(":0"), { host: "0.0.0.0", port: 0 });
  assert.deepEqual(parseListenAddress("[::1]:80"), { host: "::1", port: 80 });
  for (const text of ["", "5000", "host", "host:", "host:99999", "a b:1", "http://x:1"]) {
    assert.throws(
      () => parseListenAddress(text),
      (error) => isTeuError(error, "invalid"),
      text,
    );
  }
});

test("Registry.listen: says what is wrong with port and root", async () => {
  await using root = await tempRoot();
  await using first = await Registry.listen({});
  await assert.rejects(
    Registry.listen({ address: first.address }),
    (error) => isTeuError(error, "already-exists") && /another program/.test(error.message) && error.hint !== undefined,
  );
  await writeFile(root.join("file"), "");
  await assert.rejects(
    Registry.listen({ root: root.join("file") }),
    (error) => isTeuError(error) && error.message.includes("file"),
  );
  // Where the kernel allows no new names, node's own recursive mkdir never returns.
  await assert.rejects(Registry.listen({ root: "/proc/nowhere" }), (error) => isTeuError(error));
  await assert.rejects(Registry.listen({ root: "" }), (error) => isTeuError(error, "invalid"));
  await mkdir(root.join("locked"));
  await chmod(root.join("locked"), 0o500);
  if (process.getuid?.() !== 0)
    await assert.rejects(Registry.listen({ root: root.join("locked") }), (error) => isTeuError(error, "denied"));
});

test("Registry: keeps everything over a restart, uploads included", async () => {
  await using root = await tempRoot();
  const options = { root: root.join("data") };
  let path = "";
  {
    await using registry = await Registry.listen(options);
    await rawRequest(`${registry.url}/v2/a/blobs/uploads/?digest=${digestOf("whole")}`, {
      method: "POST",
      body: "whole",
    });
    const start = await rawRequest(`${registry.url}/v2/a/blobs/uploads/`, { method: "POST" });
    path = start.headers.location ?? "";
    await rawRequest(registry.url + path, { method: "PATCH", body: "first " });
  }
  await using registry = await Registry.listen(options);
  assert.equal((await rawRequest(`${registry.url}/v2/a/blobs/${digestOf("whole")}`)).text, "whole");
  assert.equal((await rawRequest(registry.url + path)).headers.range, "0-5");
  const end = await rawRequest(`${registry.url}${path}?digest=${digestOf("first second")}`, {
    method: "PUT",
    body: "second",
  });
  assert.equal(end.status, 201);
  assert.deepEqual(await readdir(root.join("data", "uploads")), []);
});

test("Registry: closing lets a request end, and leaves no descriptor open", async () => {
  await using root = await tempRoot();
  await withoutFdLeak(async () => {
    const registry = await Registry.listen({ root: root.path });
    const socket = connect(Number(registry.address.split(":")[1]), "127.0.0.1");
    socket.write(
      `POST /v2/a/blobs/uploads/?digest=${digestOf("slow")} HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nsl`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closing = registry[Symbol.asyncDispose]();
    let answer = "";
    socket.setEncoding("latin1").on("data", (chunk) => (answer += chunk));
    socket.write("ow");
    await once(socket, "close");
    await closing;
    assert.match(answer, /^HTTP\/1.1 201 /);
  });
});

test("Registry: a client that goes away in the middle of an upload can go on", async () => {
  await using registry = await Registry.listen({});
  const start = await rawRequest(`${registry.url}/v2/a/blobs/uploads/`, { method: "POST" });
  const path = start.headers.location ?? "";
  const socket = connect(Number(registry.address.split(":")[1]), "127.0.0.1");
  socket.write(`PATCH ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  const status = await rawRequest(registry.url + path);
  assert.deepEqual([status.status, status.headers.range], [204, "0-3"]);
  const end = await rawRequest(`${registry.url}${path}?digest=${digestOf("half and half")}`, {
    method: "PUT",
    body: " and half",
  });
  assert.equal(end.status, 201);
});

test("Registry: a single POST that breaks leaves no upload behind", async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen({ root: root.path });
  const socket = connect(Number(registry.address.split(":")[1]), "127.0.0.1");
  socket.write(
    `POST /v2/a/blobs/uploads/?digest=${digestOf("x")} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf`,
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  for (let tries = 0; tries < 40 && (await readdir(root.join("uploads"))).length > 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 25));
  assert.deepEqual(await readdir(root.join("uploads")), []);
});

test("Registry: bodies that drip are cut off (scenario 15)", async () => {
  await using registry = await Registry.listen({ limits: { bodyWindow: 100, bodyRate: 1000 } });
  const digest = digestOf("x".repeat(100));
  for (const request of ["PUT /v2/a/manifests/t", `POST /v2/a/blobs/uploads/?digest=${digest}`]) {
    const head = `${request} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`;
    // Who is not cut off waits for ten minutes here, and no machine is that slow.
    const began = Date.now();
    await rawSocket(registry.address, head, 600_000);
    assert.ok(Date.now() - began < 300_000, request);
  }
});

test("Registry: requests with two lengths or broken heads are refused (scenario 30)", async () => {
  await using registry = await Registry.listen({});
  const cases = [
    "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v2/ HTTP/1.1\r\nhost: x\r\n\r\n",
    "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd",
    "GET /v2/ HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n",
    `GET /v2/ HTTP/1.1\r\nhost: x\r\nx: ${"a".repeat(40_000)}\r\n\r\n`,
    "GET /v2/ HTTP/1.1\r\n\r\n",
  ];
  for (const text of cases)
    assert.match(await rawSocket(registry.address, text, 1000), /^HTTP\/1\.1 4\d\d /, text.slice(0, 60));
  assert.equal((await rawRequest(`${registry.url}/v2/`)).status, 200);
});

test("Registry: nothing of a request gets into headers as a line of its own (scenario 30)", async () => {
  await using registry = await Registry.listen({});
  const evil = encodeURIComponent('x"\r\nevil: 1\r\n<');
  for (const path of [
    `/v2/a/tags/list?n=1&last=${evil}`,
    `/v2/_catalog?last=${evil}`,
    `/v2/a/referrers/${digestOf("x")}?artifactType=${evil}`,
    `/v2/a/manifests/${evil}`,
    `/v2/${evil}/manifests/x`,
  ]) {
    assert.doesNotMatch(
      await rawSocket(registry.address, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`),
      /^evil:/im,
      path,
    );
  }
  // A Host header that lies gets into no Location.
  const answer = await rawSocket(
    registry.address,
    "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nhost: evil.example\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
  );
  assert.doesNotMatch(answer, /evil\.example/);
});

test("Registry: access is decided before anything is touched (scenarios 14, 22)", async () => {
  const allowed: Record<string, readonly string[]> = {
    public: ["pull", "push", "delete", "catalog"],
    "": ["any", "catalog"],
  };
  const access: AccessControl = {
    decide: (_scope, { headers }, { action, repository }) =>
      headers.authorization === "Basic admin" || allowed[repository]?.includes(action) === true
        ? { allowed: true, identity: { name: null } }
        : { allowed: false, ...(headers.authorization === undefined ? { challenge: 'Basic realm="r"' } : {}) },
  };
  await using registry = await Registry.listen({ access });
  const { url } = registry;
  const admin = { authorization: "Basic admin" };
  const digest = digestOf("private");
  assert.equal(
    (
      await rawRequest(`${url}/v2/private/blobs/uploads/?digest=${digest}`, {
        method: "POST",
        body: "private",
        headers: admin,
      })
    ).status,
    201,
  );
  const refused = await rawRequest(`${url}/v2/private/blobs/${digest}`);
  assert.deepEqual([refused.status, refused.headers["www-authenticate"]], [401, 'Basic realm="r"']);
  // What exists and what does not look the same from outside.
  assert.equal((await rawRequest(`${url}/v2/private/blobs/${digestOf("nothing")}`)).status, 401);
  assert.equal((await rawRequest(`${url}/v2/nowhere/blobs/${digest}`)).status, 401);
  assert.equal(
    (await rawRequest(`${url}/v2/private/blobs/${digest}`, { headers: { authorization: "Basic other" } })).status,
    403,
  );
  // Neither a named nor an anonymous mount gets at it, and both answer as if there were nothing.
  for (const query of [
    `mount=${digest}&from=private`,
    `mount=${digest}`,
    `mount=${digestOf("nothing")}&from=private`,
  ]) {
    assert.equal((await rawRequest(`${url}/v2/public/blobs/uploads/?${query}`, { method: "POST" })).status, 202, query);
  }
  assert.equal(
    (await rawRequest(`${url}/v2/public/blobs/uploads/?mount=${digest}`, { method: "POST", headers: admin })).status,
    201,
  );
  const config = "{}";
  const manifest = JSON.stringify({
    schemaVersion: 2,
    layers: [],
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(config), size: 2 },
  });
  for (const name of ["private", "public", "quiet"]) {
    await rawRequest(`${url}/v2/${name}/blobs/uploads/?digest=${digestOf(config)}`, {
      method: "POST",
      body: config,
      headers: admin,
    });
    const put = await rawRequest(`${url}/v2/${name}/manifests/t`, {
      method: "PUT",
      body: manifest,
      headers: { ...admin, "content-type": "application/vnd.oci.image.manifest.v1+json" },
    });
    assert.equal(put.status, 201);
  }
  assert.deepEqual((await rawRequest(`${url}/v2/_catalog`)).json(), { repositories: ["public"] });
  assert.deepEqual((await rawRequest(`${url}/v2/_catalog?n=2`, { headers: admin })).json(), {
    repositories: ["private", "public"],
  });
});

const NOTHING = { uploads: 0, marked: 0, manifests: 0, links: 0, blobs: 0, bytes: 0, changes: 0 };

test("Registry.listen: a directory that is served already is refused", async () => {
  await using root = await tempRoot();
  {
    await using first = await Registry.listen({ root: root.path });
    await assert.rejects(
      Registry.listen({ root: root.path }),
      (error) => isTeuError(error, "conflict") && /another registry is serving/.test(error.message),
    );
    assert.equal((await rawRequest(`${first.url}/v2/`)).status, 200);
  }
  await using again = await Registry.listen({ root: root.path });
  assert.equal((await rawRequest(`${again.url}/v2/`)).status, 200);
});

test("Registry.sweep: frees what nothing refers to, and only that", async () => {
  await using root = await tempRoot();
  const clock = { now: Date.now() };
  const scope = createScope({ now: () => clock.now });
  await using registry = await Registry.listen({
    root: root.path,
    scope,
    grace: 3_600_000,
    uploadExpiry: 3_600_000,
    elapsed: () => clock.now,
  });
  const { url } = registry;
  const push = (name: string, text: string): Promise<unknown> =>
    rawRequest(`${url}/v2/${name}/blobs/uploads/?digest=${digestOf(text)}`, { method: "POST", body: text });
  await push("a", "{}");
  await push("a", "orphan");
  await push("b", "shared orphan");
  await push("a", "shared orphan");
  await rawRequest(`${url}/v2/a/blobs/uploads/`, { method: "POST" });
  const body = JSON.stringify({
    schemaVersion: 2,
    layers: [],
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 },
  });
  await rawRequest(`${url}/v2/a/manifests/t`, {
    method: "PUT",
    body,
    headers: { "content-type": "application/vnd.oci.image.manifest.v1+json" },
  });
  assert.deepEqual(await registry.sweep(), { ...NOTHING });
  await writeFile(root.join("blobs", "sha256", "0".repeat(64)), "left by a crash");
  await writeFile(root.join("uploads", "left-by-a-crash"), "too");
  clock.now += 3_600_001;
  assert.deepEqual(await registry.sweep({ strays: true }), { ...NOTHING, uploads: 1, links: 3, blobs: 3, bytes: 34 });
  assert.deepEqual(await registry.sweep(), NOTHING);
  for (const name of ["trash", "uploads"]) assert.deepEqual(await readdir(root.join(name)), [], name);
  assert.deepEqual(await readdir(root.join("blobs", "sha256")), [digestOf("{}").slice(7)]);
  assert.equal((await rawRequest(`${url}/v2/a/blobs/${digestOf("{}")}`)).status, 200);
  assert.equal((await rawRequest(`${url}/v2/a/blobs/${digestOf("orphan")}`)).status, 404);
});

test("Registry: a clock that jumps makes nothing old, and keeps nothing for ever", async () => {
  await using root = await tempRoot();
  const clock = { wall: Date.now(), passed: 0 };
  const [hour, year] = [3_600_000, 365 * 86_400_000];
  await using registry = await Registry.listen({
    root: root.path,
    scope: createScope({ now: () => clock.wall }),
    grace: hour,
    uploadExpiry: hour,
    elapsed: () => clock.passed,
  });
  const { url } = registry;
  const blob = (text: string): string => `${url}/v2/a/blobs/${digestOf(text)}`;
  const push = async (text: string): Promise<string> => {
    await rawRequest(`${url}/v2/a/blobs/uploads/?digest=${digestOf(text)}`, { method: "POST", body: text });
    return String((await rawRequest(`${url}/v2/a/blobs/uploads/`, { method: "POST" })).headers.location);
  };
  const upload = await push("before");
  clock.wall += year;
  assert.deepEqual(await registry.sweep(), NOTHING, "a jump forward makes nothing a year older");
  assert.equal((await rawRequest(url + upload)).status, 204);
  await push("in the future");
  clock.wall -= year;
  assert.deepEqual(await registry.sweep(), NOTHING, "nor does one back");
  assert.equal((await rawRequest(blob("before"), { method: "HEAD" })).status, 200);
  assert.equal((await rawRequest(url + upload)).status, 204);
  clock.wall += hour + 1;
  clock.passed += hour + 1;
  const { uploads, links, blobs } = await registry.sweep();
  assert.deepEqual([uploads, links, blobs], [2, 2, 2], "an hour later all of it is an hour old");
});

test("Registry: many clients pushing the same and different content at once lose nothing", async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen({ root: root.path });
  await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const text = `content ${i % 10}`;
      const answer = await rawRequest(`${registry.url}/v2/r${i % 3}/blobs/uploads/?digest=${digestOf(text)}`, {
        method: "POST",
        body: text,
      });
      assert.equal(answer.status, 201);
      assert.equal((await rawRequest(`${registry.url}/v2/r${i % 3}/blobs/${digestOf(text)}`)).text, text);
    }),
  );
  assert.equal((await readdir(root.join("blobs", "sha256"))).length, 10);
  assert.deepEqual(await readdir(root.join("uploads")), []);
});
