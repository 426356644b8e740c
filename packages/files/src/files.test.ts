// The face of the addon without root: names that are not UTF-8, resolution limits, attributes, holes, locks, removal.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import fc from "fast-check";

import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";

import { errnoOf, fileError, filesAddonPath } from "./addon.ts";
import { fchmod, futimens, setTimesAt, splitTime, spreadSubdirectories } from "./attributes.ts";
import { O_CREAT, O_EXCL, O_PATH, O_RDONLY, O_RDWR, RENAME_NOREPLACE, RESOLVE_BENEATH, S_IFIFO } from "./constants.ts";
import { allocate, copyRange, seekData, seekHole, truncate, writeAll, writeNewFile } from "./data.ts";
import { linkAt, mkdirAt, mknodAt, readDir, readlinkAt, renameAt, symlinkAt, unlinkAt } from "./entries.ts";
import { FileLock } from "./file-lock.ts";
import { fileNameFromBytes, fileNameToBytes, hasEscape } from "./file-name.ts";
import { openat2, openDirectory, OwnedFd } from "./open.ts";
import { removeTree, removeTreeAt } from "./remove-tree.ts";
import { replaceFile } from "./replace-file.ts";
import { fstat, fstatfs, lookupAt, statAt } from "./stat.ts";
import { getXattr, listXattrs, removeXattr, setXattr } from "./xattrs.ts";

const scope = createScope();
const NS = 1_700_000_000_123_456_789n;

class Scratch implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "teu-files-"));
  readonly #directory: OwnedFd = openDirectory(this.path);

  get fd(): number {
    return this.#directory.fd;
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
    rmSync(this.path, { recursive: true, force: true });
  }
}

function refused(code: ErrorCode, errno: string): (error: unknown) => boolean {
  return (error) => isTeuError(error, code) && errnoOf(error) === errno;
}

function own(): { uid: number; gid: number } {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

test("fileNameFromBytes, fileNameToBytes: any bytes survive, UTF-8 stays readable", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual([...fileNameToBytes(fileNameFromBytes(bytes))], [...bytes]);
    }),
    { numRuns: 2000 },
  );
  assert.equal(fileNameFromBytes(Buffer.from("é\u{1f600}\ufeff")), "é\u{1f600}\ufeff");
  assert.equal(fileNameFromBytes(Uint8Array.of(0x61, 0xff, 0xed, 0xb2, 0x80)), "a\udcff\udced\udcb2\udc80");
  assert.ok(hasEscape("a\udcff") && !hasEscape("é\u{1f600}") && !hasEscape("\ud800"));
});

test("names: what the kernel stores is what was given, and what it lists comes back", () => {
  using scratch = new Scratch();
  const names = ["plain", "é", "\u{1f600}", "bad\udcff\udc80", "n".repeat(255), "é".repeat(127), "spa ce\n'\"\\"];
  for (const name of names) {
    writeNewFile(scratch.fd, name, Buffer.from(name.slice(0, 1)), { mode: 0o644, ...own(), mtimeNs: NS });
  }
  const listed = readDir(scratch.fd).map((entry) => entry.name);
  assert.deepEqual(listed.toSorted(), names.toSorted());
  symlinkAt("to\udcfe", scratch.fd, "link");
  assert.equal(readlinkAt(scratch.fd, "link"), "to\udcfe");
  assert.throws(() => mkdirAt(scratch.fd, "a\0b"), refused("invalid", "EINVAL"));
  assert.throws(() => mkdirAt(scratch.fd, "n".repeat(256)), refused("invalid", "ENAMETOOLONG"));
  assert.throws(() => mkdirAt(scratch.fd, `${"d/".repeat(9000)}x`), refused("invalid", "ENAMETOOLONG"));
});

