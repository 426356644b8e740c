// UnionView without root: merging, symlinks inside, limits. Whiteouts and opaque marks need root: tests/system/image-apply.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

import { isTeuError } from "@teu/base/errors";
import { S_IFIFO, S_IFREG } from "@teu/files/constants";
import { mknodAt } from "@teu/files/entries";
import { openDirectory } from "@teu/files/open";
import { fstat, isType } from "@teu/files/stat";

import { UnionView } from "./union-view.ts";

class Layers implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "teu-union-"));

  /** Makes a layer: paths with "/" at the end are directories, " -> " makes symlinks, "=" files. */
  add(name: string, items: readonly string[]): string {
    const root = join(this.path, name);
    mkdirSync(root);
    for (const item of items) {
      const [path = "", target] = item.split(" -> ");
      const [file = "", content] = path.split("=");
      mkdirSync(join(root, file, ".."), { recursive: true });
      if (target !== undefined) symlinkSync(target, join(root, path));
      else if (content !== undefined) writeFileSync(join(root, file), content);
      else mkdirSync(join(root, file), { recursive: true });
    }
    return root;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

function openTwo(layers: Layers): UnionView {
  const lower = layers.add("lower", [
    "etc/passwd=lower",
    "etc/only=lower",
    "usr/bin/sh=sh",
    "bin -> usr/bin",
    "a=file",
    "d/x=1",
    "abs -> /etc/passwd",
    "up -> ../../../etc/only",
    "loop -> loop2",
    "loop2 -> loop",
    "out -> /../../../../../../etc/hostname",
    "magic -> /proc/self/root",
    "deep -> abs",
  ]);
  const upper = layers.add("upper", [
    "etc/passwd=upper",
    "d=file",
    "a/now/dir=1",
    "new -> etc",
    "etc/dangling -> nowhere",
  ]);
  return UnionView.open([upper, lower]);
}

const text = (view: UnionView, path: string): string => Buffer.from(view.readFile(path, 100)).toString();

test("UnionView: the topmost layer wins, directories merge, symlinks stay inside", () => {
  using layers = new Layers();
  using view = openTwo(layers);
  assert.equal(text(view, "/etc/passwd"), "upper");
  assert.equal(text(view, "etc/only"), "lower");
  assert.equal(text(view, "/bin/sh"), "sh");
  assert.equal(text(view, "/new/only"), "lower");
  assert.equal(text(view, "/abs"), "upper");
  assert.equal(text(view, "/deep"), "upper");
  assert.equal(text(view, "/up"), "lower");
  assert.equal(text(view, "/a/now/dir"), "1");
  assert.equal(text(view, "/etc/../usr/./bin//sh"), "sh");
  assert.equal(text(view, "/../../etc/passwd"), "upper");
  assert.deepEqual(
    view.readDir("/etc").map(({ name }) => name),
    ["dangling", "only", "passwd"],
  );
  assert.deepEqual(
    view.readDir("/").map(({ name }) => name),
    ["a", "abs", "bin", "d", "deep", "etc", "loop", "loop2", "magic", "new", "out", "up", "usr"],
  );
});

test("UnionView.lookup: resolved path and layer; null for what is absent; the root", () => {
  using layers = new Layers();
  using view = openTwo(layers);
  assert.deepEqual([view.lookup("/bin/sh")?.path, view.lookup("/bin/sh")?.layer], ["/usr/bin/sh", 1]);
  assert.equal(view.lookup("/bin", { follow: false })?.path, "/bin");
  assert.equal(view.lookup("/bin/..")?.path, "/usr");
  assert.equal(view.lookup("/")?.path, "/");
  assert.equal(view.lookup("/etc/..")?.path, "/");
  for (const path of ["/none", "/none/at/all", "/etc/dangling", "/out", "/magic/etc/passwd"])
    assert.equal(view.lookup(path), null, path);
  assert.equal(view.lookup("/etc/dangling", { follow: false })?.path, "/etc/dangling");
});

test("UnionView: errors name the path", () => {
  using layers = new Layers();
  using view = openTwo(layers);
  const cases: readonly [() => unknown, "not-found" | "invalid" | "exhausted"][] = [
    [() => view.readFile("/none", 1), "not-found"],
    [() => view.readFile("/etc", 1), "invalid"],
    [() => view.readFile("/", 1), "invalid"],
    [() => view.readFile("/etc/passwd", 4), "exhausted"],
    [() => view.readDir("/etc/passwd"), "invalid"],
    [() => view.readDir("/none"), "not-found"],
    [() => view.readlink("/etc/passwd"), "invalid"],
    [() => view.readlink("/none"), "not-found"],
    [() => view.lookup("/loop"), "invalid"],
    [() => view.lookup("/d/x"), "invalid"],
    [() => UnionView.open([join(layers.path, "none")]), "not-found"],
  ];
  for (const [call, code] of cases) assert.throws(call, (error) => isTeuError(error, code), call.toString());
  assert.equal(view.readlink("/bin"), "usr/bin");
});

test("UnionView.openFile: a descriptor to read from, with its attributes", () => {
  using layers = new Layers();
  using view = openTwo(layers);
  using file = view.openFile("/bin/sh");
  assert.equal(file.size, 2);
  assert.equal(readFileSync(file.fd, "utf8"), "sh");
});

test("UnionView: many directories do not pile up as open descriptors", () => {
  using layers = new Layers();
  const items = Array.from({ length: 1500 }, (_, i) => `d${i}/f=x`);
  using view = UnionView.open([layers.add("one", items)]);
  for (let i = 0; i < 1500; i++) assert.equal(text(view, `/d${i}/f`), "x");
  assert.equal(text(view, "/d0/f"), "x");
});

test("UnionView: no layers is an empty tree", () => {
  using view = UnionView.open([]);
  assert.equal(view.lookup("/x"), null);
  assert.equal(view.lookup("/"), null);
});

test("UnionView.openFile: a file that becomes a fifo and back is opened as a regular file or refused", async () => {
  using layers = new Layers();
  const root = layers.add("only", ["etc/passwd=text"]);
  using etc = openDirectory(join(root, "etc"));
  mknodAt(etc.fd, "other", S_IFIFO | 0o600, 0, 0);
  const worker = new Worker(new URL("testdata/swap-files.ts", import.meta.url), { workerData: join(root, "etc") });
  try {
    await once(worker, "message");
    let opened = 0;
    let refusals = 0;
    for (let i = 0; i < 5_000; i++) {
      using view = UnionView.open([root]);
      try {
        using file = view.openFile("/etc/passwd");
        assert.ok(isType(fstat(file.fd).mode, S_IFREG), "a fifo was opened");
        opened++;
      } catch (error) {
        if (!isTeuError(error, "invalid")) throw error;
        refusals++;
      }
    }
    assert.ok(opened > 0 && refusals > 0, `${opened} opened, ${refusals} refused`);
  } finally {
    await worker.terminate();
  }
});
