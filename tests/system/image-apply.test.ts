// Unpacking layers as root: attributes, whiteouts, entries over entries, hard links, implicit parents.

import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { isTeuError } from "@teu/base/errors";
import { openDirectory } from "@teu/files/open";
import { getXattr, listXattrs, setXattr } from "@teu/files/xattrs";
import { lookupAt } from "@teu/files/stat";
import { digestOf } from "@teu/image/digest";
import { UnionView } from "@teu/image/layer/union-view";
import { MEDIA_TYPES } from "@teu/specs/image";

import { LayerStack, layerTar } from "./image-layers.ts";
import { describeTree } from "./image-tree.ts";

const NS = 1_700_000_000_123_456_789n;

function xattr(directory: string, path: string, name: string): string | null {
  using root = openDirectory(directory);
  const value = getXattr(root.fd, path, name);
  return value === null ? null : Buffer.from(value).toString();
}

function isWhiteout(path: string): boolean {
  const stat = lstatSync(path);
  return stat.isCharacterDevice() && stat.rdev === 0;
}

/** What a container would see, one line per entry. */
function merged(stack: LayerStack): string[] {
  using view = UnionView.open(stack.layers);
  const lines: string[] = [];
  const walk = (path: string): void => {
    for (const { name, stat } of view.readDir(path === "" ? "/" : path)) {
      const full = `${path}/${name}`;
      const type = stat.mode & 0o170000;
      if (type === 0o040000) {
        lines.push(`${full}/`);
        walk(full);
      } else if (type === 0o120000) lines.push(`${full} -> ${view.readlink(full)}`);
      else lines.push(type === 0o100000 ? `${full}=${Buffer.from(view.readFile(full, 1000)).toString()}` : full);
    }
  };
  walk("");
  return lines;
}

test("applyLayer: every kind of entry with all its attributes", async () => {
  await using stack = await LayerStack.make();
  const common = { uid: 1000, gid: 2000, mtimeNs: NS };
  const applied = await stack.add([
    { name: "./", type: "directory", mode: 0o751, uid: 5, gid: 6, mtimeNs: NS + 1n },
    { name: "dir/", mode: 0o2775, ...common },
    {
      name: "dir/file",
      content: "text",
      mode: 0o4755,
      xattrs: new Map([["user.bytes", Uint8Array.of(255, 0, 1)]]),
      ...common,
    },
    {
      name: "dir/capable",
      content: "x",
      mode: 0o755,
      ...common,
      xattrs: new Map([["security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex")]]),
    },
    { name: "dir/empty", mode: 0o600, ...common },
    { name: "dir/link", type: "symlink", linkName: "../anywhere/at all", ...common },
    { name: "dir/hard", type: "hardlink", linkName: "dir/file", ...common },
    { name: "fifo", type: "fifo", mode: 0o622, ...common },
    { name: "null", type: "character", devMajor: 1, devMinor: 3, mode: 0o666, ...common },
    { name: "disk", type: "block", devMajor: 259, devMinor: 70000, mode: 0o660, ...common },
    { name: "n\udcffame\udc80", content: "not UTF-8", ...common },
    { name: `${"long/".repeat(60)}name`, content: "deep", ...common },
  ]);
  assert.equal(applied.entries, 12);
  const lines = describeTree(stack.top);
  const time = `t=${NS}`;
  assert.equal(lines[0], `/ 40751 5:6 t=${NS + 1n}`);
  const find = (path: string): string => lines.find((line) => line.startsWith(`${path} `)) ?? "";
  assert.equal(find("/dir"), `/dir 42775 1000:2000 ${time}`);
  assert.match(find("/dir/file"), new RegExp(`^/dir/file 104755 1000:2000 ${time} s=4 .* user.bytes=ff0001`));
  assert.match(find("/dir/hard"), /user.bytes=ff0001 link=\/dir\/file$/);
  assert.match(find("/dir/capable"), /security.capability=01000002/);
  assert.equal(find("/dir/link"), `/dir/link 120777 1000:2000 ${time} -> ../anywhere/at all`);
  assert.equal(find("/fifo"), `/fifo 10622 1000:2000 ${time} dev=0,0`);
  assert.equal(find("/null"), `/null 20666 1000:2000 ${time} dev=1,3`);
  assert.equal(find("/disk"), `/disk 60660 1000:2000 ${time} dev=259,70000`);
  assert.match(find("/n\udcffame\udc80"), /s=9/);
  assert.match(find(`/${"long/".repeat(60)}name`), /s=4/);
  // Directories that the layer does not list are plain.
  assert.equal(find("/long"), "/long 40755 0:0 t=0");
});

