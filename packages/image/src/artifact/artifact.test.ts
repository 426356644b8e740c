import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { createScope } from "@teu/base/scope";
import { type Descriptor, EMPTY_DESCRIPTOR, MEDIA_TYPES } from "@teu/specs/image";

import { digestOf } from "../digest.ts";
import type { TarEntry } from "../tar/entry.ts";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "../tar/writer.ts";
import { copyImage } from "../transport/copy-image.ts";
import { layoutSink, layoutSource } from "../transport/layout-image.ts";
import { Image, openImage } from "../transport/open-image.ts";
import type { ImageSource } from "../transport/source-and-sink.ts";
import { type ArtifactOptions, openArtifact } from "./build-artifact.ts";
import { referrersTree } from "./referrers-tree.ts";
import { writeArtifact } from "./write-artifact.ts";

const scope = createScope();

/** A directory for one test. */
class Place implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "teu-artifact-test-"));

  at(...parts: readonly string[]): string {
    return join(this.path, ...parts);
  }

  file(name: string, content: string): string {
    mkdirSync(join(this.at(name), ".."), { recursive: true });
    writeFileSync(this.at(name), content);
    return this.at(name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

async function make(place: Place, options: Omit<ArtifactOptions, "temporary">): Promise<ImageSource> {
  await using artifact = await openArtifact(scope, { ...options, temporary: place.path });
  await using sink = await layoutSink("layout", place.at("layout"), "a");
  await copyImage(scope, { source: artifact, sink, platform: "all" });
  return layoutSource("layout", place.at("layout"), "a");
}

async function write(
  source: ImageSource,
  directory: string,
  more: { readonly overwrite?: boolean; readonly config?: string } = {},
): Promise<string[]> {
  const image = await openImage(scope, source);
  assert.ok(image instanceof Image);
  const written = await writeArtifact(scope, source, image, { directory, ...more });
  return written.files.map(({ path }) => path);
}

/** A source with these layers, whatever they claim. */
function hostile(
  layers: readonly { readonly title: string; readonly bytes: Uint8Array; readonly unpack?: boolean }[],
): ImageSource {
  const blobs = new Map(layers.map(({ bytes }) => [String(digestOf(bytes)), bytes]));
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    artifactType: "application/x",
    config: EMPTY_DESCRIPTOR,
    layers: layers.map(({ title, bytes, unpack }) => ({
      mediaType: MEDIA_TYPES.layerGzip,
      digest: digestOf(bytes),
      size: bytes.length,
      annotations: {
        "org.opencontainers.image.title": title,
        ...(unpack === true ? { "io.deis.oras.content.unpack": "true" } : {}),
      },
    })),
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const descriptor: Descriptor = { mediaType: MEDIA_TYPES.manifest, digest: digestOf(bytes), size: bytes.length };
  return {
    name: "hostile",
    resolve: async () => descriptor,
    document: async () => bytes,
    async *blob(_, { digest }, offset) {
      yield (blobs.get(digest) ?? new Uint8Array()).subarray(offset);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

function archive(
  entries: readonly (Pick<TarEntry, "name" | "type"> & Partial<TarEntry>)[],
  content: string = "",
): Uint8Array {
  const parts = entries.flatMap((entry) => {
    const bytes = Buffer.from(entry.type === "file" ? content : "");
    return [encodeTarHeader(tarEntry({ ...entry, size: bytes.length })), bytes, tarPadding(bytes.length)];
  });
  return gzipSync(Buffer.concat([...parts, TAR_END]));
}

test("artifacts: files and directories come back as they were pushed", async () => {
  using place = new Place();
  place.file("in/one.txt", "one");
  place.file("in/sub/two.json", "{}");
  place.file("in/tree/deep/file", "deep");
  place.file("in/tree/run.sh", "#!/bin/sh\n");
  symlinkSync("../run.sh", place.at("in/tree/deep/link"));
  const files = ["one.txt", "sub/two.json", "tree"].map((name) => ({ path: place.at("in", name), name }));
  const config = { path: place.file("in/config.json", "{}"), mediaType: "application/vnd.test.config+json" };
  const source = await make(place, {
    files: [...files, { path: place.at("in/one.txt"), name: "same", mediaType: "text/plain" }],
    artifactType: "application/vnd.test",
    config,
    annotations: { "org.example.a": "b" },
  });
  const image = await openImage(scope, source);
  assert.ok(image instanceof Image);
  const { manifest } = image;
  assert.deepEqual([manifest.artifactType, manifest.config.mediaType], ["application/vnd.test", config.mediaType]);
  assert.deepEqual(
    manifest.layers.map(({ mediaType, annotations }) => [mediaType, annotations?.["org.opencontainers.image.title"]]),
    [
      [MEDIA_TYPES.layer, "one.txt"],
      [MEDIA_TYPES.layer, "sub/two.json"],
      [MEDIA_TYPES.layerGzip, "tree"],
      ["text/plain", "same"],
    ],
  );
  assert.equal(manifest.annotations?.["org.example.a"], "b");
  const out = place.at("out");
  assert.deepEqual(await write(source, out, { config: "the-config" }), [
    "one.txt",
    "sub/two.json",
    "tree",
    "same",
    "the-config",
  ]);
  assert.deepEqual(readdirSync(out, { recursive: true }).toSorted(), [
    ...["one.txt", "same", "sub", "sub/two.json", "the-config", "tree", "tree/deep", "tree/deep/file"],
    ...["tree/deep/link", "tree/run.sh"],
  ]);
  assert.equal(readFileSync(join(out, "tree/deep/file"), "utf8"), "deep");
  assert.equal(readlinkSync(join(out, "tree/deep/link")), "../run.sh");
  assert.equal(readFileSync(join(out, "same"), "utf8"), "one");
  // Files of one content are two files.
  writeFileSync(join(out, "same"), "other");
  assert.equal(readFileSync(join(out, "one.txt"), "utf8"), "one");
});

test("artifacts: nothing is overwritten unless wanted, and then files only", async () => {
  using place = new Place();
  const source = await make(place, { files: [{ path: place.file("new", "new"), name: "d/file" }] });
  const out = place.at("out");
  place.file("out/d/file", "old");
  await assert.rejects(write(source, out), { code: "already-exists" });
  assert.equal(readFileSync(join(out, "d/file"), "utf8"), "old");
  await write(source, out, { overwrite: true });
  assert.equal(readFileSync(join(out, "d/file"), "utf8"), "new");
  // A symlink is replaced, not followed.
  place.file("victim", "victim");
  rmSync(join(out, "d/file"));
  symlinkSync(place.at("victim"), join(out, "d/file"));
  await assert.rejects(write(source, out), { code: "already-exists" });
  await write(source, out, { overwrite: true });
  assert.equal(readFileSync(place.at("victim"), "utf8"), "victim");
  assert.equal(lstatSync(join(out, "d/file")).isFile(), true);
  rmSync(join(out, "d/file"));
  mkdirSync(join(out, "d/file"));
  await assert.rejects(write(source, out, { overwrite: true }), { code: "conflict" });
  // Nor is a directory that leads elsewhere gone through.
  rmSync(join(out, "d"), { recursive: true });
  mkdirSync(place.at("elsewhere"));
  symlinkSync(place.at("elsewhere"), join(out, "d"));
  await assert.rejects(write(source, out, { overwrite: true }), { code: "conflict" });
  assert.deepEqual(readdirSync(place.at("elsewhere")), []);
});

test("artifacts: names that lead elsewhere are refused, and nothing is written", async () => {
  using place = new Place();
  const bytes = Buffer.from("x");
  const names = [
    "../up",
    "/abs",
    "a/../../b",
    "..",
    ".",
    "",
    "a//b",
    "a/./b",
    "nul\0",
    "x".repeat(256),
    ".teu-artifact-1/x",
  ];
  for (const title of names) {
    const out = place.at("out");
    await assert.rejects(write(hostile([{ title, bytes }]), out), { code: "invalid" }, JSON.stringify(title));
    assert.equal(existsSync(out), false, title);
  }
  for (const titles of [
    ["a", "a"],
    ["a", "a/b"],
    ["./a", "a"],
  ])
    await assert.rejects(write(hostile(titles.map((title) => ({ title, bytes }))), place.at("out")), {
      code: "invalid",
    });
  assert.deepEqual(readdirSync(place.path), []);
});

test("artifacts: archives that lead elsewhere are refused, and nothing is at its place", async () => {
  using place = new Place();
  const cases: readonly (readonly [why: string, entries: Parameters<typeof archive>[0], code: string])[] = [
    ["above", [{ type: "file", name: "d/../../x" }], "invalid"],
    ["absolute", [{ type: "file", name: "/d/x" }], "invalid"],
    ["beside", [{ type: "file", name: "other/x" }], "invalid"],
    ["symlink to above", [{ type: "symlink", name: "d/l", linkName: "../x" }], "invalid"],
    ["absolute symlink", [{ type: "symlink", name: "d/l", linkName: "/etc" }], "invalid"],
    ["symlink in place of the directory", [{ type: "symlink", name: "d", linkName: "." }], "invalid"],
    [
      "through a symlink",
      [
        { type: "symlink", name: "d/l", linkName: "m" },
        { type: "file", name: "d/l/x" },
      ],
      "invalid",
    ],
    ["hard link to outside", [{ type: "hardlink", name: "d/h", linkName: "../victim" }], "invalid"],
    ["hard link to nothing", [{ type: "hardlink", name: "d/h", linkName: "d/absent" }], "invalid"],
    ["fifo", [{ type: "fifo", name: "d/f" }], "invalid"],
    ["device", [{ type: "character", name: "d/f", devMajor: 1, devMinor: 3 }], "invalid"],
    [
      "twice",
      [
        { type: "file", name: "d/x" },
        { type: "symlink", name: "d/x", linkName: "y" },
      ],
      "invalid",
    ],
  ];
  place.file("victim", "victim");
  for (const [why, entries, code] of cases) {
    const source = hostile([{ title: "d", unpack: true, bytes: archive(entries, "x") }]);
    await assert.rejects(write(source, place.at("out"), { overwrite: true }), { code }, why);
    assert.deepEqual(readdirSync(place.at("out")), [], why);
    rmSync(place.at("out"), { recursive: true });
  }
  assert.equal(readFileSync(place.at("victim"), "utf8"), "victim");
});

test("artifacts: modes lose setuid; hard links and a directory in the middle are as they were packed", async () => {
  using place = new Place();
  const bytes = archive(
    [
      { type: "directory", name: "d" },
      { type: "file", name: "d/x", mode: 0o4755 },
      { type: "hardlink", name: "d/h", linkName: "d/x" },
      { type: "directory", name: "d" },
    ],
    "content",
  );
  assert.deepEqual(await write(hostile([{ title: "d", unpack: true, bytes }]), place.at("out")), ["d"]);
  assert.equal(lstatSync(place.at("out/d/x")).mode & 0o7000, 0);
  assert.equal(readFileSync(place.at("out/d/h"), "utf8"), "content");
  // Into a directory that is there: files beside stay.
  place.file("again/d/mine", "mine");
  await write(hostile([{ title: "d", unpack: true, bytes }]), place.at("again"));
  assert.deepEqual(readdirSync(place.at("again/d")).toSorted(), ["h", "mine", "x"]);
});

test("artifacts: what was interrupted goes on where it ended, what is wrong is not kept", async () => {
  using place = new Place();
  const bytes = Buffer.alloc(3 << 20, "x");
  const honest = hostile([{ title: "big", bytes }]);
  const offsets: number[] = [];
  const cut = (source: ImageSource, at: number): ImageSource => ({
    ...source,
    async *blob(inner, blob, offset) {
      offsets.push(offset);
      yield bytes.subarray(offset, at);
      if (at < bytes.length) throw new Error("cut");
      void [inner, blob];
    },
  });
  await assert.rejects(write(cut(honest, 2 << 20), place.at("out")));
  assert.deepEqual(readdirSync(place.at("out")).length, 1);
  await write(cut(honest, bytes.length), place.at("out"));
  assert.deepEqual(offsets, [0, 2 << 20]);
  assert.deepEqual(readdirSync(place.at("out")), ["big"]);
  assert.deepEqual(readFileSync(place.at("out/big")), bytes);
  const liar: ImageSource = {
    ...honest,
    async *blob() {
      yield Buffer.alloc(bytes.length, "y");
    },
  };
  await assert.rejects(write(liar, place.at("lies")), { code: "corrupt" });
  assert.deepEqual(readdirSync(place.at("lies")), []);
});

test("openArtifact: names, types and files that cannot be", async () => {
  using place = new Place();
  const path = place.file("x", "x");
  const cases: readonly (readonly [Omit<ArtifactOptions, "temporary">, string])[] = [
    [{ files: [{ path, name: "../x" }] }, "invalid"],
    [{ files: [{ path, name: "/x" }] }, "invalid"],
    [{ files: [{ path: place.path, name: "." }] }, "invalid"],
    [
      {
        files: [
          { path, name: "x" },
          { path, name: "./x" },
        ],
      },
      "invalid",
    ],
    [{ files: [{ path, name: "x", mediaType: "no type" }] }, "invalid"],
    [{ files: [], artifactType: "x" }, "invalid"],
    [{ files: [{ path: place.at("absent"), name: "x" }] }, "not-found"],
    [{ files: [{ path: "/dev/null", name: "x" }] }, "unsupported"],
  ];
  for (const [options, code] of cases)
    await assert.rejects(openArtifact(scope, { ...options, temporary: place.path }), { code }, JSON.stringify(options));
  symlinkSync("/etc", place.at("out-link"));
  mkdirSync(place.at("dir"));
  symlinkSync("../x", place.at("dir/link"));
  const leading = openArtifact(scope, { files: [{ path: place.at("dir"), name: "dir" }], temporary: place.path });
  await assert.rejects(leading, { code: "invalid" });
  assert.deepEqual(readdirSync(place.path).toSorted(), ["dir", "out-link", "x"]);
});

test("openArtifact: without files there is the empty layer; the type is told", async () => {
  using place = new Place();
  await using artifact = await openArtifact(scope, { files: [], temporary: place.path });
  assert.deepEqual(artifact.manifest.layers, [EMPTY_DESCRIPTOR]);
  assert.equal(artifact.manifest.artifactType, "application/vnd.unknown.artifact.v1");
});

test("referrersTree: of layouts, by type, in depth, in circles", async () => {
  using place = new Place();
  const layout = place.at("layout");
  const add = async (name: string | undefined, options: Omit<ArtifactOptions, "temporary">): Promise<Descriptor> => {
    await using artifact = await openArtifact(scope, { ...options, temporary: place.path });
    await using sink = await layoutSink("layout", layout, ...(name === undefined ? [] : [name]));
    await copyImage(scope, { source: artifact, sink, platform: "all" });
    return artifact.descriptor;
  };
  const subject = await add("v1", { files: [] });
  const sbom = await add(undefined, { files: [], artifactType: "application/sbom", subject, annotations: { a: "b" } });
  const signature = await add(undefined, { files: [], artifactType: "application/signature", subject: sbom });
  const source = layoutSource("layout", layout, "v1");
  const tree = await referrersTree(scope, source, digestOf(await source.document(scope, subject)));
  assert.deepEqual(
    tree.map(({ descriptor, referrers }) => [
      descriptor.digest,
      descriptor.artifactType,
      descriptor.annotations?.["a"],
      referrers.map((one) => [one.descriptor.digest, one.descriptor.artifactType]),
    ]),
    [[sbom.digest, "application/sbom", "b", [[signature.digest, "application/signature"]]]],
  );
  const digest = digestOf(await source.document(scope, subject));
  assert.equal((await referrersTree(scope, source, digest, { depth: 1 }))[0]?.referrers.length, 0);
  assert.deepEqual(await referrersTree(scope, source, digest, { artifactType: "application/signature" }), []);
  const circle: ImageSource = { ...source, referrers: async () => [subject, sbom] };
  const [only] = await referrersTree(scope, circle, digest);
  assert.deepEqual([only?.descriptor.digest, only?.referrers], [sbom.digest, []]);
});
