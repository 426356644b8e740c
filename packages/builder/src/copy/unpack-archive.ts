// ADD of a local archive: recognised by content, decompressed and unpacked into a layer. Entries never leave the root file system:
// ".." is dropped and symlinks are followed inside it only, those of the archive included.

import { spawn } from "node:child_process";
import { readSync, writeSync } from "node:fs";
import { Readable } from "node:stream";
import type { Scope } from "@teu/base/scope";
import { isTeuError, TeuError } from "@teu/base/errors";
import { fchmod, fchown, futimens } from "@teu/files/attributes";
import { truncate } from "@teu/files/data";
import type { OwnedFd } from "@teu/files/open";
import { setXattr } from "@teu/files/xattrs";
import { DEFAULT_DECOMPRESS_LIMITS, decompress } from "@teu/image/compression/decompress";
import { FORBIDDEN_XATTRS } from "@teu/image/layer/entry-attributes";
import { DEFAULT_LAYER_LIMITS } from "@teu/image/layer/limits";
import type { TarEntry } from "@teu/image/tar/entry";
import { TarReader, type TarSink } from "@teu/image/tar/reader";
import { cleanPath, joinPath, type TreeEntry } from "../context/file-tree.ts";
import type { Owner } from "../context/user-names.ts";
import type { LayerWriter } from "./layer-writer.ts";

/** How an archive is packed. */
export type ArchiveKind = "tar" | "gzip" | "zstd" | "bzip2" | "xz";

const HEAD_BYTES = 512;
const CHUNK = 1 << 20;
const MAGICS: readonly (readonly [ArchiveKind, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/** What the first bytes of a file say; null: no archive. A compressed file counts as one only when a tar is inside. */
export async function sniffArchive(scope: Scope, file: OwnedFd, subject: string): Promise<ArchiveKind | null> {
  const head = Buffer.alloc(HEAD_BYTES);
  const length = readSync(file.fd, head, 0, HEAD_BYTES, 0);
  const found = MAGICS.find(([, magic]) => magic.every((byte, index) => head[index] === byte));
  if (found === undefined) return isTarHeader(head.subarray(0, length)) ? "tar" : null;
  const start: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of contentOf(scope, file, found[0], subject)) {
      start.push(chunk);
      size += chunk.length;
      if (size >= HEAD_BYTES) break;
    }
  } catch (error) {
    scope.check("read archive");
    // Not what its first bytes promised: an ordinary file then.
    if (isTeuError(error, "unavailable")) throw error;
    return null;
  }
  return isTarHeader(Buffer.concat(start).subarray(0, HEAD_BYTES)) ? found[0] : null;
}

/** Unpacks an archive below `destination` (canonical); entries keep their owners unless `owner` is given. */
export async function unpackArchive(
  scope: Scope,
  writer: LayerWriter,
  file: OwnedFd,
  kind: ArchiveKind,
  destination: string,
  options: { owner?: Owner; subject: string },
): Promise<void> {
  writer.ensureDirectory(destination, options.owner ?? { uid: 0, gid: 0 });
  const sink = new UnpackSink(scope, writer, destination, options.owner);
  try {
    const reader = new TarReader(sink, DEFAULT_LAYER_LIMITS);
    for await (const chunk of contentOf(scope, file, kind, options.subject)) {
      reader.write(chunk);
      scope.check("unpack");
    }
    reader.end();
    writer.finish();
  } catch (cause) {
    if (scope.signal.aborted) scope.check("unpack");
    throw isTeuError(cause) && cause.code !== "invalid" && cause.code !== "corrupt"
      ? cause
      : new TeuError({
          code: "invalid",
          op: "unpack",
          subject: options.subject,
          message: "the archive is damaged or cannot be unpacked",
          cause,
        });
  } finally {
    sink.close();
  }
}

class UnpackSink implements TarSink {
  readonly #scope: Scope;
  readonly #writer: LayerWriter;
  readonly #destination: string;
  readonly #owner: Owner | undefined;
  #current: { file: OwnedFd; entry: TarEntry } | null = null;

