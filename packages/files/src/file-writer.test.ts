// Files by plan: content, attributes, order, and what happens at the first that cannot be written.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { errnoOf } from "./addon.ts";
import { hasher } from "./bulk.ts";
import { type FilePiece, FileWriter, writeError } from "./file-writer.ts";
import { openDirectory } from "./open.ts";
import { statAt } from "./stat.ts";

const UID = process.getuid?.() ?? 0;
const GID = process.getgid?.() ?? 0;

interface Place extends Disposable {
  readonly path: string;
  readonly writer: FileWriter<string>;
  piece(name: string, data: string | Uint8Array, more?: Partial<FilePiece>): FilePiece;
}

function place(): Place {
  const path = mkdtempSync(join(tmpdir(), "teu-file-writer-"));
  const directory = openDirectory(path);
  const writer = new FileWriter<string>((tag, name, error) => Object.assign(writeError(name, error), { tag }));
  return {
    path,
    writer,
    piece: (name, data, more) => ({
      dirfd: directory.fd,
      name,
      data: Buffer.from(data),
      mode: 0o644,
      uid: UID,
      gid: GID,
      mtimeNs: 0n,
      first: true,
      last: true,
      ...more,
    }),
    [Symbol.dispose]() {
      writer[Symbol.dispose]();
      directory[Symbol.dispose]();
      rmSync(path, { recursive: true });
    },
  };
}

test("FileWriter: content, mode whatever the umask, time to the nanosecond, odd names", async () => {
  const before = process.umask(0o077);
  try {
    using at = place();
    const modes = [0o644, 0o755, 0o600, 0o640, 0o4755, 0o2711, 0o1777, 0, 0o444, 0o070];
    const mtimeNs = -1_500_000_001n;
    for (const mode of modes) at.writer.add(at.piece(`m${mode}`, `content ${mode}`, { mode, mtimeNs }), "");
    at.writer.add(at.piece("\udcff é", ""), "");
    await at.writer.flush();
    at.writer.drain();
    using directory = openDirectory(at.path);
    for (const mode of modes) {
      const stat = statAt(directory.fd, `m${mode}`);
      assert.deepEqual([stat.mode & 0o7777, stat.mtimeNs, stat.uid, stat.gid], [mode, mtimeNs, UID, GID]);
      if (UID === 0) assert.equal(readFileSync(join(at.path, `m${mode}`), "utf8"), `content ${mode}`);
    }
    assert.equal(statAt(directory.fd, "\udcff é").size, 0);
  } finally {
    process.umask(before);
  }
});

test("FileWriter: a file in pieces, over flushes and drains; more files than one plan has room for", async () => {
  using at = place();
  at.writer.add(at.piece("long", "one ", { last: false }), "");
  await at.writer.flush();
  at.writer.add(at.piece("long", "two ", { first: false, last: false }), "");
  at.writer.drain();
  at.writer.add(at.piece("long", "three", { first: false }), "");
  for (let index = 0; index < 2500; index++) at.writer.add(at.piece(`${"n".repeat(200)}${index}`, `${index}`), "");
  await at.writer.flush();
  await at.writer.flush();
  assert.equal(readFileSync(join(at.path, "long"), "utf8"), "one two three");
  assert.equal(readdirSync(at.path).length, 2501);
  assert.equal(readFileSync(join(at.path, `${"n".repeat(200)}2499`), "utf8"), "2499");
});

