// Places for images against hostile and broken content, and against what users keep there. Whole copies: distribution's copy.test.ts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { type ErrorCode, isTeuError, TeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { type Descriptor, EMPTY_DESCRIPTOR, MEDIA_TYPES } from "@teu/specs/image";

import type { ContentStore } from "../content-store.ts";
import { digestOf, parseDigest } from "../digest.ts";
import { writeDocument, writeImageConfig, writeIndex, writeManifest } from "../documents.ts";
import { emptyImageConfig } from "../image-config.ts";
import { MemoryContentStore } from "../memory-content-store.ts";
import { openArchiveSource } from "./archive-source.ts";
import { copyImage } from "./copy-image.ts";
import { directorySink, directorySource } from "./directory-image.ts";
import { documentType } from "./document-type.ts";
import { layoutSink, layoutSource } from "./layout-image.ts";
import { openImage } from "./open-image.ts";
import type { ImageDocument, ImageSink, ImageSource } from "./source-and-sink.ts";
import { putStoreBlob, putStoreDocument, storeSource } from "./store-image.ts";

const scope = createScope();

async function inTemp(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "teu-transport-"));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function fails(code: ErrorCode, text: RegExp = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isTeuError(error, code), String(error));
    assert.match(`${error.message} ${error.hint ?? ""}`, text);
    return true;
  };
}

async function put(store: ContentStore, mediaType: string, text: string): Promise<Descriptor> {
  await using ingest = await store.ingest(scope, text);
  await ingest.write(Buffer.from(text));
  const { digest, size } = await ingest.commit();
  return { mediaType, digest, size };
}

async function image(store: ContentStore, layers: readonly Descriptor[], subject?: Descriptor): Promise<Descriptor> {
  const config = await writeImageConfig(scope, store, emptyImageConfig({ os: "linux", architecture: "amd64" }));
  return writeManifest(scope, store, { config, layers, ...(subject === undefined ? {} : { subject }) });
}

function sourceOf(store: ContentStore, root: Descriptor, listed?: readonly Descriptor[]): ImageSource {
  return storeSource({
    name: "memory",
    store,
    resolve: async () => root,
    ...(listed === undefined ? {} : { listed: async () => listed }),
  });
}

function memorySink(store: ContentStore): ImageSink {
  return {
    name: "memory",
    verifies: true,
    putBlob: (inner, blob, open, progress) => putStoreBlob(inner, store, blob, open, progress),
    putDocument: (inner, document) => putStoreDocument(inner, store, document),
    finish: (inner, root) => putStoreDocument(inner, store, root),
    [Symbol.asyncDispose]: async () => {},
  };
}

async function copy(source: ImageSource, sink: ImageSink, referrers = false): ReturnType<typeof copyImage> {
  return await copyImage(scope, { source, sink, platform: "all", referrers });
}

test("copyImage: indexes without end, and lies about sizes, are refused before anything is written", async () => {
  const store = new MemoryContentStore();
  let nested = await image(store, []);
  for (let depth = 0; depth < 12; depth++) nested = await writeIndex(scope, store, [nested]);
  const big = { ...(await image(store, [])), size: 5 << 20 };
  const layer = await put(store, MEDIA_TYPES.layer, "layer");
  const twice = await image(store, [layer, { ...layer, size: 9 }]);
  const other = { ...(await image(store, [layer])), mediaType: MEDIA_TYPES.dockerManifest };
  for (const [root, code, text] of [
    [nested, "exhausted", /nested deeper/],
    [big, "exhausted", /limit is/],
    [{ ...big, size: 7 }, "exhausted", /limit is 7/],
    [twice, "corrupt", /declared with 5 bytes and with 9/],
    [other, "invalid", /its descriptor says/],
    [layer, "unsupported", /it is .*layer/],
  ] as const) {
    const target = new MemoryContentStore();
    await assert.rejects(copy(sourceOf(store, root), memorySink(target)), fails(code, text));
    assert.deepEqual(await Array.fromAsync(target.list(scope)), []);
  }
});