test("openat2: stays inside, and by default treats the directory as the root", () => {
  using scratch = new Scratch();
  mkdirSync(join(scratch.path, "etc"));
  writeFileSync(join(scratch.path, "etc/passwd"), "inside");
  symlinkSync("/etc/passwd", join(scratch.path, "absolute"));
  symlinkSync("../../../../etc/passwd", join(scratch.path, "up"));
  symlinkSync("/proc/self/root/etc/passwd", join(scratch.path, "magic"));
  for (const name of ["absolute", "up", "../../etc/passwd", "/etc/passwd"]) {
    using file = new OwnedFd(openat2(scratch.fd, name, O_RDONLY));
    assert.equal(readFileSync(file.fd, "utf8"), "inside", name);
  }
  assert.throws(() => openat2(scratch.fd, "magic", O_RDONLY), refused("not-found", "ENOENT"));
  assert.throws(() => openat2(scratch.fd, "up", O_RDONLY, 0, RESOLVE_BENEATH), refused("invalid", "EXDEV"));
  assert.throws(() => openat2(-1, "x", O_RDONLY), refused("internal", "EBADF"));
});

test("stat: nanoseconds, before 1970 too; null and not-found for what is absent", () => {
  using scratch = new Scratch();
  writeNewFile(scratch.fd, "f", Buffer.from("text"), { mode: 0o4751, ...own(), mtimeNs: NS });
  const found = statAt(scratch.fd, "f");
  assert.deepEqual([found.mode, found.size, found.mtimeNs, found.nlink], [0o104751, 4, NS, 1]);
  for (const time of [-1n, -1_500_000_000n, 0n, 253_402_300_799_999_999_999n / 100n]) {
    setTimesAt(scratch.fd, "f", time, NS);
    assert.deepEqual([statAt(scratch.fd, "f").mtimeNs, statAt(scratch.fd, "f").atimeNs], [time, NS]);
  }
  using file = new OwnedFd(openat2(scratch.fd, "f", O_RDONLY));
  futimens(file.fd, NS);
  fchmod(file.fd, 0o600);
  assert.deepEqual([fstat(file.fd).mtimeNs, fstat(file.fd).mode], [NS, 0o100600]);
  assert.equal(lookupAt(scratch.fd, "absent"), null);
  assert.equal(lookupAt(scratch.fd, "f/below"), null);
  assert.throws(() => statAt(scratch.fd, "absent"), refused("not-found", "ENOENT"));
  assert.ok(fstatfs(scratch.fd).blockSize > 0);
  assert.deepEqual(splitTime(-1n), [-1, 999_999_999]);
});

test("entries: links, fifos, renames, removal", () => {
  using scratch = new Scratch();
  writeNewFile(scratch.fd, "a", Buffer.from("a"), { mode: 0o644, ...own(), mtimeNs: NS });
  linkAt(scratch.fd, "a", scratch.fd, "b");
  assert.equal(statAt(scratch.fd, "a").nlink, 2);
  assert.throws(() => linkAt(scratch.fd, "a", scratch.fd, "b"), refused("already-exists", "EEXIST"));
  assert.throws(
    () => renameAt(scratch.fd, "a", scratch.fd, "b", RENAME_NOREPLACE),
    refused("already-exists", "EEXIST"),
  );
  mknodAt(scratch.fd, "fifo", S_IFIFO | 0o644, 0, 0);
  renameAt(scratch.fd, "fifo", scratch.fd, "pipe");
  mkdirAt(scratch.fd, "dir", 0o700);
  assert.throws(() => unlinkAt(scratch.fd, "dir"), refused("invalid", "EISDIR"));
  unlinkAt(scratch.fd, "a");
  assert.deepEqual(
    readDir(scratch.fd)
      .map(({ name, type }) => `${name}:${type}`)
      .toSorted(),
    ["b:8", "dir:4", "pipe:1"],
  );
  assert.deepEqual(readDir(scratch.fd).length, 3, "a second reading begins at the beginning");
  assert.throws(() => readlinkAt(scratch.fd, "b"), refused("invalid", "EINVAL"));
  assert.throws(
    () => writeNewFile(scratch.fd, "b", Buffer.from(""), { mode: 0o644, ...own(), mtimeNs: NS }),
    refused("already-exists", "EEXIST"),
  );
});

