// Layouts and archives without other tools: round trips, walking, and hostile ones.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { S_IFIFO } from "@teu/files/constants";
import { mknodAt } from "@teu/files/entries";
import { openDirectory } from "@teu/files/open";
import { type Descriptor, MEDIA_TYPES } from "@teu/specs/image";

import type { ContentStore } from "../content-store.ts";
import { digestOf } from "../digest.ts";
import { loadArchive } from "../docker-archive/load-archive.ts";
import {
  readManifest,
  walkDescriptors,
  writeDocument,
  writeImageConfig,
  writeIndex,
  writeManifest,
} from "../documents.ts";
import { emptyImageConfig, withLayer } from "../image-config.ts";
import { MemoryContentStore } from "../memory-content-store.ts";
import { parseReference } from "../reference.ts";
import { tarMembers } from "../tar/members.ts";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "../tar/writer.ts";
import { collectBytes } from "../verified-stream.ts";
import { exportLayout, importLayout } from "./export-layout.ts";
import { writeArchive } from "./write-archive.ts";

const scope = createScope();
const LAYER = Buffer.concat([encodeTarHeader(tarEntry({ type: "file", name: "f" })), TAR_END]);
const NAME = parseReference("quay.io/a/b:c");

async function put(store: ContentStore, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  await using ingest = await store.ingest(scope, "put");
  await ingest.write(bytes);
  const { digest, size } = await ingest.commit();
  return { mediaType, digest, size };
}

async function makeImage(
  store: ContentStore,
  architecture: string = "amd64",
  layer: Uint8Array = LAYER,
): Promise<Descriptor> {
  const config = withLayer(emptyImageConfig({ os: "linux", architecture }), digestOf(LAYER));
  const type = layer === LAYER ? MEDIA_TYPES.layer : MEDIA_TYPES.layerGzip;
  return writeManifest(scope, store, {
    config: await writeImageConfig(scope, store, config),
    layers: [await put(store, type, layer)],
  });
}

async function count(store: ContentStore): Promise<number> {
  let found = 0;
  for await (const _ of store.list(scope)) found++;
  return found;
}

interface Member {
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly type?: "symlink" | "hardlink" | "character" | "directory";
  readonly linkName?: string;
}