test("FileWriter: it ends at the first file that cannot be written, and says which", async () => {
  for (const wait of ["flush", "drain", "both"] as const) {
    using at = place();
    writeFileSync(join(at.path, "there"), "before");
    at.writer.add(at.piece("a", "a"), "first");
    at.writer.add(at.piece("there", "after"), "second");
    at.writer.add(at.piece("b", "b"), "third");
    at.writer.add(at.piece("n".repeat(300), "c"), "fourth");
    const expected = (error: unknown): boolean => {
      const { tag, detail } = error as { tag: string; detail: { errno: string; syscall: string } };
      assert.deepEqual([tag, detail.errno, detail.syscall], ["second", "EEXIST", "openat"]);
      return true;
    };
    if (wait !== "drain") await at.writer.flush();
    if (wait === "both") at.writer.add(at.piece("c", "c"), "fifth");
    if (wait === "flush") await assert.rejects(at.writer.flush(), expected);
    else assert.throws(() => at.writer.drain(), expected);
    at.writer.drain();
    // A second thread may have been at the next one.
    const written = readdirSync(at.path).filter((name) => wait === "drain" || name !== "b");
    assert.deepEqual(written.toSorted(), ["a", "there"]);
    assert.equal(readFileSync(join(at.path, "there"), "utf8"), "before");
  }
});

test("FileWriter: follows no symlink, walks no path, and disposing it closes a file that is not whole", () => {
  using at = place();
  mkdirSync(join(at.path, "d"));
  symlinkSync("d/new", join(at.path, "link"));
  for (const [name, errno] of [
    ["link", "EEXIST"],
    ["d/new", "EINVAL"],
    ["..", "EEXIST"],
    ["nul\0", "EINVAL"],
  ] as const) {
    at.writer.add(at.piece(name, "x"), name);
    assert.throws(
      () => at.writer.drain(),
      (error) => errnoOf(error) === errno,
    );
  }
  assert.deepEqual(readdirSync(join(at.path, "d")), []);
  const opened = readdirSync("/proc/self/fd").length;
  at.writer.add(at.piece("half", "x", { last: false }), "half");
  at.writer.drain();
  assert.equal(readdirSync("/proc/self/fd").length, opened + 1);
  at.writer[Symbol.dispose]();
  assert.equal(readdirSync("/proc/self/fd").length, opened);
  assert.equal(statSync(join(at.path, "half")).size, 1);
});

/** A POSIX tar header and its content, as GNU tar and Go write them. */
function archived(name: string, content: string): Buffer {
  const block = Buffer.alloc(512 + Math.ceil(content.length / 512) * 512);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;
  block.write(name, 0, "utf8");
  block.write(
    `${octal(0o640, 7)}${octal(UID, 7)}${octal(GID, 7)}${octal(content.length, 11)}${octal(7, 11)}        0`,
    100,
  );
  block.write("ustar\x0000", 257);
  const sum = block.subarray(0, 512).reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  block.write(content, 512);
  return block;
}

test("FileWriter: files of an archive, up to the first that is not plain or not wanted; what is hashed with them", async () => {
  using at = place();
  using directory = openDirectory(at.path);
  const names = ["d/a", "d/b", "d/.c", "d/e", "d/f"];
  const archive = Buffer.concat(names.map((name) => archived(name, `content of ${name}`)));
  const files = { archive, before: Buffer.from("d/"), dirfd: directory.fd };
  const asked: string[] = [];
  const claim = (name: string): boolean => asked.push(name) > 0 && name !== "f";
  assert.deepEqual(at.writer.addArchived({ ...files, at: 0 }, claim, ""), { bytes: 2048, count: 2 });
  assert.deepEqual(at.writer.addArchived({ ...files, at: 2048 }, claim, ""), { bytes: 0, count: 0 });
  assert.deepEqual(at.writer.addArchived({ ...files, at: 3072 }, claim, ""), { bytes: 1024, count: 1 });
  assert.deepEqual(asked, ["a", "b", "e", "f"]);
  for (const before of ["", "e/", "d", "d/a"])
    assert.equal(at.writer.addArchived({ ...files, at: 0, before: Buffer.from(before) }, claim, "").count, 0);
  const hash = hasher(256);
  await at.writer.flush({ hasher: hash, bytes: archive });
  await at.writer.flush();
  assert.equal(hash.digest(), createHash("sha256").update(archive).digest("hex"));
  assert.deepEqual(readdirSync(at.path).toSorted(), ["a", "b", "e"]);
  assert.equal(readFileSync(join(at.path, "b"), "utf8"), "content of d/b");
  const stat = statAt(directory.fd, "e");
  assert.deepEqual([stat.mode & 0o7777, stat.mtimeNs], [0o640, 7_000_000_000n]);
});

