// The defences against hostile layers, documents and archives.

import type { Defence } from "./defence.ts";

/** A part of the table. */
export const IMAGE_DEFENCES: readonly Defence[] = [
  {
    name: "layer-no-dotdot",
    against: "names that lead out of the layer",
    what: "no component of an entry's name is ..",
    file: "packages/image/src/layer/entry-place.ts",
    changes: [['if (parts.includes("..")) throw', "if (false) throw"]],
    kill: { test: "tests/system/image-apply-hostile.test.ts", name: "applyLayer: refuses a name with .." },
  },
  {
    name: "layer-no-nul",
    against: "names with NUL",
    what: "a name is what the kernel will see",
    file: "packages/image/src/layer/entry-place.ts",
    changes: [['if (name.includes("\\0")) throw', "if (false) throw"]],
    kill: {
      test: "packages/image/src/layer/entry-place.test.ts",
      name: "placeOf, linkTarget: corrupt for names that lead out, hold a NUL, mean nothing or are too long",
    },
  },
  {
    name: "layer-short-paths",
    against: "paths beyond PATH_MAX",
    what: "a path is one that programs can name",
    file: "packages/image/src/layer/entry-place.ts",
    changes: [["if (isTooLong(name)) throw", "if (false) throw"]],
    kill: { test: "tests/system/image-apply-hostile.test.ts", name: "applyLayer: refuses a path beyond PATH_MAX" },
  },
  {
    name: "layer-child-no-symlink",
    against: "symlinks and mounts in place of directories, races",
    what: "each directory of a layer is opened by one component, which is no symlink",
    file: "packages/image/src/internal/union-tree.ts",
    changes: [
      [
        "    O_RDONLY | O_DIRECTORY | O_NOFOLLOW,\n    0,\n    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,",
        "    O_RDONLY | O_DIRECTORY | (O_NOFOLLOW & RESOLVE_BENEATH & RESOLVE_NO_SYMLINKS & RESOLVE_NO_XDEV),\n    0,\n    0,",
      ],
    ],
    kill: {
      test: "packages/image/src/internal/union-tree.test.ts",
      name: "openChild: a directory, and no symlink wherever it leads, nor anything above",
    },
  },
  {
    name: "layer-one-component",
    against: "the same for files",
    what: "files are opened without following anything",
    file: "packages/image/src/layer/layer-tree.ts",
    changes: [
      [
        "export const ONE_COMPONENT: number = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;",
        "export const ONE_COMPONENT: number = RESOLVE_BENEATH & RESOLVE_NO_SYMLINKS & RESOLVE_NO_XDEV;",
      ],
    ],
    kill: {
      test: "packages/image/src/internal/union-tree.test.ts",
      name: "ONE_COMPONENT: the kernel follows no symlink on the way, nor at the end",
    },
  },
  {
    name: "layer-link-not-directory",
    against: "hard links to directories",
    what: "a hard link is to a file",
    file: "packages/image/src/layer/layer-writer.ts",
    changes: [["if (isType(target.found.stat.mode, S_IFDIR)) {", "if (false as boolean) {"]],
    kill: { test: "tests/system/image-apply-hostile.test.ts", name: "applyLayer: refuses a hard link to a directory" },
  },
  {
    name: "layer-whiteout-of-something",
    against: "whiteouts of the parent",
    what: "a whiteout names an entry",
    file: "packages/image/src/layer/entry-place.ts",
    changes: [['if (hidden === "" || hidden === "." || hidden === "..") throw', "if (false) throw"]],
    kill: { test: "tests/system/image-apply-hostile.test.ts", name: "applyLayer: refuses a whiteout of .." },
  },
  {
    name: "layer-whiteout-no-directory",
    against: "whiteouts as directories",
    what: "nothing lies below a whiteout",
    file: "packages/image/src/layer/entry-place.ts",
    changes: [["if (parents.some((part) => part.startsWith(WHITEOUT_PREFIX))) throw", "if (false) throw"]],
    kill: { test: "tests/system/image-apply-hostile.test.ts", name: "applyLayer: refuses a whiteout as a directory" },
  },
  {
    name: "layer-root-directory",
    against: "CVE-2021-29136",
    what: "the root is a directory",
    file: "packages/image/src/layer/layer-writer.ts",
    changes: [['if (entry.type !== "directory") {', "if (false as boolean) {"]],
    kill: { test: "tests/system/image-apply-hostile.test.ts", name: "applyLayer: refuses a root that is a symlink" },
  },
  {
    name: "layer-no-overlay-attributes",
    against: "overlayfs' redirect and opaque from an image",
    what: "overlayfs' attributes come from this host only",
    file: "packages/image/src/layer/entry-attributes.ts",
    changes: [["FORBIDDEN_XATTRS.test(key) ||", ""]],
    kill: {
      test: "tests/system/image-apply-hostile.test.ts",
      name: "applyLayer: overlayfs' attributes never come from a layer",
    },
  },
  {
    name: "layer-no-overlay-whiteout",
    against: "overlayfs' whiteout from an image",
    what: "a device 0:0 is made by this host only",
    file: "packages/image/src/layer/layer-writer.ts",
    changes: [["    if (device) {", "    if (device && false) {"]],
    kill: {
      test: "tests/system/image-apply-hostile.test.ts",
      name: "applyLayer: refuses overlayfs' whiteout as a device",
    },
  },
  {
    name: "rootless-own-attributes",
    against: "owners and devices that an image claims",
    what: "what is kept in attributes without root comes from this host only",
    file: "packages/image/src/layer/entry-attributes.ts",
    changes: [["(this.rootless && OURS.has(key))", "false"]],
    kill: {
      test: "tests/system/image-rootless.test.ts",
      name: "applyLayer rootless: an image cannot say itself what only this host keeps",
    },
  },
  {
    name: "bomb-ratio",
    against: "decompression bombs",
    what: "output stays within a multiple of the input",
    file: "packages/image/src/compression/decompress.ts",
    changes: [
      [
        "const tooDense = this.#out > ratioFloor && this.#out > this.#in * ratio;",
        "const tooDense = this.#out > ratioFloor && this.#out > this.#in * ratio && false;",
      ],
    ],
    kill: {
      test: "tests/system/image-apply-hostile.test.ts",
      name: "applyLayer: bombs stop at the ratio and at the size, in gzip, in many members, in zstd, in many frames",
    },
  },
  {
    name: "bomb-size",
    against: "decompression bombs",
    what: "output has a largest size",
    file: "packages/image/src/compression/decompress.ts",
    changes: [["if (this.#out <= bytes && !tooDense) return;", "if (!tooDense) return;"]],
    kill: {
      test: "tests/system/image-apply-hostile.test.ts",
      name: "applyLayer: bombs stop at the ratio and at the size, in gzip, in many members, in zstd, in many frames",
    },
  },
  {
    name: "bomb-window",
    against: "zstd's memory",
    what: "a zstd window has 128 MiB at most",
    file: "packages/image/src/compression/pool-expand.ts",
    changes: [["const ZSTD_WINDOW_LOG = 27;", "const ZSTD_WINDOW_LOG = 31;"]],
    kill: {
      test: "packages/image/src/compression/compression.test.ts",
      name: "decompress: corrupt for a zstd window beyond 128 MiB",
    },
  },
  {
    name: "tar-entries",
    against: "archives of millions of entries",
    what: "entries are counted",
    file: "packages/image/src/tar/reader.ts",
    changes: [
      ["if (++this.#entries > this.#entryLimit) throw", "if (++this.#entries > this.#entryLimit && false) throw"],
    ],
    kill: { test: "tests/system/image-apply-hostile.test.ts", name: "applyLayer: too many entries, too large headers" },
  },
  {
    name: "tar-header-size",
    against: "headers of 100 MB",
    what: "an extension header has a largest size",
    file: "packages/image/src/tar/reader.ts",
    changes: [["if (size > this.#headerLimit) {", "if (size > this.#headerLimit && false) {"]],
    kill: { test: "tests/system/image-apply-hostile.test.ts", name: "applyLayer: too many entries, too large headers" },
  },
  {
    name: "tar-sparse-fits",
    against: "sparse maps beyond their files",
    what: "a sparse map fits its file",
    file: "packages/image/src/tar/reader.ts",
    changes: [
      [
        "if (offset < end || !Number.isSafeInteger(offset + length) || offset + length > size) {",
        "if (false as boolean) {",
      ],
    ],
    kill: { test: "packages/image/src/tar/tar.test.ts", name: "TarReader: corrupt for a sparse map beyond its file" },
  },
  {
    name: "size-before-hash",
    against: "bodies without end",
    what: "no byte more than declared is read",
    file: "packages/image/src/verified-stream.ts",
    changes: [["if (size !== undefined && this.#digester.size + chunk.length > size) {", "if (false as boolean) {"]],
    kill: {
      test: "tests/system/image-apply-hostile.test.ts",
      name: "applyLayer: an endless body ends at the declared size",
    },
  },
  {
    name: "blob-digest",
    against: "other content",
    what: "content is what its digest says",
    file: "packages/image/src/verified-stream.ts",
    changes: [["if (digest !== undefined && found !== digest) throw", "if (false) throw"]],
    kill: {
      test: "tests/system/image-apply-hostile.test.ts",
      name: "applyLayer: corrupt for lies about digest, DiffID and size, with nothing left",
    },
  },
  {
    name: "blob-beside",
    against: "memory that is used again too early",
    what: "a chunk that is hashed beside others is not let go before",
    file: "packages/image/src/layer/offered-bytes.ts",
    changes: [["    await this.#hashed;\n", ""]],
    kill: {
      test: "packages/image/src/layer/offered-bytes.test.ts",
      name: "OfferedBytes: the next but one is asked for when a chunk that was taken is hashed, and not before",
    },
  },
  {
    name: "linked-blob-digest",
    against: "other content",
    what: "a blob that is linked into a layout is read first",
    file: "packages/image/src/adopt-blob.ts",
    changes: [["    await verify(scope, fd, blob);\n", ""]],
    kill: {
      test: "packages/image/src/adopt-blob.test.ts",
      name: "adopt: corrupt when the content is another, with nothing left",
    },
  },
  {
    name: "linked-blob-owner",
    against: "content that somebody changes afterwards",
    what: "only files that nobody else can write are linked",
    file: "packages/image/src/adopt-blob.ts",
    changes: [["found.size === size && own", "found.size === size"]],
    kill: {
      test: "packages/image/src/adopt-blob.test.ts",
      name: "adopt: false for what is to be copied or is no file of this user's alone, with nothing left",
    },
  },
  {
    name: "layer-diff-id",
    against: "another tar under the right blob",
    what: "a layer unpacks to its DiffID",
    file: "packages/image/src/layer/apply.ts",
    changes: [["if (wanted !== undefined && diffId !== wanted) {", "if (false as boolean) {"]],
    kill: {
      test: "tests/system/image-apply-hostile.test.ts",
      name: "applyLayer: corrupt for lies about digest, DiffID and size, with nothing left",
    },
  },
  {
    name: "document-verified",
    against: "sources that lie",
    what: "documents are compared with their descriptors wherever they come from",
    file: "packages/image/src/transport/open-image.ts",
    changes: [["  verifier.update(bytes);\n  verifier.finish();\n", ""]],
    kill: {
      test: "packages/image/src/transport/transport.test.ts",
      name: "openImage: what a source says is compared with what was asked for, and the way to a platform has an end",
    },
  },
  {
    name: "digest-grammar",
    against: "CVE-2024-3727",
    what: "a digest is no path",
    file: "packages/image/src/digest.ts",
    changes: [["if (match === null) return 'want", "if (false as boolean) return 'want"]],
    kill: {
      test: "packages/image/src/digest.test.ts",
      name: "parseDigest: invalid for everything else, paths above all",
    },
  },
  {
    name: "index-depth",
    against: "indexes without end",
    what: "indexes are nested a few levels deep",
    file: "packages/image/src/transport/copy-image.ts",
    changes: [["if (depth > MAX_DEPTH) throw", "if (false) throw"]],
    kill: {
      test: "packages/image/src/transport/transport.test.ts",
      name: "copyImage: indexes without end, and lies about sizes, are refused before anything is written",
    },
  },
  {
    name: "index-once",
    against: "shared indexes, exponentially many ways",
    what: "each document is read once",
    file: "packages/image/src/transport/copy-image.ts",
    changes: [["    if (this.#seen.has(descriptor.digest)) return;\n", ""]],
    kill: {
      test: "packages/image/src/transport/transport.test.ts",
      name: "copyImage: shared children are walked once, however many paths lead to them",
    },
  },
  {
    name: "documents-bytes",
    against: "manifests that fill the memory",
    what: "all documents of a copy have a largest size",
    file: "packages/image/src/transport/copy-image.ts",
    changes: [["if (this.#bytes > MAX_DOCUMENT_BYTES) throw", "if (false) throw"]],
    kill: {
      test: "packages/image/src/transport/transport.test.ts",
      name: "copyImage: all documents together have a limit, which memory has too",
    },
  },
  {
    name: "manifest-no-index",
    against: "CVE-2021-41190",
    what: "a manifest is not an index as well",
    file: "packages/specs/src/image.ts",
    changes: [['refuseKeys(value, "image manifest"', 'if (false as boolean) refuseKeys(value, "image manifest"']],
    kill: { test: "packages/specs/src/image.test.ts", name: "parse: invalid when given manifest-and-index.json" },
  },
  {
    name: "index-no-manifest",
    against: "CVE-2021-41190",
    what: "an index is not a manifest as well",
    file: "packages/specs/src/image.ts",
    changes: [['refuseKeys(value, "image index"', 'if (false as boolean) refuseKeys(value, "image index"']],
    kill: { test: "packages/specs/src/image.test.ts", name: "parse: invalid when given index-and-manifest.json" },
  },
  {
    name: "json-one-case",
    against: "names that differ in case for Go",
    what: "no name is a known one in another case",
    file: "packages/specs/src/image.ts",
    changes: [["if (twin === undefined) continue;", "if (twin === undefined || true) continue;"]],
    kill: { test: "packages/specs/src/image.test.ts", name: "parse: invalid when given index-case-variant.json" },
  },
  {
    name: "json-names-once",
    against: "names that stand twice",
    what: "no name stands twice",
    file: "packages/specs/src/json.ts",
    changes: [
      [
        "if (countStrings(value, maxDepth) !== (bare.split('\"').length - 1) / 2) throw",
        'if (countStrings(value, maxDepth) === -1 && bare === "") throw',
      ],
    ],
    kill: { test: "packages/specs/src/image.test.ts", name: "parse: invalid when given index-duplicate-name.json" },
  },
  {
    name: "document-type",
    against: "CVE-2021-41190",
    what: "a document is what its descriptor calls it",
    file: "packages/image/src/documents.ts",
    changes: [["if (own === undefined || own === descriptor.mediaType) return;", 'if (own !== "") return;']],
    kill: {
      test: "packages/image/src/layout/archives.test.ts",
      name: "readManifest: invalid when the document says it is something else, corrupt for another size",
    },
  },
  {
    name: "archive-name-once",
    against: "archives with two meanings",
    what: "no member stands twice",
    file: "packages/image/src/docker-archive/archive-members.ts",
    changes: [["if (this.#blobs.has(name) || this.#links.has(name)) throw", "if (false) throw"]],
    kill: {
      test: "packages/image/src/layout/archives.test.ts",
      name: "loadArchive: corrupt for the same name twice, and the store stays empty",
    },
  },
  {
    name: "archive-link-inside",
    against: "links out of an archive",
    what: "a link leads to a member",
    file: "packages/image/src/docker-archive/archive-members.ts",
    changes: [["if (parts.pop() === undefined) throw", 'if (parts.pop() === "") throw']],
    kill: {
      test: "packages/image/src/layout/archives.test.ts",
      name: "loadArchive: corrupt for a link out of the archive, and the store stays empty",
    },
  },
  {
    name: "archive-nothing-left",
    against: "archives that fail half-way",
    what: "the store is as it was",
    file: "packages/image/src/docker-archive/load-archive.ts",
    changes: [
      [
        "    await members.drop(cleanupScope(scope, 30_000), store, new Set());\n    throw error;",
        "    void cleanupScope;\n    throw error;",
      ],
    ],
    kill: {
      test: "packages/image/src/layout/archives.test.ts",
      name: "loadArchive: corrupt for the same name twice, and the store stays empty",
    },
  },
];