async function* one(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

async function* tar(members: readonly Member[]): AsyncIterable<Uint8Array> {
  for (const { content = "", type = "file", ...rest } of members) {
    const bytes = Buffer.from(content);
    yield Buffer.concat([
      encodeTarHeader(tarEntry({ ...rest, type, size: bytes.length })),
      bytes,
      tarPadding(bytes.length),
    ]);
  }
  yield TAR_END;
}

const CONFIG = JSON.stringify(withLayer(emptyImageConfig({ os: "linux", architecture: "amd64" }), digestOf(LAYER)));
const OLD: readonly Member[] = [
  { name: "abc/", type: "directory" },
  { name: "abc/VERSION", content: "1.0" },
  { name: "abc/layer.tar", content: LAYER },
  { name: "def/layer.tar", type: "symlink", linkName: "../abc/layer.tar" },
  { name: "config.json", content: CONFIG },
  {
    name: "manifest.json",
    content: JSON.stringify([
      { Config: "config.json", RepoTags: ["app:1", "<none>:<none>"], Layers: ["def/layer.tar"] },
    ]),
  },
  { name: "repositories", content: "{}" },
];

test("writeArchive, loadArchive: an image and its names, same bytes each time", async () => {
  const store = new MemoryContentStore();
  const descriptor = await makeImage(store);
  const names = [NAME, parseReference("busybox")];
  const pack = (): Promise<Uint8Array> => collectBytes(writeArchive(scope, store, [{ descriptor, names }]), 1 << 20);
  const archive = await pack();
  assert.ok(Buffer.from(archive).equals(await pack()));
  for (const bytes of [archive, gzipSync(archive)]) {
    const back = new MemoryContentStore();
    async function* source(): AsyncIterable<Uint8Array> {
      yield bytes;
    }
    assert.deepEqual(await loadArchive(scope, source(), back), [{ descriptor, names, labels: [] }]);
    assert.equal(await count(back), 3);
  }
});

test("writeArchive: an index needs the manifest that Docker's list shall name, or none of the list", async () => {
  const store = new MemoryContentStore();
  const one = await makeImage(store);
  const index = await writeIndex(scope, store, [one]);
  const pack = (options?: object, more?: object): Promise<Uint8Array> =>
    collectBytes(writeArchive(scope, store, [{ descriptor: index, names: [NAME], ...more }], options), 1 << 20);
  await assert.rejects(pack(), (error) => isTeuError(error, "invalid"));
  assert.ok(Buffer.from(await pack({}, { dockerManifest: one })).includes("manifest.json"));
  assert.ok(!Buffer.from(await pack({ docker: false })).includes("manifest.json"));
});

test("loadArchive: Docker's old form, links followed, the rest not kept", async () => {
  const store = new MemoryContentStore();
  const [image] = await loadArchive(scope, tar(OLD), store);
  assert.deepEqual(image?.names, [parseReference("app:1")]);
  const manifest = await readManifest(scope, store, image?.descriptor);
  assert.equal(manifest.config.digest, digestOf(CONFIG));
  assert.deepEqual(manifest.layers, [{ mediaType: MEDIA_TYPES.layer, digest: digestOf(LAYER), size: LAYER.length }]);
  assert.equal(await count(store), 3);
});

test("loadArchive: what was in the store before stays, whatever the archive holds", async () => {
  const store = new MemoryContentStore();
  const own = await put(store, "text/plain", Buffer.from("1.0"));
  await loadArchive(scope, tar(OLD), store);
  assert.equal(await count(store), 4);
  await assert.rejects(loadArchive(scope, tar([{ name: "VERSION", content: "1.0" }]), store));
  assert.notEqual(await store.info(scope, own.digest as never), null);
  assert.equal(await count(store), 4);
});

const docker = (entry: object): Member => ({ name: "manifest.json", content: JSON.stringify([entry]) });
const REFUSED: readonly { name: string; code: ErrorCode; text: RegExp; members: Member[] }[] = [
  { name: "nothing that is an image", code: "invalid", text: /neither/, members: [{ name: "x", content: "y" }] },
  {
    name: "a blob that is not its digest",
    code: "corrupt",
    text: /content has digest/,
    members: [{ name: `blobs/sha256/${"0".repeat(64)}`, content: "x" }],
  },
  { name: "names with ..", code: "corrupt", text: /"\.\."/, members: [{ name: "../x", content: "y" }] },
  {
    name: "the same name twice",
    code: "corrupt",
    text: /twice/,
    members: [...OLD, { name: "./manifest.json", content: "[]" }],
  },
  { name: "device nodes", code: "corrupt", text: /no place/, members: [{ name: "d", type: "character" }] },
  {
    name: "a link out of the archive",
    code: "corrupt",
    text: /leads out/,
    members: [{ name: "a/l", type: "symlink", linkName: "../../etc/passwd" }],
  },
  {
    name: "a link to the host's files",
    code: "corrupt",
    text: /lacks it/,
    members: [{ name: "l", type: "symlink", linkName: "/etc/passwd" }, docker({ Config: "l", Layers: [] })],
  },
  {
    name: "links in a circle",
    code: "corrupt",
    text: /too many links/,
    members: [
      { name: "a", type: "symlink", linkName: "b" },
      { name: "b", type: "hardlink", linkName: "a" },
      docker({ Config: "a", Layers: [] }),
    ],
  },
  { name: "a list that is none", code: "invalid", text: /array/, members: [{ name: "manifest.json", content: "{}" }] },
  {
    name: "a list with duplicate keys",
    code: "invalid",
    text: /manifest.json/,
    members: [{ name: "manifest.json", content: '[{"Config":"a","Config":"b"}]' }],
  },
  {
    name: "a config outside the archive",
    code: "corrupt",
    text: /"\.\."/,
    members: [docker({ Config: "../../etc/passwd", Layers: [] })],
  },
  {
    name: "a layer outside the archive",
    code: "corrupt",
    text: /"\.\."/,
    members: [OLD[4] as Member, docker({ Config: "config.json", Layers: ["a/../../../etc/passwd"] })],
  },
  {
    name: "a blob twice, by two spellings of its name",
    code: "corrupt",
    text: /twice/,
    members: [
      { name: `blobs/sha256/${digestOf(CONFIG).slice(7)}`, content: CONFIG },
      { name: `./blobs//sha256/./${digestOf(CONFIG).slice(7)}`, content: CONFIG },
    ],
  },
  {
    name: "a link and a file of one name",
    code: "corrupt",
    text: /twice/,
    members: [{ name: "x", type: "symlink", linkName: "y" }, { name: "x", content: "z" }, ...OLD],
  },
  {
    name: "a hard link out of the archive",
    code: "corrupt",
    text: /"\.\."/,
    members: [{ name: "h", type: "hardlink", linkName: "../../etc/passwd" }],
  },
  {
    name: "a list larger than lists are",
    code: "exhausted",
    text: /limit is/,
    members: [{ name: "manifest.json", content: Buffer.alloc((4 << 20) + 1, " ") }],
  },
  {
    name: "two meanings of one index",
    code: "invalid",
    text: /duplicate name/,
    members: [
      { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
      { name: "index.json", content: '{"schemaVersion":2,"manifests":[],"manifests":[]}' },
    ],
  },
  {
    name: "a config that is missing",
    code: "corrupt",
    text: /lacks it/,
    members: [docker({ Config: "c", Layers: [] })],
  },
  {
    name: "another number of layers",
    code: "corrupt",
    text: /names 0 layers/,
    members: [OLD[4] as Member, docker({ Config: "config.json", Layers: [] })],
  },
  {
    name: "a layer of another DiffID",
    code: "corrupt",
    text: /the config says/,
    members: [OLD[4] as Member, { name: "l", content: "other" }, docker({ Config: "config.json", Layers: ["l"] })],
  },
  {
    name: "a name that is none",
    code: "corrupt",
    text: /RepoTags/,
    members: [...OLD.slice(0, 5), docker({ Config: "config.json", RepoTags: ["Bad Name"], Layers: ["abc/layer.tar"] })],
  },
  {
    name: "an index with a digest that is a path",
    code: "invalid",
    text: /digest/,
    members: [
      { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
      {
        name: "index.json",
        content: JSON.stringify({
          schemaVersion: 2,
          manifests: [{ mediaType: MEDIA_TYPES.manifest, digest: "sha256:../../../../etc/passwd", size: 1 }],
        }),
      },
    ],
  },
  {
    name: "a layout of another version",
    code: "invalid",
    text: /imageLayoutVersion/,
    members: [
      { name: "oci-layout", content: '{"imageLayoutVersion":"2.0.0"}' },
      { name: "index.json", content: '{"schemaVersion":2,"manifests":[]}' },
    ],
  },
  {
    name: "an index whose image is missing",
    code: "not-found",
    text: /no such blob/,
    members: [
      { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
      {
        name: "index.json",
        content: JSON.stringify({
          schemaVersion: 2,
          manifests: [{ mediaType: MEDIA_TYPES.manifest, digest: digestOf("x"), size: 1 }],
        }),
      },
    ],
  },
];

test("loadArchive: where index and Docker's list disagree the index counts, names by digest are only told", async () => {
  const store = new MemoryContentStore();
  const real = await makeImage(store);
  const bytes = await collectBytes(writeArchive(scope, store, [{ descriptor: real, names: [NAME] }]), 1 << 20);
  const members: Member[] = [];
  for await (const { entry, content } of tarMembers(scope, one(bytes)))
    if (entry.type === "file")
      members.push({ name: entry.name, content: Buffer.concat(await Array.fromAsync(content, Buffer.from)) });
  const replaced = members.map((member) =>
    member.name === "manifest.json" ? docker({ Config: "elsewhere", RepoTags: ["debian:latest"], Layers: [] }) : member,
  );
  const found = await loadArchive(scope, tar(replaced), new MemoryContentStore());
  assert.deepEqual(found, [{ descriptor: real, names: [NAME], labels: [] }]);
  const foreign = `docker.io/library/debian@${digestOf("something else")}`;
  const claimed = replaced.map((member) =>
    member.name === "index.json"
      ? {
          ...member,
          content: JSON.stringify({
            schemaVersion: 2,
            manifests: [{ ...real, annotations: { "io.containerd.image.name": foreign } }],
          }),
        }
      : member,
  );
  // The engine gives no such names (tests/system/engine-images.test.ts).
  const [image] = await loadArchive(scope, tar(claimed), new MemoryContentStore());
  assert.equal(image?.descriptor.digest, real.digest);
  assert.equal(image?.names[0]?.digest, digestOf("something else"));
});

for (const { name, code, text, members } of REFUSED) {
  test(`loadArchive: ${code} for ${name}, and the store stays empty`, async () => {
    const store = new MemoryContentStore();
    await assert.rejects(loadArchive(scope, tar(members), store), (error) => {
      assert.ok(isTeuError(error, code), String(error));
      assert.match(error.message, text);
      return true;
    });
    assert.equal(await count(store), 0);
  });
}

test("exportLayout, importLayout: images added to a layout, names replaced, no files of ours left", async () => {
  const directory = await mkdtemp(join(tmpdir(), "teu-layout-"));
  try {
    const store = new MemoryContentStore();
    const [one, two] = [await makeImage(store), await makeImage(store, "arm64", gzipSync(LAYER))];
    await exportLayout(scope, store, [{ descriptor: one, names: [NAME] }], directory);
    await exportLayout(scope, store, [{ descriptor: two, names: [] }], directory);
    assert.deepEqual(
      (await importLayout(scope, directory, new MemoryContentStore())).map(({ descriptor }) => descriptor),
      [one, two],
    );
    await exportLayout(scope, store, [{ descriptor: two, names: [NAME] }], directory);
    const images = await importLayout(scope, directory, new MemoryContentStore());
    assert.deepEqual(images, [{ descriptor: two, names: [NAME], labels: [] }]);
    assert.deepEqual((await readdir(directory)).toSorted(), ["blobs", "index.json", "oci-layout"]);
    assert.equal(await readFile(join(directory, "oci-layout"), "utf8"), '{"imageLayoutVersion":"1.0.0"}');
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("importLayout: refuses paths for digests, damaged blobs, and what is no layout", async () => {
  const directory = await mkdtemp(join(tmpdir(), "teu-layout-"));
  try {
    const store = new MemoryContentStore();
    await assert.rejects(importLayout(scope, directory, store), (error) => isTeuError(error, "not-found"));
    const descriptor = await makeImage(store);
    await exportLayout(scope, store, [{ descriptor, names: [] }], directory);
    const index = (digest: string): string =>
      JSON.stringify({ schemaVersion: 2, manifests: [{ ...descriptor, digest }] });
    await writeFile(join(directory, "index.json"), index("sha256:../../index.json"));
    await assert.rejects(importLayout(scope, directory, new MemoryContentStore()), (error) =>
      isTeuError(error, "invalid"),
    );
    await writeFile(join(directory, "index.json"), index(descriptor.digest));
    const layer = join(directory, "blobs/sha256", digestOf(LAYER).slice(7));
    await rm(layer);
    await writeFile(layer, Buffer.alloc(LAYER.length));
    await assert.rejects(importLayout(scope, directory, new MemoryContentStore()), (error) =>
      isTeuError(error, "corrupt"),
    );
    await mkdir(join(directory, "other"));
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("importLayout: waits for no fifo and reads no device", { timeout: 20_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "teu-layout-"));
  try {
    await writeFile(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    await symlink("/dev/zero", join(directory, "index.json"));
    const refused = (error: unknown): boolean => isTeuError(error, "invalid") && /regular/.test(error.message);
    await assert.rejects(importLayout(scope, directory, new MemoryContentStore()), refused);
    await rm(join(directory, "index.json"));
    using opened = openDirectory(directory);
    mknodAt(opened.fd, "index.json", S_IFIFO | 0o600, 0, 0);
    await assert.rejects(importLayout(scope, directory, new MemoryContentStore()), refused);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("walkDescriptors: children first, each once; sparse lets absent platforms be", async () => {
  const store = new MemoryContentStore();
  const [one, two] = [await makeImage(store), await makeImage(store, "arm64")];
  const index = await writeIndex(scope, store, [one, two, one]);
  const found = await walkDescriptors(scope, store, index);
  assert.equal(found.length, 6, "two manifests, two configs, a shared layer, the index");
  assert.equal(found.at(-1)?.digest, index.digest);
  const absent = { ...two, digest: digestOf("absent") };
  const partial = await writeIndex(scope, store, [one, absent]);
  await assert.rejects(walkDescriptors(scope, store, partial), (error) => isTeuError(error, "not-found"));
  assert.equal((await walkDescriptors(scope, store, partial, { sparse: true })).length, 4);
  await store.delete(scope, digestOf(LAYER));
  await assert.rejects(
    walkDescriptors(scope, store, partial, { sparse: true }),
    (error) => isTeuError(error, "not-found"),
    "a layer is never optional",
  );
});

test("walkDescriptors: exhausted for deep nesting, linear for shared indexes", async () => {
  const store = new MemoryContentStore();
  let deep = await makeImage(store);
  for (let i = 0; i < 20; i++) deep = await writeIndex(scope, store, [deep]);
  await assert.rejects(walkDescriptors(scope, store, deep), (error) => isTeuError(error, "exhausted"));
  let shared = await makeImage(store);
  // Without remembering what was seen this would be 50^6 visits.
  for (let i = 0; i < 6; i++)
    shared = await writeIndex(
      scope,
      store,
      Array.from({ length: 50 }, () => shared),
      { level: String(i) },
    );
  assert.equal((await walkDescriptors(scope, store, shared)).length, 9);
  const leaf = (n: number): Descriptor => ({ mediaType: "text/plain", digest: digestOf(String(n)), size: 1 });
  const broad = await writeIndex(
    scope,
    store,
    Array.from({ length: 10_001 }, (_, n) => leaf(n)),
  );
  await assert.rejects(walkDescriptors(scope, store, broad, { sparse: true }), (error) =>
    isTeuError(error, "exhausted"),
  );
});

test("readManifest: invalid when the document says it is something else, corrupt for another size", async () => {
  const store = new MemoryContentStore();
  const manifest = await makeImage(store);
  await assert.rejects(readManifest(scope, store, { ...manifest, mediaType: MEDIA_TYPES.dockerManifest }), (error) =>
    isTeuError(error, "invalid"),
  );
  await assert.rejects(readManifest(scope, store, { ...manifest, size: 1 }), (error) => isTeuError(error, "corrupt"));
  const both = await writeDocument(scope, store, MEDIA_TYPES.manifest, {
    schemaVersion: 2,
    config: manifest,
    layers: [],
    manifests: [],
  });
  await assert.rejects(readManifest(scope, store, both), (error) => isTeuError(error, "invalid"));
});