test("openImage: what a source says is compared with what was asked for, and the way to a platform has an end", async () => {
  const store = new MemoryContentStore();
  const platform = { os: "linux", architecture: "amd64" };
  const [root, other] = [await image(store, []), await image(store, [await put(store, MEDIA_TYPES.layer, "1")])];
  const honest = sourceOf(store, root);
  for (const said of [other, { ...other, size: root.size }]) {
    const lying = { ...honest, document: async () => store.readAll(scope, parseDigest(said.digest), 1 << 20) };
    await assert.rejects(openImage(scope, lying), fails("corrupt"));
    await assert.rejects(copy(lying, memorySink(new MemoryContentStore())), fails("corrupt"));
  }
  let nested: Descriptor = { ...root, platform };
  for (let depth = 0; depth < 12; depth++) nested = { ...(await writeIndex(scope, store, [nested])), platform };
  await assert.rejects(openImage(scope, sourceOf(store, nested), platform), fails("exhausted", /nested deeper/));
});

test("copyImage: all documents together have a limit, which memory has too", async () => {
  const padding = "x".repeat((4 << 20) - 1000);
  const bytes = (n: number): Buffer =>
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        config: EMPTY_DESCRIPTOR,
        layers: [],
        annotations: { n: String(n), padding },
      }),
    );
  const documents = new Map<string, number>();
  const manifests: Descriptor[] = [];
  for (let n = 0; n < 34; n++) {
    const document = bytes(n);
    const digest = digestOf(document);
    documents.set(digest, n);
    manifests.push({ mediaType: MEDIA_TYPES.manifest, digest, size: document.length });
  }
  const store = new MemoryContentStore();
  const root = await writeIndex(scope, store, manifests);
  let read = 0;
  const source = {
    ...sourceOf(store, root),
    document: async (_: unknown, { digest, size }: Descriptor) => {
      const n = documents.get(digest);
      if (n === undefined) return store.readAll(scope, parseDigest(digest), size);
      read++;
      return bytes(n);
    },
  };
  await assert.rejects(copy(source, memorySink(new MemoryContentStore())), fails("exhausted", /bytes of manifests/));
  assert.ok(read < 34, `${read} were read`);
});

test("copyImage: asks for approval with the bytes that it will copy, before it reads a blob", async () => {
  const store = new MemoryContentStore();
  const layer = await put(store, MEDIA_TYPES.layer, "layer");
  const platform = { os: "linux", architecture: "amd64" };
  const child = { ...(await image(store, [layer])), platform };
  const root = await writeIndex(scope, store, [child]);
  for (const [wanted, path] of [
    [platform, [root.digest, child.digest]],
    ["all", [root.digest]],
  ] as const) {
    const asked: string[] = [];
    const target = new MemoryContentStore();
    const approve = async (_: unknown, documents: readonly ImageDocument[]): Promise<void> => {
      asked.push(...documents.map(({ bytes }) => digestOf(bytes)));
      throw new TeuError({ code: "denied", op: "test", message: "no" });
    };
    const source = sourceOf(store, root);
    const sink = memorySink(target);
    await assert.rejects(copyImage(scope, { source, sink, platform: wanted, approve }), fails("denied"));
    assert.deepEqual(asked, path);
    assert.deepEqual(await Array.fromAsync(target.list(scope)), []);
  }
});

test("copyImage: shared children are walked once, however many paths lead to them", async () => {
  const store = new MemoryContentStore();
  let level = [await image(store, [])];
  for (let depth = 0; depth < 7; depth++) {
    const index = (name: string): Promise<Descriptor> => writeIndex(scope, store, level, { name });
    level = [await index("a"), await index("b"), await index("c")];
  }
  const result = await copy(
    sourceOf(store, await writeIndex(scope, store, level)),
    memorySink(new MemoryContentStore()),
  );
  assert.equal(result.documents.length, 1 + 7 * 3 + 1);
});

test("copyImage: referrers end, also where a list says that everything refers to everything", async () => {
  const store = new MemoryContentStore();
  const root = await image(store, []);
  const one = await image(store, [await put(store, MEDIA_TYPES.layer, "1")], root);
  const source = sourceOf(store, root);
  const everything = { ...source, referrers: async () => [root, one] };
  assert.equal((await copy(everything, memorySink(new MemoryContentStore()), true)).referrers, 1);
});

