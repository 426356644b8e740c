// Layers made to break out, to exhaust, or to confuse: each must be refused whole, with nothing left and nothing touched
// outside the target.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { openDirectory } from "@teu/files/open";
import { getXattr, listXattrs } from "@teu/files/xattrs";
import { digestOf } from "@teu/image/digest";
import { UnionView } from "@teu/image/layer/union-view";
import { encodePaxRecord } from "@teu/image/tar/pax";
import { encodeTarHeader, TAR_END, tarEntry } from "@teu/image/tar/writer";
import { MEDIA_TYPES } from "@teu/specs/image";

import { chunked, type LayerItem, LayerStack, layerTar } from "./image-layers.ts";

/** A stack in a directory with something outside that must stay as it is. */
async function withVictim(): Promise<LayerStack> {
  const stack = await LayerStack.make();
  mkdirSync(stack.path("outside"));
  writeFileSync(stack.path("outside/victim"), "untouched", { mode: 0o600 });
  return stack;
}

function assertVictim(stack: LayerStack, what: string): void {
  assert.deepEqual(readdirSync(stack.path("outside")), ["victim"], what);
  assert.equal(readFileSync(stack.path("outside/victim"), "utf8"), "untouched", what);
  const { nlink, mode, uid } = statSync(stack.path("outside/victim"));
  assert.deepEqual([nlink, mode & 0o7777, uid], [1, 0o600, 0], what);
}