test("applyLayer: digests and sizes of blob and content, plain, gzip and zstd", async () => {
  const tar = layerTar([{ name: "a", content: "b".repeat(100_000) }]);
  for (const [mediaType, blob] of [
    [MEDIA_TYPES.layer, tar],
    [MEDIA_TYPES.layerGzip, gzipSync(tar)],
    [MEDIA_TYPES.layerZstd, zstdCompressSync(tar)],
    [MEDIA_TYPES.dockerLayerGzip, Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))])],
  ] as const) {
    await using stack = await LayerStack.make();
    const applied = await stack.add(blob, {
      mediaType,
      descriptorSize: blob.length,
      expectedDigest: digestOf(blob),
      expectedDiffId: digestOf(tar),
    });
    assert.deepEqual(applied, {
      diffId: digestOf(tar),
      digest: digestOf(blob),
      size: blob.length,
      uncompressedSize: tar.length,
      entries: 1,
    });
    assert.equal(statSync(join(stack.top, "a")).size, 100_000);
  }
});

test("applyLayer: a sha512 DiffID is verified as such", async () => {
  await using stack = await LayerStack.make();
  const tar = layerTar([{ name: "a" }]);
  const applied = await stack.add(tar, { expectedDiffId: digestOf(tar, "sha512") });
  assert.equal(applied.diffId, digestOf(tar, "sha512"));
});

test("applyLayer: whiteouts hide lower entries only, wherever they stand in the archive", async () => {
  await using stack = await LayerStack.make();
  await stack.add([
    { name: "dir/" },
    { name: "dir/gone", content: "1" },
    { name: "dir/stays", content: "1" },
    { name: "tree/a/b", content: "1" },
  ]);
  await stack.add([
    { name: "dir/.wh.gone" },
    { name: "dir/.wh.never-was" },
    { name: "dir/.wh.both" },
    { name: "dir/both", content: "2" },
    { name: "dir/other", content: "2" },
    { name: "dir/.wh.other" },
    { name: ".wh.tree" },
    { name: "no/such/.wh.thing" },
  ]);
  assert.ok(isWhiteout(join(stack.top, "dir/gone")));
  assert.ok(isWhiteout(join(stack.top, "tree")));
  assert.ok(!existsSync(join(stack.top, "dir/never-was")), "nothing to hide");
  assert.ok(!existsSync(join(stack.top, "no")));
  assert.deepEqual(merged(stack), ["/dir/", "/dir/both=2", "/dir/other=2", "/dir/stays=1"]);
});

test("applyLayer: opaque marks hide lower children whatever their place", async () => {
  for (const order of ["first", "last"]) {
    await using stack = await LayerStack.make();
    await stack.add([
      { name: "dir/lower", content: "1" },
      { name: "dir/sub/lower", content: "1" },
    ]);
    const mark = { name: "dir/.wh..wh..opq" };
    const rest = [
      { name: "dir/upper", content: "2" },
      { name: "dir/sub/upper", content: "2" },
    ];
    await stack.add([{ name: "dir/" }, ...(order === "first" ? [mark, ...rest] : [...rest, mark])]);
    assert.equal(xattr(stack.top, "dir", "trusted.overlay.opaque"), "y");
    assert.deepEqual(merged(stack), ["/dir/", "/dir/sub/", "/dir/sub/upper=2", "/dir/upper=2"], order);
  }
});

test("applyLayer: an opaque root hides everything below, entry by entry", async () => {
  await using stack = await LayerStack.make();
  await stack.add([
    { name: "a", content: "1" },
    { name: "d/x", content: "1" },
    { name: "e/x", content: "1" },
  ]);
  await stack.add([{ name: "d/new", content: "2" }, { name: ".wh..wh..opq" }, { name: "e/new", content: "2" }]);
  assert.deepEqual(merged(stack), ["/d/", "/d/new=2", "/e/", "/e/new=2"]);
});

test("applyLayer: a directory deleted and made again in one layer shows nothing of the lower one", async () => {
  for (const items of [
    [{ name: ".wh.dir" }, { name: "dir/" }, { name: "dir/new", content: "2" }],
    [{ name: "dir/" }, { name: "dir/new", content: "2" }, { name: ".wh.dir" }],
    [{ name: ".wh.dir" }, { name: "dir/new", content: "2" }],
    [{ name: "dir", content: "file" }, { name: "dir/" }, { name: "dir/new", content: "2" }],
  ]) {
    await using stack = await LayerStack.make();
    await stack.add([{ name: "dir/old", content: "1" }]);
    await stack.add(items);
    assert.deepEqual(merged(stack), ["/dir/", "/dir/new=2"], JSON.stringify(items));
  }
});