test("spreadSubdirectories: as the file system has it; no error where it has none", () => {
  using at = new Scratch();
  using own = openDirectory(at.path);
  const isExt4 = statfsSync(at.path).type === 0xef53;
  if (isExt4) assert.equal(spreadSubdirectories(own.fd), true);
  else assert.equal(typeof spreadSubdirectories(own.fd), "boolean");
  using other = openDirectory("/proc/self");
  assert.equal(spreadSubdirectories(other.fd), false);
  assert.throws(() => spreadSubdirectories(-1), /ioctl|bad file/);
});

test("xattrs: bytes, on files by descriptor and by name, absent as null", () => {
  using scratch = new Scratch();
  writeNewFile(scratch.fd, "f", Buffer.from(""), { mode: 0o644, ...own(), mtimeNs: NS });
  const value = Buffer.concat([Uint8Array.of(0, 0xff, 0x0a), Buffer.alloc(1000, 7)]);
  setXattr(scratch.fd, "f", "user.bytes", value);
  using file = new OwnedFd(openat2(scratch.fd, "f", O_RDONLY));
  setXattr(file.fd, "", "user.empty", new Uint8Array(0));
  assert.deepEqual(listXattrs(file.fd, "").toSorted(), ["user.bytes", "user.empty"]);
  assert.deepEqual([...(getXattr(file.fd, "", "user.bytes") ?? [])], [...value]);
  assert.equal(getXattr(scratch.fd, "f", "user.empty")?.length, 0);
  assert.equal(getXattr(scratch.fd, "f", "user.absent"), null);
  assert.equal(removeXattr(scratch.fd, "f", "user.empty"), true);
  assert.equal(removeXattr(scratch.fd, "f", "user.empty"), false);
  symlinkAt("f", scratch.fd, "link");
  assert.equal(getXattr(scratch.fd, "link", "user.bytes"), null, "a symlink's own, not its target's");
});

test("data: holes are found, ranges copied, room reserved", () => {
  using scratch = new Scratch();
  using file = new OwnedFd(openat2(scratch.fd, "sparse", O_RDWR | O_CREAT | O_EXCL, 0o600));
  truncate(file.fd, 1 << 20);
  writeSync(file.fd, "data", 1 << 19);
  assert.equal(seekData(file.fd, 0), 1 << 19);
  assert.equal(seekHole(file.fd, 0), 0);
  assert.equal(seekData(file.fd, (1 << 20) - 1), -1);
  using source = new OwnedFd(openat2(scratch.fd, "sparse", O_RDONLY));
  using copy = new OwnedFd(openat2(scratch.fd, "copy", O_RDWR | O_CREAT | O_EXCL, 0o600));
  assert.equal(copyRange(source.fd, copy.fd, 1 << 21), 1 << 20);
  assert.ok(readFileSync(join(scratch.path, "copy")).equals(readFileSync(join(scratch.path, "sparse"))));
  using written = new OwnedFd(openat2(scratch.fd, "written", O_RDWR | O_CREAT | O_EXCL, 0o600));
  assert.equal(typeof allocate(written.fd, 4096), "boolean");
  writeAll(written.fd, Buffer.from("all"));
  assert.equal(readFileSync(join(scratch.path, "written")).subarray(0, 3).toString(), "all");
});

test("copyRange: by hand where the kernel cannot, as from proc", () => {
  using scratch = new Scratch();
  using proc = openDirectory("/proc/self");
  using source = new OwnedFd(openat2(proc.fd, "stat", O_RDONLY));
  using copy = new OwnedFd(openat2(scratch.fd, "copy", O_RDWR | O_CREAT, 0o600));
  copyRange(source.fd, copy.fd, 4096);
  assert.match(readFileSync(join(scratch.path, "copy"), "utf8"), new RegExp(`^${process.pid} `));
});

