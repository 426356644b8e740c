// Trees made of tars alone: what layers give together, how two images differ, and hostile layers. That unpacking gives the same
// trees is shown with root, in tests/system/image-flatten.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";

import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { tempRoot } from "@teu/testkit/temp-root";

import { MemoryContentStore } from "../memory-content-store.ts";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "../tar/writer.ts";
import { changeConfig } from "../transforms/change-config.ts";
import type { ImageValue } from "../values/image-value.ts";
import { tarLayer } from "../values/make-layer.ts";
import { file, storedValue, storeImage, streamOf, type TestEntry } from "../values/testdata/test-images.ts";
import { diffImages } from "./diff-images.ts";
import { hashingTaker, listFiles } from "./list-files.ts";
import { type LayerChange, readTree, treeFiles } from "./read-tree.ts";
import { Spool } from "./spool.ts";

const scope = createScope();

async function imageOf(layers: readonly (readonly TestEntry[])[]): Promise<ImageValue> {
  const store = new MemoryContentStore();
  return (await storedValue(scope, store, await storeImage(scope, store, { layers }))) as ImageValue;
}

function fails(code: ErrorCode, text: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isTeuError(error, code), String(error));
    assert.match(error.message, text);
    return true;
  };
}

const CASES: readonly { name: string; layers: readonly (readonly TestEntry[])[]; want: readonly string[] }[] = [
  {
    name: "a whiteout hides what is below, not what is beside",
    layers: [
      [file("d/a", "1"), file("d/b", "1")],
      [file("d/.wh.a", ""), file("d/.wh.c", ""), file("d/c", "2")],
    ],
    want: ["/d", "/d/b", "/d/c"],
  },
  {
    name: "an opaque mark hides lower children, wherever it stands",
    layers: [
      [file("d/a", "1"), file("d/e/f", "1")],
      [file("d/b", "2"), file("d/.wh..wh..opq", "")],
    ],
    want: ["/d", "/d/b"],
  },
  {
    name: "a whiteout before its own directory",
    layers: [[file("d/a", "1")], [file(".wh.d", ""), file("d/b", "2")]],
    want: ["/d", "/d/b"],
  },
  {
    name: "a directory in the place of a symlink to a directory",
    layers: [
      [file("real/a", "1"), { name: "link", type: "symlink", linkName: "real" }],
      [{ name: "link", type: "directory" }, file("link/b", "2")],
    ],
    want: ["/link", "/link/b", "/real", "/real/a"],
  },
  {
    name: "an entry through a symlink goes where a container would see it",
    layers: [[{ name: "lib", type: "symlink", linkName: "/usr/lib" }, file("usr/lib/a", "1")], [file("lib/b", "2")]],
    want: ["/lib", "/usr", "/usr/lib", "/usr/lib/a", "/usr/lib/b"],
  },
  {
    name: "a symlink that leads up stops at the root",
    layers: [[{ name: "up", type: "symlink", linkName: "../../../x" }, file("x/a", "1")], [file("up/b", "2")]],
    want: ["/up", "/x", "/x/a", "/x/b"],
  },
  {
    name: "AUFS metadata is no file",
    layers: [[file(".wh..wh.plnk/1.2", ""), file("a", "1")]],
    want: ["/a"],
  },
];
for (const { name, layers, want } of CASES) {
  test(`readTree: ${name}`, async () => {
    const files = await listFiles(scope, await imageOf(layers));
    assert.deepEqual(
      files.map(({ path }) => path),
      want,
    );
  });
}

test("readTree: names of one file share it; one that a later layer links is another file for the others", async () => {
  const hard = (name: string, linkName: string): TestEntry => ({ name, type: "hardlink", linkName });
  const image = await imageOf([[hard("early", "a"), file("a", "1"), hard("b", "a")], [hard("c", "a")]]);
  const tree = await readTree(scope, image);
  const facts = Object.fromEntries(Array.from(treeFiles(tree), ({ path, node }) => [path, node.facts]));
  assert.equal(facts["/early"], facts["/b"]);
  assert.equal(facts["/a"], facts["/c"]);
  assert.notEqual(facts["/a"], facts["/b"]);
});

test("readTree: tells what each layer does", async () => {
  const image = await imageOf([[file("d/a", "1")], [file("d/.wh.a", ""), file("d/.wh..wh..opq", ""), file("b", "2")]]);
  const told: string[] = [];
  const change = (layer: number, { kind, path }: LayerChange): void => void told.push(`${layer} ${kind} ${path}`);
  await readTree(scope, image, { change });
  assert.deepEqual(told, ["0 file /d/a", "1 deleted /d/a", "1 opaque /d", "1 file /b"]);
});