const REFUSED: readonly { name: string; code: ErrorCode; text: RegExp; lower?: LayerItem[]; items: LayerItem[] }[] = [
  { name: "a name with ..", code: "corrupt", text: /"\.\."/, items: [{ name: "../outside/new", content: "x" }] },
  {
    name: "a name with .. in the middle",
    code: "corrupt",
    text: /"\.\."/,
    items: [{ name: "a/../../outside/victim", content: "x" }],
  },
  {
    name: "an absolute name with ..",
    code: "corrupt",
    text: /"\.\."/,
    items: [{ name: "/../outside/victim", content: "x" }],
  },
  { name: "a name that ends with ..", code: "corrupt", text: /"\.\."/, items: [{ name: "a/..", type: "directory" }] },
  { name: "a name that is ..", code: "corrupt", text: /"\.\."/, items: [{ name: "..", type: "directory" }] },
  { name: "a whiteout of ..", code: "corrupt", text: /whiteout of nothing/, items: [{ name: "a/.wh..." }] },
  { name: "a whiteout of .", code: "corrupt", text: /whiteout of nothing/, items: [{ name: "a/.wh.." }] },
  { name: "a bare whiteout", code: "corrupt", text: /whiteout of nothing/, items: [{ name: ".wh." }] },
  {
    name: "a whiteout as a directory",
    code: "corrupt",
    text: /no directory/,
    items: [{ name: ".wh.x/y", content: "" }],
  },
  {
    name: "an opaque mark as a directory",
    code: "corrupt",
    text: /no directory/,
    items: [{ name: "d/.wh..wh..opq/y", content: "" }],
  },
  {
    name: "a root that is a symlink",
    code: "corrupt",
    text: /root is a symlink/,
    items: [{ name: "./", type: "symlink", linkName: "/" }],
  },
  {
    name: "a root that is a file",
    code: "corrupt",
    text: /root is a file/,
    items: [{ name: ".", type: "file", content: "x" }],
  },
  {
    name: "a file whose name ends with a slash",
    code: "corrupt",
    text: /ends with a slash/,
    items: [{ name: "/", type: "file", content: "x" }],
  },
  {
    name: "a hard link to the outside",
    code: "corrupt",
    text: /"\.\."/,
    items: [{ name: "h", type: "hardlink", linkName: "../outside/victim" }],
  },
  {
    name: "a hard link to an absolute path",
    code: "corrupt",
    text: /not in the image/,
    items: [{ name: "h", type: "hardlink", linkName: "/etc/passwd" }],
  },
  {
    name: "a hard link through a symlink to the outside",
    code: "corrupt",
    text: /not in the image/,
    items: [
      { name: "l", type: "symlink", linkName: "../../outside" },
      { name: "h", type: "hardlink", linkName: "l/victim" },
    ],
  },
  {
    name: "a hard link through a lower symlink to the outside",
    code: "corrupt",
    text: /not in the image/,
    lower: [{ name: "l", type: "symlink", linkName: "../../outside" }],
    items: [{ name: "h", type: "hardlink", linkName: "l/victim" }],
  },
  {
    name: "a hard link to a symlink's target on the host",
    code: "corrupt",
    text: /not in the image/,
    items: [
      { name: "l", type: "symlink", linkName: "/proc/self/root" },
      { name: "h", type: "hardlink", linkName: "l/etc/passwd" },
    ],
  },
  {
    name: "a hard link to a directory",
    code: "corrupt",
    text: /is a directory/,
    items: [{ name: "d/" }, { name: "h", type: "hardlink", linkName: "d" }],
  },
  {
    name: "a hard link in the place of the directory that its target is in",
    code: "corrupt",
    text: /take the place of a directory/,
    items: [
      { name: "d/e/file", content: "x" },
      { name: "d", type: "hardlink", linkName: "d/e/file" },
    ],
  },
  {
    name: "a hard link to the root",
    code: "corrupt",
    text: /root/,
    items: [{ name: "h", type: "hardlink", linkName: "/" }],
  },
  {
    name: "a hard link to itself alone",
    code: "corrupt",
    text: /not in the image/,
    items: [{ name: "h", type: "hardlink", linkName: "h" }],
  },
  {
    name: "overlayfs' whiteout as a device",
    code: "corrupt",
    text: /0:0/,
    items: [{ name: "dev", type: "character" }],
  },
  {
    name: "a file in place of a parent",
    code: "invalid",
    text: /not a directory/,
    items: [
      { name: "a", content: "x" },
      { name: "a/b/c", content: "x" },
    ],
  },
  {
    name: "a file as the parent",
    code: "corrupt",
    text: /not a directory/,
    items: [
      { name: "a", content: "x" },
      { name: "a/b", content: "x" },
    ],
  },
  {
    name: "a symlink loop as parent",
    code: "invalid",
    text: /symlinks/,
    items: [
      { name: "a", type: "symlink", linkName: "b" },
      { name: "b", type: "symlink", linkName: "a" },
      { name: "a/x", content: "x" },
    ],
  },
  {
    name: "a symlink through a missing directory and back",
    code: "corrupt",
    text: /missing/,
    items: [
      { name: "l", type: "symlink", linkName: "nope/../../../outside" },
      { name: "l/x", content: "x" },
    ],
  },
  {
    name: "a path beyond PATH_MAX",
    code: "corrupt",
    text: /4096/,
    items: [{ name: "a/".repeat(2100), type: "directory" }],
  },
  {
    name: "a component beyond NAME_MAX",
    code: "invalid",
    text: /too long/,
    items: [{ name: "n".repeat(300), content: "x" }],
  },
];

for (const { name, code, text, lower, items } of REFUSED) {
  test(`applyLayer: refuses ${name}`, async () => {
    await using stack = await withVictim();
    if (lower !== undefined) await stack.add(lower);
    const target = stack.path("t");
    await assert.rejects(stack.add([{ name: "before", content: "x" }, ...items], { target }), (error) => {
      assert.ok(isTeuError(error, code), String(error));
      assert.match(error.message, text);
      return true;
    });
    assert.ok(!existsSync(target), "the target must be gone");
    assertVictim(stack, name);
  });
}