test("applyLayer: an entry replaces whatever has its name, but directories merge", async () => {
  const kinds = {
    file: { name: "x", content: "new" },
    symlink: { name: "x", type: "symlink", linkName: "target" },
    directory: { name: "x/", mode: 0o700 },
    fifo: { name: "x", type: "fifo" },
  } as const;
  const shown: Record<string, string[]> = {
    file: ["/x=new"],
    symlink: ["/x -> target"],
    directory: ["/x/"],
    fifo: ["/x"],
  };
  for (const [first, before] of Object.entries(kinds)) {
    for (const [second, after] of Object.entries(kinds)) {
      for (const layers of [1, 2]) {
        await using stack = await LayerStack.make();
        const lower = first === "directory" ? [before, { name: "x/child", content: "c" }] : [before];
        if (layers === 1) await stack.add([...lower, after]);
        else {
          await stack.add(lower);
          await stack.add([after]);
        }
        const both = first === "directory" && second === "directory";
        const want = [...(shown[second] ?? []), ...(both ? ["/x/child=c"] : [])];
        assert.deepEqual(merged(stack), want, `${second} over ${first} in ${layers} layers`);
      }
    }
  }
});

test("applyLayer: what lies below a replaced directory is gone, and its time is not set afterwards", async () => {
  await using stack = await LayerStack.make();
  await stack.add([
    { name: "a/b/", mtimeNs: NS },
    { name: "a/b/c", content: "1" },
    { name: "a", content: "file" },
    { name: "a/", mtimeNs: NS },
    { name: "a/d", content: "2" },
  ]);
  assert.deepEqual(merged(stack), ["/a/", "/a/d=2"]);
  assert.equal(describeTree(stack.top)[1], `/a 40755 0:0 t=${NS} trusted.overlay.opaque=79`);
});

test("applyLayer: parents come from lower layers, symlinks inside the image are followed", async () => {
  await using stack = await LayerStack.make();
  await stack.add([
    { name: "usr/bin/", mode: 0o711, uid: 7, gid: 8, mtimeNs: NS, xattrs: new Map([["user.mark", Buffer.from("m")]]) },
    { name: "bin", type: "symlink", linkName: "usr/bin" },
    { name: "abs", type: "symlink", linkName: "/usr/../usr/bin" },
    { name: "up", type: "symlink", linkName: "../../../../usr/bin" },
    { name: "dangling", type: "symlink", linkName: "made/here" },
  ]);
  await stack.add([
    { name: "bin/one", content: "1" },
    { name: "abs/two", content: "2" },
    { name: "up/three", content: "3" },
    { name: "dangling/four", content: "4" },
  ]);
  const lines = describeTree(stack.top);
  assert.ok(lines.includes(`/usr/bin 40711 7:8 t=${NS} user.mark=6d`), lines.join("\n"));
  assert.deepEqual(merged(stack), [
    "/abs -> /usr/../usr/bin",
    "/bin -> usr/bin",
    "/dangling -> made/here",
    "/made/",
    "/made/here/",
    "/made/here/four=4",
    "/up -> ../../../../usr/bin",
    "/usr/",
    "/usr/bin/",
    "/usr/bin/one=1",
    "/usr/bin/three=3",
    "/usr/bin/two=2",
  ]);
});

test("applyLayer: a lower symlink may be replaced by a directory or file", async () => {
  await using stack = await LayerStack.make();
  await stack.add([
    { name: "real/file", content: "1" },
    { name: "link", type: "symlink", linkName: "real" },
    { name: "l2", type: "symlink", linkName: "/real/file" },
  ]);
  await stack.add([{ name: "link/" }, { name: "link/own", content: "2" }, { name: "l2", content: "2" }]);
  assert.deepEqual(merged(stack), ["/l2=2", "/link/", "/link/own=2", "/real/", "/real/file=1"]);
});

test("applyLayer: the root takes the lower root's attributes unless the layer says otherwise", async () => {
  await using stack = await LayerStack.make();
  await stack.add([{ name: "./", type: "directory", mode: 0o700, uid: 3, gid: 4, mtimeNs: NS }]);
  await stack.add([{ name: "f" }]);
  assert.equal(describeTree(stack.top)[0], `/ 40700 3:4 t=${NS}`);
});