test("storeSource: referrers of a list that a tag names, as regctl keeps them in layouts, once each, and of no other index", async () => {
  const store = new MemoryContentStore();
  const root = await image(store, []);
  const layer = async (n: string): Promise<Descriptor[]> => [await put(store, MEDIA_TYPES.layer, n)];
  const one = await image(store, await layer("1"), root);
  const two = await image(store, await layer("2"), root);
  const three = await image(store, await layer("3"), root);
  const named = async (name: string, ...manifests: Descriptor[]): Promise<Descriptor> => ({
    ...(await writeIndex(scope, store, manifests, { name })),
    annotations: { "org.opencontainers.image.ref.name": name },
  });
  const inner = await named(`sha256-${"0".repeat(64)}`, three);
  const list = await named(root.digest.replace(":", "-"), two, one, inner);
  const source = sourceOf(store, root, [root, one, list, await named("v1-all", three)]);
  assert.deepEqual(
    (await source.referrers?.(scope, parseDigest(root.digest)))?.map(({ digest }) => digest),
    [one.digest, two.digest],
  );
});

test("copyImage: layers that are not to be distributed may be missing, others not", async () => {
  const store = new MemoryContentStore();
  const missing = { digest: digestOf("x"), size: 1 };
  const foreign = await image(store, [
    { ...missing, mediaType: MEDIA_TYPES.dockerForeignLayerGzip, urls: ["http://169.254.169.254/"] },
  ]);
  assert.equal((await copy(sourceOf(store, foreign), memorySink(new MemoryContentStore()))).blobs.skipped, 1);
  const broken = await image(store, [{ ...missing, mediaType: MEDIA_TYPES.layer }]);
  await assert.rejects(copy(sourceOf(store, broken), memorySink(new MemoryContentStore())), fails("not-found"));
});

test("copyImage: embedded data counts when it is what the digest says", async () => {
  const store = new MemoryContentStore();
  const good = {
    mediaType: MEDIA_TYPES.layer,
    digest: digestOf("hello"),
    size: 5,
    data: Buffer.from("hello").toString("base64"),
  };
  const target = new MemoryContentStore();
  await copy(sourceOf(store, await image(store, [good])), memorySink(target));
  assert.equal(Buffer.from(await target.readAll(scope, digestOf("hello"), 9)).toString(), "hello");
  const lie = { ...good, digest: digestOf("other") };
  await assert.rejects(copy(sourceOf(store, await image(store, [lie])), memorySink(target)), fails("not-found"));
});

test("putStoreBlob: what an interrupted copy left is gone on with, and dropped when it was wrong", async () => {
  for (const left of ["he", "xx"]) {
    const store = new MemoryContentStore();
    const blob = { digest: digestOf("hello"), size: 5 };
    {
      await using ingest = await store.ingest(scope, blob.digest, { ...blob, resume: true });
      await ingest.write(Buffer.from(left));
    }
    const offsets: number[] = [];
    const open = async function* (offset: number): AsyncIterable<Uint8Array> {
      offsets.push(offset);
      yield Buffer.from("hello".slice(offset));
    };
    assert.equal(await putStoreBlob(scope, store, blob, open, () => {}), "copied");
    assert.deepEqual(offsets, left === "he" ? [2] : [2, 0]);
  }
});