/** Breakouts that lead back inside: they must work, and touch nothing outside. */
const CONTAINED: readonly { name: string; lower?: LayerItem[]; items: LayerItem[]; inside: string }[] = [
  { name: "absolute names", items: [{ name: "/etc/new", content: "x" }], inside: "etc/new" },
  { name: "names with . and //", items: [{ name: ".//a/./b", content: "x" }], inside: "a/b" },
  {
    name: "writing through a symlink of the same layer",
    items: [
      { name: "l", type: "symlink", linkName: "../../outside" },
      { name: "l/victim", content: "x" },
    ],
    inside: "outside/victim",
  },
  {
    name: "writing through an absolute symlink of a lower layer",
    lower: [{ name: "l", type: "symlink", linkName: "/outside" }],
    items: [{ name: "l/victim", content: "x" }],
    inside: "outside/victim",
  },
  {
    name: "a file over a symlink to the outside",
    items: [
      { name: "l", type: "symlink", linkName: "../outside/victim" },
      { name: "l", content: "x" },
    ],
    inside: "l",
  },
  {
    name: "a directory over a symlink to the outside",
    items: [
      { name: "l", type: "symlink", linkName: "../outside" },
      { name: "l/", mode: 0o777 },
      { name: "l/victim", content: "x" },
    ],
    inside: "l/victim",
  },
  {
    name: "magic links of proc as parents",
    items: [
      { name: "l", type: "symlink", linkName: "/proc/self/root/tmp" },
      { name: "l/x", content: "x" },
    ],
    inside: "proc/self/root/tmp/x",
  },
];

for (const { name, lower, items, inside } of CONTAINED) {
  test(`applyLayer: stays inside with ${name}`, async () => {
    await using stack = await withVictim();
    if (lower !== undefined) await stack.add(lower);
    await stack.add(items);
    assert.equal(readFileSync(`${stack.top}/${inside}`, "utf8"), "x");
    assertVictim(stack, name);
  });
}

test("applyLayer: whiteouts and opaque marks through a symlinked parent stay inside", async () => {
  await using stack = await withVictim();
  await stack.add([
    { name: "etc", type: "symlink", linkName: "../../outside" },
    { name: "outside/victim", content: "lower" },
  ]);
  await stack.add([{ name: "etc/.wh.victim" }, { name: "etc/.wh..wh..opq" }]);
  assertVictim(stack, "whiteout");
  using view = UnionView.open(stack.layers);
  assert.equal(view.lookup("/outside/victim"), null);
});

test("applyLayer: whiteouts are marks, whatever type their entry has", async () => {
  await using stack = await withVictim();
  await stack.add(["a", "b", "c", "d"].map((name) => ({ name: `${name}/x`, content: "x" })));
  await stack.add([
    { name: ".wh.a", type: "symlink", linkName: "../outside" },
    { name: ".wh.b/", type: "directory" },
    { name: ".wh.c", type: "fifo" },
    { name: "d/.wh..wh..opq", type: "symlink", linkName: "../../outside" },
  ]);
  assertVictim(stack, "whiteout");
  using view = UnionView.open(stack.layers);
  assert.deepEqual(
    view.readDir("/").map(({ name }) => name),
    ["d"],
  );
  assert.deepEqual(view.readDir("/d"), []);
});

test("applyLayer: a sparse file larger than any file system takes is refused, with nothing left", async () => {
  await using stack = await LayerStack.make();
  const sparse = [
    encodePaxRecord("GNU.sparse.major", "1"),
    encodePaxRecord("GNU.sparse.minor", "0"),
    encodePaxRecord("GNU.sparse.name", "huge"),
    encodePaxRecord("GNU.sparse.realsize", String(2 ** 53 - 1)),
  ];
  const records = Buffer.concat(sparse);
  const header = encodeTarHeader(tarEntry({ type: "file", name: "p", size: records.length }));
  header[156] = "x".charCodeAt(0);
  fixChecksum(header);
  const map = Buffer.alloc(512);
  map.write("0\n");
  const entry = encodeTarHeader(tarEntry({ type: "file", name: "huge", size: map.length }));
  const tar = Buffer.concat([header, records, Buffer.alloc(512 - (records.length % 512)), entry, map, TAR_END]);
  await assert.rejects(stack.add(tar), (error) => isTeuError(error, "exhausted") || isTeuError(error, "invalid"));
  assert.deepEqual(readdirSync(stack.directory), []);
});

test("applyLayer: an entry without a name is no file", async () => {
  await using stack = await withVictim();
  const tar = layerTar([{ name: "x", content: "x" }]);
  tar[0] = 0;
  fixChecksum(tar.subarray(0, 512));
  await assert.rejects(stack.add(tar), (error) => isTeuError(error, "corrupt") && /root is a file/.test(error.message));
});

