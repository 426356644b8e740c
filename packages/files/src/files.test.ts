// Tests of the addon's face on a real directory; what needs root is in tests/system.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimesAt } from "./attributes.ts";
import {
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RESOLVE_BENEATH,
  S_IFDIR,
  S_IFREG,
} from "./constants.ts";
import { allocate, copyRange, fsync, seekData, seekHole, syncFileSystem, truncate, writeAll } from "./data.ts";
import { linkAt, mkdirAt, readDir, readlinkAt, renameAt, symlinkAt, unlinkAt } from "./entries.ts";
import { fileNameFromBytes, fileNameToBytes } from "./file-name.ts";
import { OwnedFd, openDirectory, openat2, RESOLVE_INSIDE } from "./open.ts";
import { removeTreeAt } from "./remove-tree.ts";
import { fstat, fstatfs, isType, lookupAt, statAt } from "./stat.ts";
import { getXattr, listXattrs, removeXattr, setXattr } from "./xattrs.ts";

function inDirectory(name: string, body: (path: string, directory: OwnedFd) => void): void {
  test(name, () => {
    const path = mkdtempSync(join(tmpdir(), "teu-files-"));
    try {
      using directory = openDirectory(path);
      body(path, directory);
    } finally {
      rmSync(path, { recursive: true });
    }
  });
}

inDirectory("openat2: stays inside whatever symbolic links say", (path, { fd }) => {
  mkdirSync(join(path, "etc"));
  writeFileSync(join(path, "etc/passwd"), "inside");
  symlinkSync("/etc/passwd", join(path, "link"));
  symlinkSync("../../../..", join(path, "up"));
  using file = new OwnedFd(openat2(fd, "link", O_RDONLY, 0, RESOLVE_INSIDE));
  assert.equal(readFileSync(file.fd, "utf8"), "inside");
  assert.throws(() => openat2(fd, "link", O_RDONLY, 0, RESOLVE_BENEATH), /EXDEV/);
  assert.throws(() => openat2(fd, "gone", O_RDONLY, 0, RESOLVE_INSIDE), { code: "not-found" });
});

inDirectory("data: holes are found, room is reserved, ranges are copied", (_path, { fd }) => {
  using file = new OwnedFd(openat2(fd, "sparse", O_RDWR | O_CREAT, 0o600));
  truncate(file.fd, 1 << 20);
  assert.equal(fstat(file.fd).size, 1 << 20);
  writeAll(file.fd, Buffer.alloc(4096, 1));
  assert.equal(seekData(file.fd, 0), 0);
  const hole = seekHole(file.fd, 0);
  assert.ok(hole >= 4096 && hole <= 1 << 20);
  using copy = new OwnedFd(openat2(fd, "copy", O_RDWR | O_CREAT, 0o600));
  using source = new OwnedFd(openat2(fd, "sparse", O_RDONLY));
  assert.equal(copyRange(source.fd, copy.fd, 4096), 4096);
  assert.equal(fstat(copy.fd).size, 4096);
  if (allocate(copy.fd, 8192)) assert.equal(fstat(copy.fd).size, 8192);
  fsync(copy.fd);
  syncFileSystem(copy.fd);
});

inDirectory("entries: made, linked, renamed, listed, removed", (_path, { fd }) => {
  mkdirAt(fd, "a");
  symlinkAt("a", fd, "link");
  assert.equal(readlinkAt(fd, "link"), "a");
  using file = new OwnedFd(openat2(fd, "f", O_RDWR | O_CREAT, 0o644));
  linkAt(fd, "f", fd, "g");
  assert.equal(fstat(file.fd).nlink, 2);
  assert.throws(
    () => {
      renameAt(fd, "a", fd, "g", RENAME_NOREPLACE);
    },
    { code: "already-exists" },
  );
  renameAt(fd, "a", fd, "g", RENAME_EXCHANGE);
  assert.ok(isType(statAt(fd, "g").mode, S_IFDIR));
  assert.ok(isType(statAt(fd, "a").mode, S_IFREG));
  unlinkAt(fd, "link");
  assert.equal(lookupAt(fd, "link"), null);
  assert.deepEqual(
    readDir(fd)
      .map((entry) => entry.name)
      .sort(),
    ["a", "f", "g"],
  );
  removeTreeAt(fd, "g");
  assert.throws(() => statAt(fd, "g"), { code: "not-found" });
});

inDirectory("stat: nanoseconds survive, the file system is told", (_path, { fd }) => {
  mkdirAt(fd, "d");
  setTimesAt(fd, "d", 1_234_567_890_123_456_789n);
  assert.equal(statAt(fd, "d").mtimeNs, 1_234_567_890_123_456_789n);
  const { blockSize, blocks, blocksFree } = fstatfs(fd);
  assert.ok(blockSize > 0 && blocks >= blocksFree);
});

inDirectory("xattrs: bytes in, the same bytes out, gone when removed", (_path, { fd }) => {
  mkdirAt(fd, "d");
  const value = Uint8Array.of(0, 255, 1);
  try {
    setXattr(fd, "d", "user.teu", value);
  } catch (error) {
    // Some file systems have no user attributes.
    assert.equal((error as { detail?: { errno?: string } }).detail?.errno, "EOPNOTSUPP");
    return;
  }
  assert.deepEqual(Uint8Array.from(getXattr(fd, "d", "user.teu") ?? []), value);
  assert.ok(listXattrs(fd, "d").includes("user.teu"));
  assert.equal(removeXattr(fd, "d", "user.teu"), true);
  assert.equal(removeXattr(fd, "d", "user.teu"), false);
  assert.equal(getXattr(fd, "d", "user.teu"), null);
});

inDirectory("fileNameFromBytes: names that are not UTF-8 come back as they were", (_path, { fd }) => {
  const bytes = Uint8Array.of(0x61, 0xff, 0xc3);
  const name = fileNameFromBytes(bytes);
  mkdirAt(fd, name);
  const [entry] = readDir(fd);
  assert.equal(entry?.name, name);
  assert.deepEqual(Uint8Array.from(fileNameToBytes(entry?.name ?? "")), bytes);
  // node:fs could not.
  removeTreeAt(fd, name);
});
