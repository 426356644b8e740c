// sys:fs for real: files, names that are not UTF-8, links, pipes, locks, trees, and how calls fail.
// portable: runs in the host.

import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  DT_DIR,
  DT_LNK,
  DT_REG,
  LOCK_EX,
  LOCK_NB,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  PROC_SUPER_MAGIC,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  S_IFIFO,
  S_IFMT,
  W_OK,
} from "../constants/fs.ts";
import { realKernel } from "../real.ts";
import { assert } from "../test-host/assert.ts";
import { test } from "../test-host/test.ts";
import { inChild, openDescriptors, scratchDirectory, sysErrorOf } from "./scratch.ts";

const { fs, host, process } = realKernel;

test("openat, write, read, stat: a file holds what was written", (t) => {
  const { fd: dir } = scratchDirectory(t);
  const fd = fs.openat(dir, "file", O_RDWR | O_CREAT | O_EXCL, 0o640);
  assert.equal(fs.write(fd, "grüße"), 7);
  assert.equal(fs.pwrite(fd, new Uint8Array([65]), 0), 1);
  assert.equal(fs.lseek(fd, 0, 0), 0);
  assert.equal(host.utf8Decode(fs.read(fd, 100)), "Arüße");
  assert.equal(fs.read(fd, 100).length, 0);
  assert.equal(host.utf8Decode(fs.pread(fd, 2, 1)), "r\u{fffd}");
  const stat = fs.fstat(fd);
  assert.equal(fs.ownerAt(dir, "file"), stat.uid);
  assert.deepEqual([stat.size, stat.nlink, stat.mode & S_IFMT, stat.uid], [7, 1, 0o100000, process.geteuid()]);
  assert.ok(stat.mtimeNs > 1_600_000_000_000_000_000n && stat.mountId > 0);
  fs.close(fd);
});

test("readTextAt: a FIFO is empty or EAGAIN, and never waited for", (t) => {
  const { fd: dir } = scratchDirectory(t);
  fs.mkfifoAt(dir, "fifo", 0o600);
  assert.equal(fs.readTextAt(dir, "fifo", 100), "");
  const writer = fs.openat(dir, "fifo", O_RDWR, 0);
  assert.equal(sysErrorOf(() => fs.readTextAt(dir, "fifo", 100)).errno, "EAGAIN");
  fs.close(writer);
});

test("every descriptor is close-on-exec", (t) => {
  const { fd: dir } = scratchDirectory(t);
  const made = [
    fs.openat(dir, "a", O_RDWR | O_CREAT, 0o600),
    fs.openat2(dir, "a", O_RDONLY, 0, RESOLVE_IN_ROOT),
    fs.memfdCreate("m", 0),
  ];
  made.push(...fs.pipe2(O_NONBLOCK), fs.dup(dir, 100), realKernel.poll.create(), realKernel.socket.socket(1, 1, 0));
  for (const fd of made) {
    const flags = fs.readTextAt(AT_FDCWD, `/proc/self/fdinfo/${fd}`, 4096);
    assert.match(flags, /flags:\t0[0-7]*2[0-7]{6}\n/, `fd ${fd}: ${flags}`);
    fs.close(fd);
  }
});

test("names that are not UTF-8 survive", (t) => {
  const { fd: dir } = scratchDirectory(t);
  const name = "caf\udce9-\udcff-€";
  fs.close(fs.openat(dir, name, O_WRONLY | O_CREAT, 0o600));
  fs.symlinkAt(name, dir, "link");
  assert.deepEqual(
    fs
      .readDir(dir)
      .map((entry) => entry.name)
      .sort(),
    [name, "link"].sort(),
  );
  assert.equal(fs.readlinkAt(dir, "link"), name);
  assert.ok(fs.accessAt(dir, name, W_OK));
  const error = sysErrorOf(() => fs.openat(dir, `${name}x`, O_RDONLY, 0));
  assert.equal(error.subject, `${name}x`);
  assert.equal(error.message, `openat ${JSON.stringify(error.subject)}: ENOENT`);
});

