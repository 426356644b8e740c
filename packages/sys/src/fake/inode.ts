// Files of the fake kernel: inodes, with optional behaviour for those that are windows into the kernel (procfs, cgroupfs).
// portable: no host types here.

import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../constants/fs.ts";
import type { Location } from "./world.ts";

/** Behaviour of a special file or directory. */
export interface InodeOps {
  /** Content at each read. */
  readonly read?: () => string;
  /** Instead of storing. Throw a SysError to refuse. */
  readonly write?: (text: string) => void;
  /** A child made on demand; null: no such name. Asked only for names that are not there. */
  readonly lookup?: (name: string) => Inode | null;
  /** More names for readDir. */
  readonly names?: () => readonly string[];
  /** A new subdirectory (mkdir); else a plain one. */
  readonly mkdir?: (name: string) => Inode;
  /** May it be removed by rmdir although it has entries? Returns the errno to refuse with, or "". */
  readonly rmdir?: () => string;
}

let nextNumber = 1000;

/** One file. `mode` has the type bits. */
export class Inode {
  readonly number: number = nextNumber++;
  mode: number;
  uid = 0;
  gid = 0;
  major = 0;
  minor = 0;
  /** Regular files: the content. */
  data: Uint8Array = new Uint8Array(0);
  /** Symbolic links: the goal. */
  goal = "";
  /** Magic links of procfs to a place in the tree: that place, at the moment. */
  leads: (() => Location) | null = null;
  readonly entries: Map<string, Inode> = new Map();
  parent: Inode | null = null;
  readonly ops: InodeOps;
  /** f_type of the file system it belongs to. */
  magic: number;
  /** FIFOs: bytes written and not read. */
  queue: Uint8Array[] = [];

  constructor(mode: number, magic: number, ops: InodeOps = {}) {
    this.mode = mode;
    this.magic = magic;
    this.ops = ops;
  }

  get type(): number {
    return this.mode & S_IFMT;
  }

  get isDirectory(): boolean {
    return this.type === S_IFDIR;
  }

  /** A child by name, made on demand where the directory is a window. */
  child(name: string): Inode | null {
    const found = this.entries.get(name);
    if (found !== undefined) return found;
    const made = this.ops.lookup?.(name) ?? null;
    if (made !== null) this.add(name, made);
    return made;
  }

  /** Puts a child in. */
  add(name: string, child: Inode): Inode {
    this.entries.set(name, child);
    child.parent = this;
    return child;
  }
}

/** A directory, mode 0755. */
export function directory(magic: number, ops: InodeOps = {}): Inode {
  return new Inode(S_IFDIR | 0o755, magic, ops);
}

/** A regular file. */
export function file(magic: number, mode: number, text = ""): Inode {
  const inode = new Inode(S_IFREG | mode, magic);
  inode.data = encode(text);
  return inode;
}

/** A file whose content is made at each read. */
export function window(magic: number, read: () => string, write?: (text: string) => void): Inode {
  return new Inode(S_IFREG | 0o644, magic, write === undefined ? { read } : { read, write });
}

/** A symbolic link. */
export function symlink(magic: number, goal: string): Inode {
  const inode = new Inode(S_IFLNK | 0o777, magic);
  inode.goal = goal;
  return inode;
}

/** A magic link; what readlink(2) says of it is found at each look. */
export function magicLink(magic: number, leads: () => Location, goal: () => string): Inode {
  const inode = symlink(magic, "");
  inode.leads = leads;
  Object.defineProperty(inode, "goal", { get: goal });
  return inode;
}

/** A FIFO. */
export function fifo(magic: number, mode: number): Inode {
  return new Inode(S_IFIFO | mode, magic);
}

/** A device node; `type` S_IFCHR or S_IFBLK. */
export function device(magic: number, type: number, major: number, minor: number): Inode {
  const inode = new Inode(type | 0o666, magic);
  inode.major = major;
  inode.minor = minor;
  return inode;
}

/** UTF-8. */
export function encode(text: string): Uint8Array {
  const out: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) out.push(code);
    else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else out.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return Uint8Array.from(out);
}

/** UTF-8, well-formed. */
export function decode(bytes: Uint8Array): string {
  let out = "";
  for (let i = 0; i < bytes.length;) {
    const first = bytes[i++] ?? 0;
    const more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    let code = more === 0 ? first : first & (0x3f >> more);
    for (let k = 0; k < more; k++) code = (code << 6) | ((bytes[i++] ?? 0) & 63);
    out += String.fromCodePoint(code);
  }
  return out;
}