test("layoutSource: names that lead out of the layout, devices and damaged blobs are errors", async () => {
  await inTemp(async (directory) => {
    const write = async (entry: unknown): Promise<void> => {
      await writeFile(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
      await writeFile(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    };
    const source = layoutSource("oci", directory);
    const open = async (): Promise<unknown> => await copy(source, memorySink(new MemoryContentStore()));
    await write({ mediaType: MEDIA_TYPES.manifest, digest: "sha256:../../../etc/passwd", size: 10 });
    await assert.rejects(open, fails("invalid"));
    const digest = digestOf("fifo");
    await mkdir(join(directory, "blobs/sha256"), { recursive: true });
    execFileSync("mkfifo", [join(directory, "blobs/sha256", digest.slice(7))]);
    await write({ mediaType: MEDIA_TYPES.manifest, digest, size: 10 });
    await assert.rejects(open, fails("not-found"));
    const bytes = JSON.stringify({ schemaVersion: 2, config: {}, layers: [] });
    await writeFile(join(directory, "blobs/sha256", digestOf("other").slice(7)), bytes);
    await write({ mediaType: MEDIA_TYPES.manifest, digest: digestOf("other"), size: bytes.length });
    await assert.rejects(open, fails("corrupt"));
    const store = new MemoryContentStore();
    const fifo = { digest, size: 3 };
    await assert.rejects(Array.fromAsync(source.blob(scope, fifo, 0)), fails("not-found"));
    assert.deepEqual(await Array.fromAsync(store.list(scope)), []);
  });
});

test("layoutSink: two writers lose nothing of each other", async () => {
  await inTemp(async (directory) => {
    const store = new MemoryContentStore();
    const labels = Array.from({ length: 12 }, (_, index) => `v${index}`);
    await Promise.all(
      labels.map(async (label) => {
        const root = await image(store, [await put(store, MEDIA_TYPES.layer, label)]);
        await using sink = await layoutSink("oci", join(directory, "layout"), label);
        await copy(sourceOf(store, root), sink);
      }),
    );
    for (const label of labels) await layoutSource("oci", join(directory, "layout"), label).resolve(scope);
  });
});

test("directorySink: takes an empty directory or an earlier copy, nothing else", async () => {
  await inTemp(async (directory) => {
    const store = new MemoryContentStore();
    const first = sourceOf(store, await image(store, [await put(store, MEDIA_TYPES.layer, "first")]));
    const second = sourceOf(store, await image(store, [await put(store, MEDIA_TYPES.layer, "second")]));
    const target = join(directory, "image");
    await copy(first, await directorySink("dir", target));
    await writeFile(join(target, `.${"a".repeat(64)}.0123456789ab`), "what a killed copy left");
    await copy(second, await directorySink("dir", target));
    const files = (await readdir(target)).sort();
    assert.equal(files.length, 4, files.join());
    assert.equal(await readFile(join(target, digestOf("second").slice(7)), "utf8"), "second");
    assert.equal(await readFile(join(target, "version"), "utf8"), "Directory Transport Version: 1.1\n");
    await writeFile(join(target, "letter.txt"), "mine");
    await assert.rejects(directorySink("dir", target), fails("conflict", /letter\.txt/));
    await writeFile(join(directory, "version"), "3.1\n");
    await assert.rejects(directorySink("dir", directory), fails("conflict"));
    assert.equal(await readFile(join(target, "letter.txt"), "utf8"), "mine");
    assert.equal(await readFile(join(directory, "version"), "utf8"), "3.1\n");
  });
});

test("directorySink: takes a directory in which a copy was killed before it had written its version", async () => {
  await inTemp(async (directory) => {
    const store = new MemoryContentStore();
    await writeFile(join(directory, ".version.0123456789ab"), "Dir");
    await copy(sourceOf(store, await image(store, [])), await directorySink("dir", directory));
    assert.equal((await readdir(directory)).length, 3);
  });
});

test("directorySink: a damaged blob of an earlier copy is written anew", async () => {
  await inTemp(async (directory) => {
    const store = new MemoryContentStore();
    const source = sourceOf(store, await image(store, [await put(store, MEDIA_TYPES.layer, "layer")]));
    await copy(source, await directorySink("dir", directory));
    await writeFile(join(directory, digestOf("layer").slice(7)), "lawyer");
    const result = await copy(source, await directorySink("dir", directory));
    assert.deepEqual(result.blobs, { copied: 1, present: 1, mounted: 0, skipped: 0 });
  });
});

test("directorySource: algorithms that could name other files, devices and foreign documents are errors", async () => {
  await inTemp(async (directory) => {
    const source = directorySource("dir", directory);
    await assert.rejects(source.resolve(scope), fails("not-found"));
    await assert.rejects(
      Array.fromAsync(source.blob(scope, { digest: parseDigest("sha9:version"), size: 1 }, 0)),
      (error) => isTeuError(error, "unsupported"),
    );
    execFileSync("mkfifo", [join(directory, "manifest.json")]);
    await assert.rejects(source.resolve(scope), fails("invalid", /not a regular file/));
    await rm(join(directory, "manifest.json"));
    await symlink("/etc/passwd", join(directory, "manifest.json"));
    await assert.rejects(source.resolve(scope), fails("invalid"));
    await rm(join(directory, "manifest.json"));
    const store = new MemoryContentStore();
    const bytes = await store.readAll(scope, parseDigest((await image(store, [])).digest), 9999);
    await writeFile(join(directory, "manifest.json"), bytes);
    const root = await source.resolve(scope);
    assert.equal(root.mediaType, MEDIA_TYPES.manifest);
    await assert.rejects(source.document(scope, { ...root, digest: digestOf("x") }), fails("not-found"));
  });
});

test("documentType: by its own word, else by its form", async () => {
  const store = new MemoryContentStore();
  const config = await writeImageConfig(scope, store, emptyImageConfig({ os: "linux", architecture: "amd64" }));
  const read = (value: unknown): string => documentType("x", Buffer.from(JSON.stringify(value)));
  const manifest = { schemaVersion: 2, config, layers: [] };
  assert.equal(read(manifest), MEDIA_TYPES.manifest);
  assert.equal(read({ ...manifest, mediaType: MEDIA_TYPES.dockerManifest }), MEDIA_TYPES.dockerManifest);
  assert.equal(read({ schemaVersion: 2, manifests: [] }), MEDIA_TYPES.index);
  assert.throws(() => read({ ...manifest, manifests: [] }), fails("invalid"));
  assert.throws(() => read({ ...manifest, mediaType: MEDIA_TYPES.index }), fails("invalid"));
  assert.throws(
    () => read({ mediaType: "application/vnd.docker.distribution.manifest.v1+prettyjws" }),
    fails("unsupported"),
  );
  assert.throws(() => read([]), fails("invalid"));
});

test("openArchiveSource: leaves no temporary directory, whatever the archive is", async () => {
  await inTemp(async (directory) => {
    await writeFile(join(directory, "bad.tar"), "no tar");
    for (const file of ["bad.tar", "absent.tar"])
      await assert.rejects(openArchiveSource(scope, "x", join(directory, file), undefined, { temporary: directory }));
    assert.deepEqual(await readdir(directory), ["bad.tar"]);
    await assert.rejects(
      openArchiveSource(scope, "x", join(directory, "bad.tar"), undefined, { temporary: join(directory, "absent") }),
      fails("not-found", /temporary directory/),
    );
  });
});

test("writeDocument: round trip keeps unknown fields", async () => {
  const store = new MemoryContentStore();
  const root = await writeDocument(scope, store, MEDIA_TYPES.index, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests: [],
    "org.example": 1,
  });
  const target = new MemoryContentStore();
  await copy(sourceOf(store, root), memorySink(target));
  assert.deepEqual(
    await target.readAll(scope, parseDigest(root.digest), 999),
    await store.readAll(scope, parseDigest(root.digest), 999),
  );
});

test("copyImage: a blob that was wrong is read once more where the source has another place, into sinks that can", async () => {
  const store = new MemoryContentStore();
  const root = await image(store, [await put(store, MEDIA_TYPES.layer, "layer")]);
  for (const [others, repeatable] of [
    [true, true],
    [true, false],
    [false, true],
  ] as const) {
    const honest = sourceOf(store, root);
    const told: string[] = [];
    const source: ImageSource = {
      ...honest,
      async *blob(inner, blob, offset) {
        if (blob.digest === digestOf("layer") && told.length === 0) yield Buffer.from("liar!");
        else yield* honest.blob(inner, blob, offset);
      },
      distrust: async (_, { digest }) => {
        told.push(digest);
        return others;
      },
    };
    const copied = copy(source, { ...memorySink(new MemoryContentStore()), repeatable });
    if (others && repeatable) assert.equal((await copied).blobs.copied, 2);
    else await assert.rejects(copied, fails("corrupt"));
    assert.deepEqual(told, repeatable ? [digestOf("layer")] : []);
  }
});