test("a failed call says errno, call and subject, and where it was called", () => {
  const error = sysErrorOf(() => fs.openat2(AT_FDCWD, '/no "such"\nplace', O_RDONLY, 0, 0));
  assert.deepEqual(
    [error.name, error.errno, error.call, error.subject],
    ["SysError", "ENOENT", "openat2", '/no "such"\nplace'],
  );
  assert.equal(error.message, 'openat2 "/no \\"such\\"\\nplace": ENOENT');
  assert.equal(String(error), `SysError: ${error.message}`);
  assert.ok(error instanceof Error);
  assert.match(error.stack ?? "", /fs\.host|:\d+/);
});

test("bad arguments throw", () => {
  const bad = (value: unknown): never => value as never;
  const cases: readonly [string, () => unknown, Readonly<Record<string, unknown>>][] = [
    ["NUL in a path", () => fs.openat(AT_FDCWD, "/etc\0/passwd", 0, 0), { name: "SysError", errno: "EINVAL" }],
    ["unpaired surrogate", () => fs.openat(AT_FDCWD, "/\ud800", 0, 0), { name: "SysError", errno: "EILSEQ" }],
    ["fd -1", () => fs.read(-1, 1), { name: "SysError", errno: "EBADF" }],
    ["fd too large", () => fs.read(2 ** 40, 1), { name: "SysError", errno: "EBADF" }],
    ["fd not open", () => fs.read(1000, 1), { name: "SysError", errno: "EBADF", call: "read" }],
    ["fd not a number", () => fs.read(bad("1"), 1), { name: "TypeError", message: /argument 1/ }],
    ["fd not whole", () => fs.close(1.5), { name: "TypeError" }],
    ["no argument", () => fs.close(bad(undefined)), { name: "TypeError" }],
    [
      "path not a string",
      () => fs.openat(AT_FDCWD, bad(7), 0, 0),
      { name: "TypeError", message: /openat: argument 2 must be a string/ },
    ],
    ["count too large", () => fs.read(0, 2 ** 40), { name: "TypeError" }],
    ["not a Uint8Array", () => fs.writeSome(1, bad([1, 2])), { name: "TypeError" }],
    ["another typed array", () => fs.writeSome(1, bad(new Uint16Array(2))), { name: "TypeError" }],
    ["not a bool", () => fs.setCloexec(0, bad(1)), { name: "TypeError" }],
    ["symbol", () => fs.mkdirAt(AT_FDCWD, bad(Symbol("x")), 0), { name: "TypeError" }],
  ];
  for (const [name, body, want] of cases) assert.throws(body, want, name);
});

test("detached and shared views: only the bytes of the view are written", (t) => {
  const { fd: dir } = scratchDirectory(t);
  const fd = fs.openat(dir, "v", O_RDWR | O_CREAT, 0o600);
  const whole = new Uint8Array([1, 2, 3, 4, 5]);
  assert.equal(fs.write(fd, whole.subarray(1, 3)), 2);
  assert.deepEqual(fs.pread(fd, 10, 0), new Uint8Array([2, 3]));
  const buffer = new ArrayBuffer(4);
  const view = new Uint8Array(buffer);
  buffer.transfer();
  assert.equal(fs.write(fd, view), 0);
  fs.close(fd);
});

test("openat2: RESOLVE_IN_ROOT keeps links inside, NO_SYMLINKS refuses them", (t) => {
  const { fd: dir } = scratchDirectory(t);
  fs.symlinkAt("/../../etc/passwd", dir, "out");
  assert.equal(sysErrorOf(() => fs.openat2(dir, "out", O_RDONLY, 0, RESOLVE_IN_ROOT)).errno, "ENOENT");
  assert.equal(sysErrorOf(() => fs.openat2(dir, "out", O_RDONLY, 0, RESOLVE_NO_SYMLINKS)).errno, "ELOOP");
});