test("applyLayer: AUFS' own files are passed over", async () => {
  await using stack = await LayerStack.make();
  await stack.add([
    { name: ".wh..wh.plnk/", mode: 0o700 },
    { name: ".wh..wh.plnk/12.34", content: "x" },
    { name: ".wh..wh.aufs", content: "x" },
    { name: "a" },
  ]);
  assert.deepEqual(readdirSync(stack.top), ["a"]);
});

test("applyLayer: overlayfs' attributes never come from a layer", async () => {
  await using stack = await LayerStack.make();
  const xattrs = new Map(
    ["trusted.overlay.redirect", "trusted.overlay.opaque", "user.overlay.opaque", "user.mine"].map((name) => [
      name,
      Buffer.from("y"),
    ]),
  );
  await stack.add([
    { name: "d/", xattrs },
    { name: "f", content: "x", xattrs },
    { name: "l", type: "symlink", linkName: "x", xattrs: new Map([["trusted.overlay.redirect", Buffer.from("/")]]) },
  ]);
  using directory = openDirectory(stack.top);
  for (const name of ["d", "f"]) assert.deepEqual(listXattrs(directory.fd, name), ["user.mine"]);
  assert.equal(getXattr(directory.fd, "l", "trusted.overlay.redirect"), null);
});

test("UnionView, applyLayer: a redirect in a lower directory is refused, not followed", async () => {
  await using stack = await LayerStack.make();
  await stack.add([{ name: "secret/key", content: "s" }]);
  await stack.add([{ name: "d/" }]);
  using directory = openDirectory(stack.top);
  const { setXattr } = await import("@teu/files/xattrs");
  setXattr(directory.fd, "d", "trusted.overlay.redirect", Buffer.from("secret"));
  using view = UnionView.open(stack.layers);
  assert.throws(
    () => view.lookup("/d/key"),
    (error) => isTeuError(error, "unsupported"),
  );
  await assert.rejects(stack.add([{ name: "d/x" }]), (error) => isTeuError(error, "unsupported"));
});

test("applyLayer: corrupt for lies about digest, DiffID and size, with nothing left", async () => {
  const tar = layerTar([{ name: "a", content: "b" }]);
  const other = digestOf("other");
  for (const [more, text] of [
    [{ expectedDigest: other }, /content has digest/],
    [{ expectedDiffId: other }, /DiffID/],
    [{ expectedDigest: digestOf(tar), expectedDiffId: other }, /DiffID/],
    [{ descriptorSize: tar.length - 1 }, /longer than/],
    [{ descriptorSize: tar.length + 1 }, /instead of/],
    [{ descriptorSize: 0 }, /longer than/],
    [{ descriptorSize: -1 }, /longer than/],
  ] as const) {
    await using stack = await LayerStack.make();
    await assert.rejects(
      stack.add(tar, more),
      (error) => isTeuError(error, "corrupt") && text.test(error.message),
      JSON.stringify(more),
    );
    assert.deepEqual(readdirSync(stack.directory), []);
  }
});

test("applyLayer: an endless body ends at the declared size", async () => {
  await using stack = await LayerStack.make();
  let given = 0;
  async function* endless(): AsyncIterable<Uint8Array> {
    yield encodeTarHeader(tarEntry({ type: "file", name: "big", size: 2 ** 40 }));
    for (;;) {
      given += 1 << 20;
      yield new Uint8Array(1 << 20);
    }
  }
  const { applyLayer } = await import("@teu/image/layer/apply");
  const target = stack.path("t");
  await assert.rejects(
    applyLayer(stack.scope, {
      source: endless(),
      mediaType: MEDIA_TYPES.layer,
      descriptorSize: 5 << 20,
      target,
      lower: [],
    }),
    (error) => isTeuError(error, "corrupt"),
  );
  assert.ok(given < 8 << 20, `${given} bytes were taken`);
  assert.ok(!existsSync(target));
});

