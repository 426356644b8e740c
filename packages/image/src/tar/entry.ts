// What one entry of a tar archive says, independent of the dialect (ustar, PAX, GNU, star, V7) it was written in.
// Names are strings as in @teu/files/file-name: bytes that are not UTF-8 travel as U+DC80..U+DCFF.

/** Kinds of entries. Sockets have none. */
export type TarType = "file" | "directory" | "symlink" | "hardlink" | "fifo" | "character" | "block";

/** One stretch of data in a sparse file; between stretches are holes. Bytes. */
export interface SparseSegment {
  readonly offset: number;
  readonly length: number;
}

/** An entry's header, everything in one place. */
export interface TarEntry {
  readonly type: TarType;
  /** As in the archive, without trailing slashes; not cleaned, not trusted. */
  readonly name: string;
  /** Of symlinks and hard links; else empty. */
  readonly linkName: string;
  /** Bytes of the file, holes included; 0 for everything but files. */
  readonly size: number;
  /** Permission bits with setuid, setgid and sticky; no file type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  /** Nanoseconds since 1970, may be negative. */
  readonly mtimeNs: bigint;
  /** Of devices; else 0. */
  readonly devMajor: number;
  readonly devMinor: number;
  /** Raw values by full name ("user.x", "security.capability"). */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /** Where the data of a sparse file goes, ascending; null for ordinary files. */
  readonly sparse: readonly SparseSegment[] | null;
}

/** No extended attributes: one map for nearly all entries. */
export const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();

/** Header blocks, and padding of content, come in this size. */
export const BLOCK = 512;