test("openIfThere: -1 for what is not there, other errors are thrown", (t) => {
  const { fd: dir } = scratchDirectory(t);
  fs.close(fs.openat(dir, "file", O_WRONLY | O_CREAT, 0o600));
  fs.symlinkAt("file", dir, "link");
  const found = fs.openIfThere(dir, "file", O_RDONLY, 0, 0);
  assert.ok(found > 2);
  fs.close(found);
  assert.equal(fs.openIfThere(dir, "none", O_RDONLY, 0, RESOLVE_IN_ROOT), -1);
  assert.equal(fs.openIfThere(dir, "file/none", O_RDONLY, 0, RESOLVE_IN_ROOT), -1);
  assert.equal(sysErrorOf(() => fs.openIfThere(dir, "link", O_RDONLY, 0, RESOLVE_NO_SYMLINKS)).errno, "ELOOP");
  assert.equal(fs.filesystemType("/proc"), 0x9fa0);
  assert.equal(fs.filesystemType("/proc/none/none"), 0);
});

test("directories: entries, links, renames, removal", (t) => {
  const { fd: dir } = scratchDirectory(t);
  fs.mkdirAt(dir, "d", 0o755);
  fs.close(fs.openat(dir, "f", O_WRONLY | O_CREAT, 0o600));
  fs.linkAt(dir, "f", dir, "hard", 0);
  fs.symlinkAt("f", dir, "soft");
  fs.mkfifoAt(dir, "fifo", 0o600);
  assert.equal(fs.statAt(dir, "fifo", 0).mode & S_IFMT, S_IFIFO);
  assert.equal(fs.statAt(dir, "f", 0).nlink, 2);
  fs.renameAt(dir, "hard", dir, "moved", 0);
  assert.equal(sysErrorOf(() => fs.renameAt(dir, "moved", dir, "f", 1)).errno, "EEXIST");
  fs.chmodAt(dir, "f", 0o4711, 0);
  assert.equal(fs.statAt(dir, "f", 0).mode & 0o7777, 0o4711);
  const kinds = new Map(fs.readDir(dir).map(({ name, type }) => [name, type]));
  assert.deepEqual([kinds.get("d"), kinds.get("f"), kinds.get("soft")], [DT_DIR, DT_REG, DT_LNK]);
  // A second listing starts at the beginning again.
  assert.equal(fs.readDir(dir).length, kinds.size);
  fs.unlinkAt(dir, "d", AT_REMOVEDIR);
  assert.equal(fs.accessAt(dir, "d", 0), false);
});

test("removeTree: everything below, no link followed, missing is fine", (t) => {
  const { fd: dir } = scratchDirectory(t);
  fs.mkdirAt(dir, "keep", 0o755);
  fs.close(fs.openat(dir, "keep/file", O_WRONLY | O_CREAT, 0o600));
  fs.mkdirAt(dir, "tree", 0o755);
  for (const name of ["tree/a", "tree/a/b", "tree/a/b/c", "tree/z"]) fs.mkdirAt(dir, name, 0o755);
  fs.symlinkAt("../keep", dir, "tree/link");
  fs.symlinkAt("../../keep", dir, "tree/a/link");
  for (let i = 0; i < 300; i++) fs.close(fs.openat(dir, `tree/z/file-${i}`, O_WRONLY | O_CREAT, 0o600));
  fs.removeTree(dir, "tree");
  fs.removeTree(dir, "tree");
  assert.deepEqual(
    fs.readDir(dir).map(({ name }) => name),
    ["keep"],
  );
  assert.ok(fs.accessAt(dir, "keep/file", 0));
  fs.symlinkAt("keep", dir, "only-link");
  fs.removeTree(dir, "only-link");
  assert.ok(fs.accessAt(dir, "keep/file", 0));
});

