// Uploads against registries that refuse, break and lie, and against an honest one.

import assert from "node:assert/strict";
import { readdir, stat, utimes, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { isTeuError, TeuError } from "@teu/base/errors";
import { createScope, type Scope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { parseReference, type Reference } from "@teu/image/reference";
import { Registry } from "@teu/registry/registry";
import { hangUpAfter, refuse, reply, silence } from "@teu/testkit/hostile-answers";
import { type Answer, HostileRegistry } from "@teu/testkit/hostile-registry";

import { tempRoot } from "@teu/testkit/temp-root";

import { DEFAULT_SETTINGS } from "./endpoint.ts";
import { RegistryClient } from "./registry-client.ts";
import type { BlobSource } from "./upload-body.ts";
import { DiskUploadJournal } from "./upload-journal.ts";

const scope = createScope();
const CONTENT = Buffer.alloc(100_000, "0123456789");
const BLOB = { digest: digestOf(CONTENT), size: CONTENT.length };
const UPLOADS = "/v2/a/b/blobs/uploads/";
const CREATED = `/v2/a/b/blobs/uploads/1?state=${encodeURIComponent("a+b/c=")}`;

const source: BlobSource = async function* (offset) {
  for (let at = offset; at < CONTENT.length; at += 30_000)
    yield CONTENT.subarray(at, Math.min(at + 30_000, CONTENT.length));
};

function check(
  title: string,
  body: (registry: HostileRegistry, client: RegistryClient, reference: Reference) => Promise<void>,
): void {
  test(`pushBlob: ${title}`, async () => {
    await using registry = await HostileRegistry.listen();
    await using client = new RegistryClient({ retry: { delay: 1, longest: 100 } });
    registry.on("POST", UPLOADS, reply(202, { location: CREATED }));
    await body(registry, client, parseReference(`${registry.address}/a/b:t`));
  });
}

test("pushBlob: present, mounted and uploaded against an honest registry", async () => {
  await using registry = await Registry.listen();
  await using client = new RegistryClient();
  const [one, two] = ["one", "two"].map((name) => parseReference(`${registry.address}/${name}`)) as [
    Reference,
    Reference,
  ];
  assert.equal(await client.pushBlob(scope, one, BLOB, source), "uploaded");
  assert.equal(await client.pushBlob(scope, one, BLOB, source), "present");
  assert.equal(await client.pushBlob(scope, two, BLOB, source, { mountFrom: ["nowhere", "two", "one"] }), "mounted");
  assert.equal(await client.blobSize(scope, two, BLOB.digest), BLOB.size);
  assert.equal(
    await client.pushBlob(scope, parseReference(`${registry.address}/three`), BLOB, source, { mountFrom: ["nowhere"] }),
    "uploaded",
  );
  const empty = { digest: digestOf(""), size: 0 };
  assert.equal(await client.pushBlob(scope, one, empty, async function* () {}), "uploaded");
});

check("the location is used as it came", async (registry, client, reference) => {
  registry.on("PUT", /uploads\/1/, reply(201));
  assert.equal(await client.pushBlob(scope, reference, BLOB, source), "uploaded");
  const [put] = registry.seen("PUT");
  assert.equal(put?.path, `${CREATED}&digest=${encodeURIComponent(BLOB.digest)}`);
  assert.ok(put.body.equals(CONTENT));
  assert.equal(put.headers["content-length"], String(CONTENT.length));
});

check("a mount that is refused, for whatever reason, is an upload", async (registry, client, reference) => {
  registry.on("PUT", /uploads\/1/, reply(201));
  for (const answer of [
    refuse(403, "DENIED"),
    refuse(404, "NAME_UNKNOWN"),
    refuse(405, "UNSUPPORTED"),
    refuse(400, "NAME_INVALID"),
    refuse(401, "UNAUTHORIZED"),
  ]) {
    registry.on("POST", /mount=/, answer);
    assert.equal(await client.pushBlob(scope, reference, BLOB, source, { mountFrom: ["other", "more"] }), "uploaded");
  }
  assert.equal(registry.seen("POST", /mount=/).length, 10);
});

check("uploads that were begun instead of mounts are ended but the last", async (registry, client, reference) => {
  registry.on("POST", /mount=.*from=one/, reply(202, { location: "/u/one" }));
  registry.on("POST", /mount=.*from=two/, reply(202, { location: "/u/two" }));
  registry.on("POST", /mount=.*from=has/, reply(201));
  registry.on("DELETE", /^\/u/, reply(204)).on("PUT", /^\/u\/two/, reply(201));
  const push = (...mountFrom: string[]): Promise<unknown> =>
    client.pushBlob(scope, reference, BLOB, source, { mountFrom });
  assert.equal(await push("one", "has"), "mounted");
  assert.equal(await push("one", "two"), "uploaded");
  assert.deepEqual(
    registry.seen("DELETE").map(({ path }) => path),
    ["/u/one", "/u/one"],
  );
});

check("a token server that lets nobody read the source does not end the push", async (registry, client, reference) => {
  const challenge = { "www-authenticate": `Bearer realm="${registry.url}/token",service="s"` };
  const whenLetIn =
    (answer: Answer): Answer =>
    (response, request, raw) =>
      (request.headers.authorization === "Bearer good" ? answer : refuse(401, "UNAUTHORIZED", "no", challenge))(
        response,
        request,
        raw,
      );
  registry.on("GET", /^\/token/, reply(200, {}, JSON.stringify({ token: "good" })));
  registry.on("GET", /^\/token.*other/, refuse(403, "DENIED", "not yours"));
  registry.on("HEAD", /blobs/, whenLetIn(reply(404)));
  registry.on("POST", /uploads/, whenLetIn(reply(202, { location: CREATED })));
  registry.on("PUT", /uploads\/1/, whenLetIn(reply(201)));
  assert.equal(await client.pushBlob(scope, reference, BLOB, source, { mountFrom: ["other"] }), "uploaded");
});

check("chunks follow when one request is too large", async (registry, client, reference) => {
  registry
    .on("PUT", /uploads\/1/, refuse(413, "SIZE_INVALID"), 1)
    .on("PATCH", /uploads\/1/, reply(202, { location: CREATED }));
  registry.on("PUT", /uploads\/1/, reply(201)).on("PUT", /uploads\/1/, refuse(413, "SIZE_INVALID"), 1);
  assert.equal(await client.pushBlob(scope, reference, BLOB, source, { chunkSize: 40_000 }), "uploaded");
  assert.deepEqual(
    registry.seen("PATCH").map(({ headers }) => headers["content-range"]),
    ["0-39999", "40000-79999", "80000-99999"],
  );
  assert.ok(Buffer.concat(registry.seen("PATCH").map(({ body }) => body)).equals(CONTENT));
  assert.equal(registry.seen("PUT").at(-1)?.headers["content-length"], "0");
});

check("chunks are as large as the registry wants them at least", async (registry, client, reference) => {
  registry.on("POST", UPLOADS, reply(202, { location: CREATED, "oci-chunk-min-length": "60000" }));
  registry.on("PATCH", /uploads\/1/, reply(202, { location: CREATED }));
  registry.on("PUT", /uploads\/1/, reply(201)).on("PUT", /uploads\/1/, refuse(413, "SIZE_INVALID"), 1);
  await client.pushBlob(scope, reference, BLOB, source, { chunkSize: 1000 });
  assert.deepEqual(
    registry.seen("PATCH").map(({ headers }) => headers["content-range"]),
    ["0-59999", "60000-99999"],
  );
});

check("a chunk that breaks goes on from where the registry is", async (registry, client, reference) => {
  registry.on("PUT", /uploads\/1/, reply(201)).on("PUT", /uploads\/1/, hangUpAfter(10_000), 1);
  registry
    .on("PATCH", /uploads\/1/, reply(202, { location: CREATED }))
    .on("PATCH", /uploads\/1/, hangUpAfter(20_000), 1);
  registry.on("GET", /uploads\/1/, reply(204, { location: CREATED, range: "0-19999" }));
  assert.equal(await client.pushBlob(scope, reference, BLOB, source, { chunkSize: 50_000 }), "uploaded");
  assert.deepEqual(
    registry.seen("PATCH").map(({ headers }) => headers["content-range"]),
    ["0-49999", "20000-69999", "70000-99999"],
  );
});

check("a registry that claims to have more than there is is not believed", async (registry, client, reference) => {
  registry.on("PUT", /uploads\/1/, refuse(413, "SIZE_INVALID"));
  registry
    .on("PATCH", /uploads\/1/, refuse(416, "RANGE_INVALID"))
    .on("GET", /uploads\/1/, reply(204, { range: "0-999999" }));
  await assert.rejects(client.pushBlob(scope, reference, BLOB, source), (error) => isTeuError(error, "corrupt"));
});

check("a registry that never lets a chunk in is given up", async (registry, client, reference) => {
  registry.on("PUT", /uploads\/1/, refuse(413, "SIZE_INVALID"));
  registry
    .on("PATCH", /uploads\/1/, refuse(416, "RANGE_INVALID"))
    .on("GET", /uploads\/1/, reply(204, { range: "0-0" }));
  await assert.rejects(client.pushBlob(scope, reference, BLOB, source), (error) => isTeuError(error, "invalid"));
  assert.ok(registry.seen("PATCH").length < 50);
});

check("credentials do not follow an upload to another host (scenario 23)", async (registry, client, reference) => {
  await using storage = await HostileRegistry.listen();
  await using known = new RegistryClient({
    retry: { delay: 1, longest: 100 },
    credentials: { find: async () => ({ username: "me", password: "secret" }) },
    // What hosts.toml says of this host.
    endpoints: async () => [{ ...DEFAULT_SETTINGS, root: new URL(`${registry.url}/v2/`), headers: { "x-key": "k" } }],
  });
  const challenge = { "www-authenticate": 'Basic realm="r"' };
  registry.on("HEAD", /blobs/, (response, request, raw) =>
    (request.headers.authorization === undefined ? refuse(401, "UNAUTHORIZED", "no", challenge) : reply(404))(
      response,
      request,
      raw,
    ),
  );
  storage.on("PUT", /bucket/, reply(201));
  registry.on("POST", UPLOADS, reply(202, { location: `${storage.url}/bucket?sig=1` }));
  assert.equal(await known.pushBlob(scope, reference, BLOB, source), "uploaded");
  const [begun] = registry.seen("POST");
  assert.match(begun?.headers.authorization ?? "", /^Basic /);
  assert.equal(begun?.headers["x-key"], "k");
  const [put] = storage.seen("PUT");
  assert.deepEqual([put?.headers.authorization, put?.headers["x-key"]], [undefined, undefined]);
  for (const location of ["file:///x", "http://169.254.169.254/x"]) {
    registry.on("POST", UPLOADS, reply(202, { location }));
    await assert.rejects(client.pushBlob(scope, reference, BLOB, source), (error) => isTeuError(error, "denied"));
  }
});

check("no location is an error", async (registry, client, reference) => {
  registry.on("POST", UPLOADS, reply(202));
  await assert.rejects(client.pushBlob(scope, reference, BLOB, source), (error) => isTeuError(error, "invalid"));
});

check("a source of another size is an error, and is not finished", async (registry, client, reference) => {
  registry.on("PUT", /uploads\/1/, reply(201));
  for (const size of [BLOB.size - 1, BLOB.size + 1]) {
    await assert.rejects(client.pushBlob(scope, reference, { ...BLOB, size }, source), (error) =>
      isTeuError(error, "corrupt"),
    );
  }
});

check("a refusal in the middle of the body is heard", async (registry, client, reference) => {
  const large: BlobSource = async function* () {
    for (let i = 0; i < 200; i++) yield CONTENT;
  };
  registry.on("PUT", /uploads\/1/, (response) => {
    response.writeHead(403, { "content-length": 0 });
    response.end();
  });
  await assert.rejects(
    client.pushBlob(scope, reference, { digest: BLOB.digest, size: CONTENT.length * 200 }, large),
    (error) => isTeuError(error, "denied"),
  );
});

const LARGE = Buffer.alloc(6 << 20, "0123456789abcdef");
const LARGE_BLOB = { digest: digestOf(LARGE), size: LARGE.length };

// Yields up to `limit` bytes and then waits for ever, as a process that is killed there has sent no more.
function stuckAt(limit: number, opened: number[] = []): BlobSource {
  return async function* (offset) {
    opened.push(offset);
    for (let at = offset; at < LARGE.length; at += 65_536) {
      if (at >= limit) await new Promise(() => {});
      yield LARGE.subarray(at, at + 65_536);
    }
  };
}

async function interrupted(push: (within: Scope) => Promise<unknown>, when: () => boolean): Promise<void> {
  const stop = new AbortController();
  const pushing = push(scope.withSignal(stop.signal));
  while (!when()) await setImmediate();
  stop.abort();
  await assert.rejects(pushing, (error) => isTeuError(error, "cancelled"));
}

test("pushBlob: an upload that was interrupted goes on in the next process", async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen();
  const reference = parseReference(`${registry.address}/a/b`);
  let sent = 0;
  const push = async (within: Scope, from: BlobSource): Promise<string> => {
    await using client = new RegistryClient({ uploads: new DiskUploadJournal(root.join("uploads")) });
    return client.pushBlob(within, reference, LARGE_BLOB, from, { progress: (at) => (sent = at) });
  };
  await interrupted(
    (within) => push(within, stuckAt(5 << 20)),
    () => sent >= 5 << 20,
  );
  assert.equal((await readdir(root.join("uploads"))).length, 2);
  assert.equal((await stat(root.join("uploads"))).mode & 0o777, 0o700);
  const opened: number[] = [];
  assert.equal(await push(scope, stuckAt(LARGE.length, opened)), "uploaded");
  assert.ok(opened.length === 1 && (opened[0] ?? 0) > 0, `resumed at ${opened.join()}`);
  assert.deepEqual(await readdir(root.join("uploads")), []);
  await using client = new RegistryClient();
  assert.equal(await client.blobSize(scope, reference, LARGE_BLOB.digest), LARGE.length);
});

test("pushBlob: what cannot go on begins anew, and a small blob leaves no trace", async () => {
  await using root = await tempRoot();
  const large = stuckAt(LARGE.length);
  for (const [name, status] of [
    ["forgotten", reply(404)],
    ["nothing kept", reply(204, { range: "0-0" })],
    ["more than there is", reply(204, { range: "0-99999999" })],
    ["another host", reply(204, { range: "0-999999", location: "http://169.254.169.254/x" })],
    ["broken", refuse(500, "UNKNOWN")],
  ] as const) {
    await using registry = await HostileRegistry.listen();
    registry.on("POST", UPLOADS, reply(202, { location: CREATED })).on("PUT", /uploads/, silence, 1);
    const reference = parseReference(`${registry.address}/a/b`);
    const uploads = new DiskUploadJournal(root.join(name));
    await using client = new RegistryClient({ uploads, retry: { delay: 1, longest: 100 } });
    await interrupted(
      (within) => client.pushBlob(within, reference, LARGE_BLOB, large),
      () => registry.seen("PUT").length === 1,
    );
    registry.on("PUT", /uploads/, reply(201)).on("GET", /uploads/, status);
    await client.pushBlob(scope, reference, LARGE_BLOB, large);
    assert.equal(registry.seen("POST").length, 2, name);
    assert.ok(registry.seen("PUT").at(-1)?.body.equals(LARGE), name);
    await client.pushBlob(scope, reference, BLOB, source);
    assert.deepEqual(await readdir(root.join(name)), [], name);
  }
});

test("DiskUploadJournal: one task has an upload; what is damaged, foreign or old does not count", async () => {
  await using root = await tempRoot();
  const journal = new DiskUploadJournal(root.join("u"));
  {
    using first = await journal.claim("a");
    assert.equal(first?.location, null);
    assert.equal(await journal.claim("a"), null);
    using other = await journal.claim("b");
    assert.notEqual(other, null);
    await first?.note("https://r.example/x?sig=1");
  }
  const [file = ""] = (await readdir(root.join("u"))).filter((name) => !name.endsWith(".lock"));
  assert.equal((await stat(root.join(`u/${file}`))).mode & 0o777, 0o600);
  const location = async (): Promise<string | null | undefined> => {
    using record = await new DiskUploadJournal(root.join("u")).claim("a");
    return record?.location;
  };
  assert.equal(await location(), "https://r.example/x?sig=1");
  for (const text of ["{", "[]", '{"upload":"b","location":"https://x/"}', '{"upload":"a","location":1}']) {
    await writeFile(root.join(`u/${file}`), text);
    assert.equal(await location(), null, text);
  }
  await writeFile(root.join(`u/${file}`), '{"upload":"a","location":"https://x/"}');
  assert.equal(await location(), "https://x/");
  const old = new Date(Date.now() - 8 * 86_400_000);
  await utimes(root.join(`u/${file}`), old, old);
  assert.equal(await location(), null);
  assert.deepEqual(await readdir(root.join("u")), []);
  await writeFile(root.join("file"), "");
  assert.equal(await new DiskUploadJournal(root.join("file")).claim("a"), null);
});

test("DiskUploadJournal: what a kill left goes by itself, and notes of uploads that nobody is at by clear", async () => {
  await using root = await tempRoot();
  await new DiskUploadJournal(root.join("u")).clear();
  const journal = new DiskUploadJournal(root.join("u"));
  {
    using noted = await journal.claim("noted");
    await noted?.note("https://r.example/1");
  }
  using living = await journal.claim("living");
  await living?.note("https://r.example/2");
  const kept = (await readdir(root.join("u"))).toSorted();
  // Killed before the note had its name, and before there was one.
  const [file = ""] = kept.filter((name) => !name.endsWith(".lock"));
  await writeFile(root.join(`u/.${file}.0123456789ab`), "{");
  await writeFile(root.join(`u/${"0".repeat(64)}.lock`), "");
  await writeFile(root.join("u/other"), "");
  {
    using _ = await new DiskUploadJournal(root.join("u")).claim("another");
  }
  const left = (await readdir(root.join("u"))).filter(
    (name) => !kept.includes(name) && name !== `.${file}.0123456789ab`,
  );
  assert.deepEqual(left, ["other"]);
  await new DiskUploadJournal(root.join("u")).clear();
  assert.equal((await readdir(root.join("u"))).length, 3, "the living one's note and lock, and what is not ours");
  assert.equal(await new DiskUploadJournal(root.join("u")).claim("living"), null);
});

check("the registry never has all of it before its source has verified it", async (registry, client, reference) => {
  let got = 0;
  // As quick as can be: answers with the last byte.
  registry.on("PUT", /^/, async (response, _, raw) => {
    await new Promise<void>((resolve) => {
      raw.on("data", (chunk: Buffer) => {
        got += chunk.length;
        if (got === BLOB.size) resolve();
      });
      raw.on("close", resolve);
    });
    response.writeHead(201).end();
  });
  const lying: BlobSource = async function* (offset) {
    yield* source(offset);
    await new Promise((resolve) => setTimeout(resolve, 20));
    throw new TeuError({ code: "corrupt", op: "read blob", message: "it is another one" });
  };
  await assert.rejects(client.pushBlob(scope, reference, BLOB, lying), (error) => isTeuError(error, "corrupt"));
  assert.ok(got < BLOB.size);
  got = 0;
  assert.equal(await client.pushBlob(scope, reference, BLOB, source), "uploaded");
  assert.equal(got, BLOB.size);
});