test("applyLayer: hard links to lower files, through symlinked parents, and before their target", async () => {
  await using stack = await LayerStack.make();
  await stack.add([
    {
      name: "usr/bin/tool",
      content: "tool",
      mode: 0o4711,
      uid: 9,
      mtimeNs: NS,
      xattrs: new Map([["user.a", Buffer.from("v")]]),
    },
    { name: "bin", type: "symlink", linkName: "usr/bin" },
    { name: "sym", type: "symlink", linkName: "somewhere" },
  ]);
  await stack.add([
    { name: "early", type: "hardlink", linkName: "late" },
    { name: "same", type: "hardlink", linkName: "/bin/tool" },
    { name: "symhard", type: "hardlink", linkName: "sym" },
    { name: "late", content: "late" },
    { name: "late", type: "hardlink", linkName: "late" },
  ]);
  const lines = describeTree(stack.top);
  assert.ok(
    lines.some((line) => line.startsWith(`/same 104711 9:0 t=${NS} s=4`) && line.includes("user.a=76")),
    lines.join("\n"),
  );
  assert.equal(statSync(join(stack.top, "same")).ino, statSync(join(stack.top, "usr/bin/tool")).ino);
  assert.equal(readFileSync(join(stack.top, "early"), "utf8"), "late");
  assert.equal(statSync(join(stack.top, "early")).ino, statSync(join(stack.top, "late")).ino);
  assert.equal(readlinkSync(join(stack.top, "symhard")), "somewhere");
});

test("applyLayer: sparse files keep their holes", async () => {
  await using stack = await LayerStack.make();
  using directory = openDirectory(stack.directory);
  const { execFileSync } = await import("node:child_process");
  execFileSync(
    "sh",
    [
      "-c",
      "mkdir s && cd s && truncate -s 10M f && printf abc | dd of=f bs=1 seek=5000000 conv=notrunc 2>/dev/null && truncate -s 3M hole",
    ],
    { cwd: stack.directory },
  );
  for (const format of [
    ["--format=gnu"],
    ["--format=posix", "--sparse-version=0.0"],
    ["--format=posix", "--sparse-version=0.1"],
    ["--format=posix", "--sparse-version=1.0"],
  ]) {
    const tar = execFileSync("tar", ["-S", ...format, "-cf", "-", "f", "hole"], {
      cwd: stack.path("s"),
      maxBuffer: 1 << 26,
    });
    assert.ok(tar.length < 100_000);
    await stack.add(tar, { lower: [] });
    for (const name of ["f", "hole"]) {
      assert.ok(
        readFileSync(join(stack.top, name)).equals(readFileSync(join(stack.path("s"), name))),
        `${format.join(" ")} ${name}`,
      );
      assert.ok((lookupAt(directory.fd, `layer-${stack.layers.length - 1}/${name}`)?.blocks ?? 1e9) < 100);
    }
  }
});

test("applyLayer: conflict when the target is not empty, unsupported for what is no layer", async () => {
  await using stack = await LayerStack.make();
  await stack.add([{ name: "a" }]);
  await assert.rejects(stack.add([{ name: "b" }], { target: stack.top }), (error) => isTeuError(error, "conflict"));
  assert.ok(existsSync(join(stack.top, "a")), "what was there is left alone");
  await assert.rejects(stack.add([{ name: "b" }], { mediaType: MEDIA_TYPES.config }), (error) =>
    isTeuError(error, "unsupported"),
  );
  await assert.rejects(stack.add([{ name: "b" }], { mediaType: `${MEDIA_TYPES.layerGzip}+encrypted` }), (error) =>
    isTeuError(error, "unsupported"),
  );
});

test("applyLayer: cancelled leaves no directory", async () => {
  await using stack = await LayerStack.make();
  const controller = new AbortController();
  const tar = layerTar(Array.from({ length: 50 }, (_, i) => ({ name: `f${i}`, content: "x".repeat(10_000) })));
  async function* slow(): AsyncIterable<Uint8Array> {
    for (let at = 0; at < tar.length; at += 1000) {
      if (at > 200_000) controller.abort();
      yield tar.subarray(at, at + 1000);
    }
  }
  const { applyLayer } = await import("@teu/image/layer/apply");
  const target = stack.path("t");
  await assert.rejects(
    applyLayer(stack.scope.withSignal(controller.signal), {
      source: slow(),
      mediaType: MEDIA_TYPES.layer,
      target,
      lower: [],
    }),
    (error) => isTeuError(error, "cancelled"),
  );
  assert.ok(!existsSync(target));
});

test("UnionView: attributes without overlayfs' own", async () => {
  await using stack = await LayerStack.make();
  await stack.add([{ name: "d/old", content: "1" }]);
  await stack.add([{ name: "d/" }, { name: "d/.wh..wh..opq" }, { name: "d/f", content: "2" }]);
  using directory = openDirectory(stack.top);
  setXattr(directory.fd, "d", "user.mine", Buffer.from("v"));
  assert.ok(listXattrs(directory.fd, "d").includes("trusted.overlay.opaque"));
  using view = UnionView.open(stack.layers);
  assert.deepEqual([...view.xattrs("/d").keys()], ["user.mine"]);
});