  constructor(scope: Scope, writer: LayerWriter, destination: string, owner: Owner | undefined) {
    this.#scope = scope;
    this.#writer = writer;
    this.#destination = destination;
    this.#owner = owner;
  }

  entry(given: TarEntry): void {
    const entry = this.#withoutOverlayMarks(given);
    const path = this.#target(entry.name);
    if (path === null) return;
    const existing = this.#writer.tree.find(path)?.entry.kind;
    const asEntry = treeEntryOf(entry, this.#owner);
    if (entry.type === "directory") {
      if (existing !== undefined && existing !== "directory") this.#writer.shadow(path);
      this.#writer.putDirectory(path, asEntry, { tree: noContent(entry), path }, false);
      return;
    }
    if (existing !== undefined) this.#writer.shadow(path);
    if (entry.type === "file") this.#current = { file: this.#writer.createFile(path), entry };
    else if (entry.type === "hardlink") this.#hardLink(entry, path);
    else this.#writer.putEntry(path, asEntry, { tree: noContent(entry), path });
  }

  data(chunk: Uint8Array, offset: number): void {
    const { file } = this.#current ?? {};
    if (file === undefined) return;
    for (let done = 0; done < chunk.length;)
      done += writeSync(file.fd, chunk, done, chunk.length - done, offset + done);
  }

  endEntry(): void {
    if (this.#current === null) return;
    const { file, entry } = this.#current;
    if (entry.sparse !== null) truncate(file.fd, entry.size);
    fchown(file.fd, this.#owner?.uid ?? entry.uid, this.#owner?.gid ?? entry.gid);
    fchmod(file.fd, entry.mode);
    for (const [name, value] of entry.xattrs) setXattr(file.fd, "", name, value);
    futimens(file.fd, entry.mtimeNs);
    this.close();
  }

  close(): void {
    this.#current?.file[Symbol.dispose]();
    this.#current = null;
  }

  /** What overlayfs takes for its own comes from no archive: it would delete, or show, files of other layers. */
  #withoutOverlayMarks(entry: TarEntry): TarEntry {
    if (entry.type === "character" && entry.devMajor === 0 && entry.devMinor === 0) {
      throw new TeuError({
        code: "invalid",
        op: "unpack",
        subject: entry.name,
        message: "character device 0:0 is overlayfs' own mark for a deleted file",
      });
    }
    const kept = [...entry.xattrs].filter(([name]) => !FORBIDDEN_XATTRS.test(name));
    if (kept.length === entry.xattrs.size) return entry;
    this.#scope.log.warn("extended attribute of overlayfs dropped from archive", { path: entry.name });
    return { ...entry, xattrs: new Map(kept) };
  }

  /** Where an entry goes: its directory resolved inside the root file system, its own name not followed. Null: the destination itself. */
  #target(name: string): string | null {
    const clean = cleanPath(name);
    if (clean === "") return null;
    const full = joinPath(this.#destination, clean);
    const slash = full.lastIndexOf("/");
    const parent = this.#writer.resolve(slash < 0 ? "" : full.slice(0, slash));
    this.#writer.ensureDirectory(parent, this.#owner ?? { uid: 0, gid: 0 });
    return joinPath(parent, full.slice(slash + 1));
  }

  #hardLink(entry: TarEntry, path: string): void {
    const source = this.#writer.resolve(joinPath(this.#destination, cleanPath(entry.linkName)), false);
    const found = this.#writer.tree.find(source);
    if (found === null || found.entry.kind === "directory") {
      throw new TeuError({
        code: "invalid",
        op: "unpack",
        subject: entry.name,
        message: `its hard link target ${JSON.stringify(entry.linkName)} is not there`,
      });
    }
    if (found.layer === 0) this.#writer.link(source, path);
    else this.#writer.putEntry(path, found.entry, { tree: this.#writer.tree, path: source });
  }
}

function treeEntryOf(entry: TarEntry, owner: Owner | undefined): TreeEntry {
  const kind = entry.type === "character" ? "char" : entry.type === "hardlink" ? "file" : entry.type;
  return {
    kind,
    mode: entry.mode,
    uid: owner?.uid ?? entry.uid,
    gid: owner?.gid ?? entry.gid,
    size: entry.size,
    mtimeNs: entry.mtimeNs,
    major: entry.devMajor,
    minor: entry.devMinor,
  };
}

/** Link target and attributes of an archive entry, for the writer. */
function noContent(entry: TarEntry): {
  open(): never;
  readLink(): string;
  xattrs(): (readonly [string, Uint8Array])[];
} {
  return {
    open: () => {
      throw new TeuError({
        code: "internal",
        op: "unpack",
        subject: entry.name,
        message: "a file without content was asked for its content",
      });
    },
    readLink: () => entry.linkName,
    xattrs: () => [...entry.xattrs],
  };
}

function isTarHeader(block: Uint8Array): boolean {
  if (block.length < HEAD_BYTES) return false;
  const stated = Number.parseInt(
    Buffer.from(block.subarray(148, 156))
      .toString("latin1")
      .replace(/[\0 ]+$/, "")
      .trim(),
    8,
  );
  let sum = 0;
  for (let i = 0; i < HEAD_BYTES; i++) sum += i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0);
  return sum === stated && block[0] !== 0;
}