const HOSTILE: readonly (readonly [name: string, layers: readonly (readonly TestEntry[])[], text: RegExp])[] = [
  ["a name with ..", [[file("../x", "1")]], /contains "\.\."/],
  ["a root that is a symlink", [[{ name: ".", type: "symlink", linkName: "/etc" }]], /root is a symlink/],
  ["a loop of symlinks", [[{ name: "a", type: "symlink", linkName: "a" }, file("a/b", "1")]], /too many levels/],
  ["a file for a parent", [[file("a", "1"), file("a/b", "1")]], /a parent is not a directory/],
  ["a hard link to nothing", [[{ name: "a", type: "hardlink", linkName: "none" }]], /not in the image/],
  [
    "a hard link to a directory",
    [
      [
        { name: "d", type: "directory" },
        { name: "a", type: "hardlink", linkName: "d" },
      ],
    ],
    /to a directory/,
  ],
  [
    "a symlink through a missing directory",
    [[{ name: "a", type: "symlink", linkName: "none/../x" }, file("a/b", "1")]],
    /missing/,
  ],
];
for (const [name, layers, text] of HOSTILE) {
  test(`readTree: corrupt when given ${name}`, async () => {
    // Stored as anybody could: not through what checks new layers.
    await assert.rejects(
      imageOf(layers).then((image) => listFiles(scope, image)),
      fails("corrupt", text),
    );
  });
}

test("diffImages: added, changed and deleted files, settings one by one", async () => {
  const before = await imageOf([
    [
      file("etc/same", "x", { mtimeNs: 1_000_000_000n }),
      file("etc/text", "a"),
      file("etc/mode", "m"),
      file("gone", "g"),
    ],
  ]);
  const after = (
    await imageOf([
      [
        file("etc/same", "x", { mtimeNs: 2_000_000_000n }),
        file("etc/text", "b"),
        file("etc/mode", "m", { mode: 0o755, uid: 3 }),
      ],
      [{ name: "new", type: "symlink", linkName: "etc" }],
    ])
  ).apply(changeConfig({ env: ["A=2", "N=1"], labels: { b: "1" }, user: "u" }));
  const { files, config } = await diffImages(scope, before, after);
  assert.deepEqual(
    files.map(({ kind, path, what }) => `${kind} ${path} ${what.join(",")}`.trim()),
    ["changed /etc/mode mode,owner", "changed /etc/text content", "deleted /gone", "added /new"],
  );
  assert.deepEqual(config, [
    { name: "Env.A", before: "1", after: "2" },
    { name: "Env.N", before: undefined, after: "1" },
    { name: "Labels.b", before: undefined, after: "1" },
    { name: "User", before: undefined, after: "u" },
  ]);
  const times = await diffImages(scope, before, after, { times: true });
  assert.ok(times.files.some(({ path, what }) => path === "/etc/same" && what.join(",") === "time"));
  assert.deepEqual(await diffImages(scope, before, before), { files: [], config: [] });
});

test("Spool, hashingTaker: holes of sparse files are zeros", async () => {
  await using root = await tempRoot();
  const content = { sparse: null, size: 10, type: "file" } as never;
  using spool = new Spool(root.path);
  for (const taker of [spool.take(), hashingTaker(content)]) {
    taker.data(Buffer.from("ab"), 2);
    taker.data(Buffer.from("c"), 7);
    const kept = taker.end();
    if (typeof kept === "string") {
      const plain = hashingTaker(content);
      plain.data(Buffer.from("\0\0ab\0\0\0c\0\0"), 0);
      assert.equal(kept, plain.end());
    } else {
      const bytes = Buffer.concat([...spool.open({ content: kept, size: 10 } as never)]);
      assert.equal(bytes.toString(), "\0\0ab\0\0\0c\0\0");
    }
  }
});

test("tarLayer: cut content is refused", async () => {
  const header = encodeTarHeader(tarEntry({ name: "a", type: "file", size: 2000 }));
  const layer = tarLayer(() => streamOf(Buffer.concat([header, tarPadding(1), TAR_END])), {
    scratch: new MemoryContentStore(),
  });
  await assert.rejects(layer.diffId(scope), fails("corrupt", /./));
});