test("removeTree: deeper than any stack", (t) => {
  const { fd: dir } = scratchDirectory(t);
  let inner = fs.dup(dir, 3);
  for (let depth = 0; depth < 400; depth++) {
    fs.mkdirAt(inner, "d", 0o755);
    const next = fs.openat(inner, "d", O_RDONLY | O_DIRECTORY, 0);
    fs.close(inner);
    inner = next;
  }
  fs.close(inner);
  fs.removeTree(dir, "d");
  assert.deepEqual(fs.readDir(dir), []);
});

test("replaceFileAt: exactly the mode, nothing left beside, the old file on failure", (t) => {
  const { fd: dir } = scratchDirectory(t);
  const mask = process.umask(0o077);
  fs.replaceFileAt(dir, "state.json", "one", 0o644, true);
  process.umask(mask);
  assert.equal(fs.statAt(dir, "state.json", 0).mode & 0o777, 0o644);
  fs.replaceFileAt(dir, "state.json", new Uint8Array([50]), 0o600, false);
  assert.equal(fs.readTextAt(dir, "state.json", 100), "2");
  fs.mkdirAt(dir, "directory", 0o755);
  assert.equal(sysErrorOf(() => fs.replaceFileAt(dir, "directory", "x", 0o644, false)).errno, "EISDIR");
  assert.deepEqual(
    fs
      .readDir(dir)
      .map(({ name }) => name)
      .sort(),
    ["directory", "state.json"],
  );
});

test("readTextAt: limit, procfs, escapes; writeTextAt does not create", (t) => {
  const { fd: dir } = scratchDirectory(t);
  fs.replaceFileAt(dir, "f", new Uint8Array([0x61, 0xff, 0x62]), 0o600, false);
  assert.equal(fs.readTextAt(dir, "f", 3), "a\udcffb");
  const error = sysErrorOf(() => fs.readTextAt(dir, "f", 2));
  assert.deepEqual([error.errno, error.subject], ["EFBIG", "f"]);
  assert.match(fs.readTextAt(AT_FDCWD, "/proc/self/status", 1 << 16), /^Name:\t/);
  const missing = sysErrorOf(() => fs.writeTextAt(dir, "none", "x"));
  assert.deepEqual([missing.errno, missing.subject], ["ENOENT", "none"]);
  fs.writeTextAt(dir, "f", "zz\udcff");
  assert.deepEqual(fs.readTextAt(dir, "f", 9), "zz\udcff");
});

test("write: EAGAIN says how much was written", () => {
  const [read, write] = fs.pipe2(O_NONBLOCK);
  const error = sysErrorOf(() => fs.write(write, new Uint8Array(1 << 20))) as Error & {
    written?: number;
    errno: string;
  };
  assert.equal(error.errno, "EAGAIN");
  assert.equal(error.written, 65536);
  fs.close(read);
  assert.equal(sysErrorOf(() => fs.writeSome(write, new Uint8Array(1))).errno, "EPIPE");
  fs.close(write);
});

test("copy: between files, pipes and procfs", (t) => {
  const { fd: dir } = scratchDirectory(t);
  const data = host.randomBytes(300_000);
  fs.replaceFileAt(dir, "from", data, 0o600, false);
  const from = fs.openat(dir, "from", O_RDONLY, 0);
  const to = fs.openat(dir, "to", O_RDWR | O_CREAT, 0o600);
  assert.equal(fs.copy(from, to, 100_000), 100_000);
  assert.equal(fs.copy(from, to, 1e9), 200_000);
  assert.equal(host.sha256Hex(fs.pread(to, 400_000, 0)), host.sha256Hex(data));
  const [read, write] = fs.pipe2(0);
  fs.lseek(from, 0, 0);
  assert.equal(fs.copy(from, write, 5000), 5000);
  assert.equal(fs.read(read, 9000).length, 5000);
  const proc = fs.openat(AT_FDCWD, "/proc/self/status", O_RDONLY, 0);
  assert.ok(fs.copy(proc, to, 1e6) > 100);
  for (const fd of [from, to, read, write, proc]) fs.close(fd);
});