test("FileWriter: a file of an archive that cannot be written is known by its name", () => {
  using at = place();
  using directory = openDirectory(at.path);
  writeFileSync(join(at.path, "b"), "before");
  const archive = Buffer.concat(["a", "b", "c"].map((name) => archived(name, name)));
  at.writer.addArchived({ archive, at: 0, before: Buffer.alloc(0), dirfd: directory.fd }, () => true, "tag");
  assert.throws(() => at.writer.drain(), /cannot write "?b"?: .*EEXIST/);
  assert.deepEqual(readdirSync(at.path).toSorted(), ["a", "b"]);
});

test("FileWriter: two threads write what one would: whole files, files in pieces over plans, the digests of it all and of something beside it", async () => {
  using at = place();
  const [digest, other] = [hasher(256), hasher(256)];
  const [whole, otherWhole] = [createHash("sha256"), createHash("sha256")];
  const wanted = new Map<string, string>();
  let open: { name: string; text: string } | null = null;
  for (let plan = 0; plan < 60; plan++) {
    const bytes = Buffer.alloc(40_000, `plan ${plan} `);
    let used = 0;
    const take = (length: number): Uint8Array => bytes.subarray(used, (used += length));
    for (let file = 0; file < 40; file++) {
      const name: string = open?.name ?? `${plan}-${file}`;
      const first = open === null;
      const pieces = (plan + file) % 7 === 0 ? 3 : 1;
      let text: string = open?.text ?? "";
      for (let piece = 0; piece < pieces; piece++) {
        const data = take((file * 37 + plan) % 300);
        text += Buffer.from(data).toString("latin1");
        // The last file of some plans goes on in the next one.
        const last = piece === pieces - 1 && !(file === 39 && plan % 3 === 0 && plan < 59);
        at.writer.add({ ...at.piece(name, ""), data, first: first && piece === 0, last }, name);
        open = last ? null : { name, text };
      }
      wanted.set(name, text);
    }
    whole.update(bytes);
    const beside = { hasher: other, bytes: Buffer.alloc(plan * 1_000, `beside ${plan} `) };
    // With it, without it, and it alone, in a plan without files, too.
    if (plan % 3 > 0) otherWhole.update(beside.bytes);
    const { done } = await at.writer.flush({ hasher: digest, bytes }, plan % 3 === 1 ? beside : undefined);
    if (plan % 3 === 2) {
      await done;
      await (
        await at.writer.flush(undefined, beside)
      ).done;
    }
  }
  await at.writer.flush();
  assert.equal(digest.digest(), whole.digest("hex"));
  assert.equal(other.digest(), otherWhole.digest("hex"));
  await assert.rejects(
    at.writer.flush({ hasher: digest, bytes: Buffer.alloc(1) }, { hasher: digest, bytes: Buffer.alloc(1) }),
    {
      code: "EINVAL",
    },
  );
  assert.equal(readdirSync(at.path).length, wanted.size);
  for (const [name, text] of wanted) assert.equal(readFileSync(join(at.path, name), "latin1"), text, name);
});

test("FileWriter: of several files that cannot be written, the first is told, whoever was quicker", async () => {
  for (let round = 0; round < 50; round++) {
    using at = place();
    for (const name of ["f30", "f70", "f95"]) writeFileSync(join(at.path, name), "");
    const bytes = Buffer.alloc(100, "x");
    for (let file = 0; file < 100; file++)
      at.writer.add({ ...at.piece(`f${file}`, ""), data: bytes.subarray(file) }, `f${file}`);
    await at.writer.flush();
    await assert.rejects(at.writer.flush(), { tag: "f30" });
    const names = new Set(readdirSync(at.path));
    for (let file = 0; file < 30; file++) assert.ok(names.has(`f${file}`), `f${file}`);
  }
});