test("applyLayer: bombs stop at the ratio and at the size, in gzip, in many members, in zstd, in many frames", async () => {
  const zeros = Buffer.concat([
    encodeTarHeader(tarEntry({ type: "file", name: "zeros", size: 64 << 20 })),
    Buffer.alloc(64 << 20),
    TAR_END,
  ]);
  const members = Array.from({ length: 64 }, () => gzipSync(Buffer.alloc(1 << 20)));
  const frames = Array.from({ length: 64 }, () => zstdCompressSync(Buffer.alloc(1 << 20)));
  const bombs = [
    gzipSync(zeros),
    zstdCompressSync(zeros),
    Buffer.concat([zstdCompressSync(zeros.subarray(0, 512)), ...frames]),
    Buffer.concat([gzipSync(zeros.subarray(0, 512)), ...members]),
  ];
  for (const blob of bombs) {
    for (const limits of [{ ratio: 100, ratioFloor: 1 << 20 }, { bytes: 8 << 20 }]) {
      await using stack = await LayerStack.make();
      await assert.rejects(
        stack.add(blob, { limits }),
        (error) => isTeuError(error, "exhausted") && /bomb/.test(error.message),
        JSON.stringify(limits),
      );
      assert.deepEqual(readdirSync(stack.directory), []);
    }
  }
});

test("applyLayer: too many entries, too large headers", async () => {
  await using stack = await LayerStack.make();
  const many = Array.from({ length: 101 }, (_, i) => ({ name: `f${i}` }));
  await assert.rejects(stack.add(many, { limits: { entries: 100 } }), (error) => isTeuError(error, "exhausted"));
  const record = encodePaxRecord("SCHILY.xattr.user.big", Buffer.alloc(100 << 20, "x"));
  const header = encodeTarHeader(tarEntry({ type: "file", name: "x", size: record.length }));
  header[156] = "x".charCodeAt(0);
  fixChecksum(header);
  await assert.rejects(
    stack.add(Buffer.concat([header, record.subarray(0, 4096)])),
    (error) => isTeuError(error, "exhausted") && /extension header of 104857\d+ bytes/.test(error.message),
  );
  assert.deepEqual(readdirSync(stack.directory), []);
});

test("applyLayer: bytes after the compressed data, or the data cut short", async () => {
  const tar = layerTar([{ name: "a", content: "b" }]);
  for (const blob of [
    Buffer.concat([gzipSync(tar), Buffer.from("garbage")]),
    Buffer.concat([zstdCompressSync(tar), Buffer.from("garbage")]),
    gzipSync(tar).subarray(0, -1),
    zstdCompressSync(tar).subarray(0, -1),
    gzipSync(tar.subarray(0, 600)),
    tar.subarray(0, 513),
  ]) {
    await using stack = await LayerStack.make();
    await assert.rejects(stack.add(blob), (error) => isTeuError(error, "corrupt"));
    assert.deepEqual(readdirSync(stack.directory), []);
  }
});

test("applyLayer: disk full is exhausted, and leaves nothing", async () => {
  await using stack = await LayerStack.make();
  const { execFileSync } = await import("node:child_process");
  mkdirSync(stack.path("small"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", stack.path("small")]);
  try {
    const items = Array.from({ length: 20 }, (_, i) => ({ name: `f${i}`, content: Buffer.alloc(100_000, i) }));
    await assert.rejects(stack.add(items, { target: stack.path("small/t") }), (error) =>
      isTeuError(error, "exhausted"),
    );
    assert.deepEqual(readdirSync(stack.path("small")), []);
  } finally {
    execFileSync("umount", [stack.path("small")]);
  }
});

test("applyLayer: a source that fails is not renamed to something else", async () => {
  await using stack = await LayerStack.make();
  const failure = new Error("connection lost");
  async function* broken(): AsyncIterable<Uint8Array> {
    yield* chunked(gzipSync(layerTar([{ name: "a", content: "b".repeat(100_000) }])), 10);
    throw failure;
  }
  await assert.rejects(
    stack.add([], { source: broken() }),
    (error) => error instanceof Error && error.message.includes("connection lost"),
  );
});

function fixChecksum(header: Uint8Array): void {
  header.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of header.subarray(0, 512)) sum += byte;
  Buffer.from(header.buffer, header.byteOffset).write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}