test("flock: a second open file does not get it", (t) => {
  const { fd: dir } = scratchDirectory(t);
  const first = fs.openat(dir, "lock", O_RDWR | O_CREAT, 0o600);
  const second = fs.openat(dir, "lock", O_RDWR, 0);
  fs.flock(first, LOCK_EX);
  assert.equal(sysErrorOf(() => fs.flock(second, LOCK_EX | LOCK_NB)).errno, "EAGAIN");
  fs.close(first);
  fs.flock(second, LOCK_EX | LOCK_NB);
  fs.close(second);
});

test("xattrs: values come back, absence is ENODATA", (t) => {
  const { fd: dir, path } = scratchDirectory(t);
  const fd = fs.openat(dir, "x", O_RDWR | O_CREAT, 0o600);
  const missing = sysErrorOf(() => fs.getxattr(`${path}/x`, "user.none"));
  // tmpfs before Linux 6.6 has no user attributes.
  assert.ok(["ENODATA", "EOPNOTSUPP"].includes(missing.errno), missing.errno);
  assert.equal(missing.subject, `${path}/x`);
  if (missing.errno === "ENODATA") {
    fs.fsetxattr(fd, "user.teu", new Uint8Array([0, 255, 7]), 0);
    assert.deepEqual(fs.getxattr(`${path}/x`, "user.teu"), new Uint8Array([0, 255, 7]));
    assert.equal(sysErrorOf(() => fs.setxattr(`${path}/x`, "user.teu", new Uint8Array(1), 1)).errno, "EEXIST");
  }
  fs.close(fd);
});

test("dup, dup3, closeRange, seals", () => {
  const before = openDescriptors();
  const fd = fs.memfdCreate("sealed", 2);
  fs.addSeals(fd, 8);
  assert.equal(sysErrorOf(() => fs.write(fd, "x")).errno, "EPERM");
  const high = fs.dup(fd, 200);
  assert.ok(high >= 200);
  fs.dup3(fd, 210, false);
  assert.doesNotMatch(fs.readTextAt(AT_FDCWD, "/proc/self/fdinfo/210", 4096), /flags:\t0[0-7]*2[0-7]{6}\n/);
  fs.dup3(210, 210, true);
  assert.match(fs.readTextAt(AT_FDCWD, "/proc/self/fdinfo/210", 4096), /flags:\t0[0-7]*2[0-7]{6}\n/);
  const top = fs.dup(fd, 1000);
  fs.closeRange(top, top, 0);
  assert.equal(sysErrorOf(() => fs.close(top)).errno, "EBADF");
  for (const open of [210, high, fd]) fs.close(open);
  assert.deepEqual(openDescriptors(), before);
});

test("fstatfs knows procfs; statAt with AT_EMPTY_PATH is the descriptor itself", () => {
  const proc = fs.openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);
  assert.equal(fs.fstatfs(proc).type, PROC_SUPER_MAGIC);
  assert.equal(fs.statAt(proc, "", AT_EMPTY_PATH).ino, fs.fstat(proc).ino);
  fs.close(proc);
});

test("a failed call leaves no descriptor open", (t) => {
  const { fd: dir } = scratchDirectory(t);
  const before = openDescriptors();
  for (const body of [
    () => fs.readTextAt(dir, ".", 10),
    () => fs.replaceFileAt(dir, "no/such", "", 0o600, true),
    () => fs.removeTree(dir, "\0"),
  ]) {
    assert.throws(body, { name: "SysError" });
  }
  assert.deepEqual(openDescriptors(), before);
});

test("inChild: a copy has files of its own to close", () => {
  const [read, write] = fs.pipe2(0);
  assert.deepEqual(
    inChild(() => {
      fs.write(write, "from the copy");
      fs.closeRange(3, 4294967295, 0);
    }),
    { kind: "exited", code: 0 },
  );
  assert.equal(host.utf8Decode(fs.read(read, 100)), "from the copy");
  fs.close(read);
  fs.close(write);
});