test("OwnedFd: closed once, O_PATH descriptors too", () => {
  using scratch = new Scratch();
  const fd = new OwnedFd(openat2(scratch.fd, ".", O_PATH));
  fd[Symbol.dispose]();
  assert.throws(
    () => fstat(fd.fd),
    (error) => errnoOf(error) === "EBADF",
  );
  fd[Symbol.dispose]();
});

test("FileLock: one holder or several sharing, in this process and another, gone with its holder", async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, "lock");
  {
    using one = FileLock.tryAcquire(path, { shared: true });
    using two = FileLock.tryAcquire(path, { shared: true });
    assert.ok(one !== null && two !== null);
    assert.equal(FileLock.tryAcquire(path), null);
  }
  const child = spawn("flock", [path, "-c", "echo held; read _"], { stdio: ["pipe", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  assert.equal(FileLock.tryAcquire(path), null);
  await assert.rejects(FileLock.acquire(scope.withTimeout(30), path), (error) => isTeuError(error, "timeout"));
  const waiting = FileLock.acquire(scope.withTimeout(10_000), path);
  child.stdin.end();
  using held = await waiting;
  assert.equal(held.path, path);
  held[Symbol.dispose]();
  assert.throws(
    () => held.fd,
    (error) => isTeuError(error, "conflict"),
  );
});

test("FileLock: a lock file that its holder removed excludes nobody by accident", () => {
  using scratch = new Scratch();
  const path = join(scratch.path, "lock");
  using first = FileLock.tryAcquire(path);
  assert.ok(first !== null);
  rmSync(path);
  using second = FileLock.tryAcquire(path);
  assert.ok(second !== null, "a new file, a new lock");
  assert.equal(FileLock.tryAcquire(path), null);
});

test("removeTree: everything below, never through a symlink; missing is fine", async () => {
  using scratch = new Scratch();
  const tree = join(scratch.path, "tree");
  mkdirSync(join(tree, "a/b/c"), { recursive: true });
  mkdirSync(join(scratch.path, "outside"));
  writeFileSync(join(scratch.path, "outside/keep"), "x");
  symlinkSync("../outside", join(tree, "a/link"));
  for (let i = 0; i < 1200; i++) writeFileSync(join(tree, `a/b/f${i}`), "");
  await removeTree(scope, tree);
  assert.equal(lookupAt(scratch.fd, "tree"), null);
  assert.equal(await readFile(join(scratch.path, "outside/keep"), "utf8"), "x");
  await removeTree(scope, tree);
  symlinkSync("outside", join(scratch.path, "link"));
  await removeTree(scope, join(scratch.path, "link"));
  removeTreeAt(scratch.fd, "outside");
  assert.deepEqual(readDir(scratch.fd), []);
});

test("removeTree: a tree deeper than any stack, in which the last levels are not empty", async () => {
  using scratch = new Scratch();
  let at = openDirectory(scratch.path);
  for (let level = 0; level < 6000; level++) {
    mkdirAt(at.fd, "d", 0o700);
    if (level % 1000 === 0) writeNewFile(at.fd, "f", Buffer.from("f"), { mode: 0o600, ...own(), mtimeNs: NS });
    using above = at;
    at = new OwnedFd(openat2(above.fd, "d", O_RDONLY));
  }
  at[Symbol.dispose]();
  const before = readdirSync("/proc/self/fd").length;
  await removeTree(scope, join(scratch.path, "d"));
  assert.deepEqual(
    readDir(scratch.fd).map(({ name }) => name),
    ["f"],
  );
  assert.ok(readdirSync("/proc/self/fd").length <= before, "descriptors are closed");
});

test("removeTree: two at once on one tree both succeed", async () => {
  using scratch = new Scratch();
  const tree = join(scratch.path, "tree");
  for (let i = 0; i < 40; i++) {
    mkdirSync(join(tree, `d${i}`), { recursive: true });
    for (let j = 0; j < 40; j++) writeFileSync(join(tree, `d${i}/f${j}`), "");
  }
  await Promise.all([removeTree(scope, tree), removeTree(scope, tree), removeTree(scope, tree)]);
  assert.deepEqual(readDir(scratch.fd), []);
});

test("removeTree: cancelled between batches", async () => {
  using scratch = new Scratch();
  for (let i = 0; i < 1200; i++) writeFileSync(join(scratch.path, `f${i}`), "");
  const ended = createScope({ signal: AbortSignal.abort() });
  await assert.rejects(removeTree(ended, scratch.path), (error) => isTeuError(error, "cancelled"));
  assert.ok(readDir(scratch.fd).length > 0);
});

test("replaceFile: content and mode whatever the umask, nothing left on failure", async () => {
  using scratch = new Scratch();
  const path = join(scratch.path, "state.json");
  const umask = process.umask(0o077);
  try {
    await replaceFile(path, "one", { mode: 0o644 });
    await replaceFile(path, Buffer.from("two"), { mode: 0o644, durable: false });
  } finally {
    process.umask(umask);
  }
  assert.equal(await readFile(path, "utf8"), "two");
  assert.equal((await stat(path)).mode & 0o777, 0o644);
  await assert.rejects(replaceFile(join(scratch.path, "no/such"), "x"), refused("not-found", "ENOENT"));
  mkdirSync(join(scratch.path, "dir"));
  await writeFile(join(scratch.path, "dir/x"), "");
  await assert.rejects(replaceFile(join(scratch.path, "dir"), "x"), (error) => isTeuError(error));
  assert.deepEqual((await readdir(scratch.path)).toSorted(), ["dir", "state.json"]);
});

test("fileError: errno, call and path as facts, from node:fs too; a TeuError stays itself", async () => {
  const error = fileError("read", "/x", await readFile("/no/such/file").catch((cause: unknown) => cause));
  assert.equal(error.code, "not-found");
  assert.equal(error.message, 'cannot read "/x": no such file or directory (ENOENT)');
  assert.deepEqual(error.detail, { errno: "ENOENT", syscall: "open", path: "/x" });
  assert.equal(fileError("other", "/y", error), error);
  assert.equal(errnoOf(new Error("plain")), undefined);
});

test("filesAddonPath: TEU_FILES_ADDON names it, else where the build puts it", () => {
  const before = process.env["TEU_FILES_ADDON"];
  try {
    process.env["TEU_FILES_ADDON"] = "/some/where.node";
    assert.equal(filesAddonPath(), "/some/where.node");
    delete process.env["TEU_FILES_ADDON"];
    assert.match(filesAddonPath() ?? "", /dist\/native\/teu-files\.node$/);
  } finally {
    if (before !== undefined) process.env["TEU_FILES_ADDON"] = before;
  }
});

test("the addon: unavailable, with what to do, when it does not load", () => {
  const script =
    'import { fstat } from "@teu/files/stat"; try { fstat(0) } catch (e) { console.log(e.code, "|", e.hint) }';
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    cwd: import.meta.dirname,
    env: { ...process.env, TEU_FILES_ADDON: "/no/such.node" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  return new Promise<void>((resolve, reject) => {
    child.stdout.once("data", (data: Buffer) => {
      try {
        assert.match(data.toString(), /^unavailable \| run `npm run build`/);
        resolve();
      } catch (error) {
        reject(error);
      }
    });
  });
});

test("descriptorLimit: what this process may have open", () => {
  const module = JSON.stringify(join(import.meta.dirname, "open.ts"));
  const program = `import { descriptorLimit } from ${module}; console.log(descriptorLimit());`;
  const command = `ulimit -n 777; exec ${process.execPath} --input-type=module -e '${program}'`;
  assert.equal(execFileSync("sh", ["-c", command], { encoding: "utf8" }), "777\n");
});