/** The archive itself, with the limits that hold for layers. */
function contentOf(scope: Scope, file: OwnedFd, kind: ArchiveKind, subject: string): AsyncIterable<Uint8Array> {
  if (kind === "bzip2" || kind === "xz") return limited(throughProgram(chunksOf(file), kind, subject), subject);
  return decompress(scope, Readable.from(chunksOf(file), { objectMode: true, highWaterMark: 1 }));
}

async function* limited(source: AsyncIterable<Uint8Array>, subject: string): AsyncIterable<Uint8Array> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > DEFAULT_DECOMPRESS_LIMITS.bytes) {
      const message = `more than ${DEFAULT_DECOMPRESS_LIMITS.bytes} bytes came out: this looks like a decompression bomb`;
      throw new TeuError({ code: "exhausted", op: "unpack", subject, message });
    }
    yield chunk;
  }
}

/** Reads at positions of its own: the file is the caller's, to be closed by the caller alone. */
function* chunksOf(file: OwnedFd): Generator<Buffer> {
  for (let position = 0; ;) {
    const buffer = Buffer.allocUnsafe(CHUNK);
    const length = readSync(file.fd, buffer, 0, CHUNK, position);
    if (length === 0) return;
    position += length;
    yield buffer.subarray(0, length);
  }
}

/** bzip2 and xz are not in Node; their programs are on most hosts. */
function throughProgram(chunks: Iterable<Buffer>, program: "bzip2" | "xz", subject: string): Readable {
  const source = Readable.from(chunks, { objectMode: false, highWaterMark: CHUNK });
  const child = spawn(program, ["-d", "-c", "-q"], { stdio: ["pipe", "pipe", "ignore"] });
  child.on("error", (cause) => {
    child.stdout.destroy(
      new TeuError({
        code: "unavailable",
        op: "unpack",
        subject,
        message: `the program ${program} cannot be started`,
        hint: `install ${program}, or use --unpack=false`,
        cause,
      }),
    );
  });
  child.on("exit", (code) => {
    if (code !== 0 && code !== null)
      child.stdout.destroy(
        new TeuError({ code: "invalid", op: "unpack", subject, message: `${program} says that the file is damaged` }),
      );
  });
  // Closing early (sniffing) breaks its pipe; that is no error of ours.
  child.stdin.on("error", () => source.destroy());
  child.stdout.on("close", () => child.kill("SIGKILL"));
  source.pipe(child.stdin);
  return child.stdout;
}
