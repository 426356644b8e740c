// Gives the entries of a layer their owner, mode and extended attributes. With root in this order: the owner first, since changing it
// clears setuid and capabilities. Without root the owner is an attribute, and attributes come before the mode, which may forbid them.

import type { Log } from "@teu/base/scope";
import { errnoOf } from "@teu/files/addon";
import { chmodAt, chownAt, fchown } from "@teu/files/attributes";
import { S_IFBLK, S_IFCHR } from "@teu/files/constants";
import { setXattr } from "@teu/files/xattrs";

import type { TarEntry } from "../tar/entry.ts";
import { DEVICE_XATTR, encodeDevice, encodeOwner, OWNER_XATTR } from "./rootless.ts";

/** overlayfs' attributes never come from an image: "redirect" would show other files of the host's layers. */
export const FORBIDDEN_XATTRS: RegExp = /^(?:trusted|user)\.overlay\./;
/** What we ourselves keep in attributes without root, an image must not tell. */
const OURS: ReadonlySet<string> = new Set([OWNER_XATTR, DEVICE_XATTR]);

/** What a file needs that has no extended attributes. */
export type PlainAttributes = Pick<TarEntry, "uid" | "gid" | "mode" | "mtimeNs">;

/** See the head of this file. */
export class EntryAttributes {
  readonly rootless: boolean;
  readonly #log: Log;

  constructor(log: Log, rootless: boolean) {
    this.#log = log;
    this.rootless = rootless;
  }

  /** The attributes of a file that can be had in one call; null when it needs extended ones. */
  plain(entry: TarEntry): PlainAttributes | null {
    if (entry.xattrs.size > 0) return null;
    if (!this.rootless) return entry;
    if (entry.type !== "file" || encodeOwner(entry) !== null) return null;
    return { ...entry, uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  }

  /** Of an open file or directory; `chmod` sets its mode. */
  give(entry: TarEntry, fd: number, chmod: () => void): void {
    if (!this.rootless) fchown(fd, entry.uid, entry.gid);
    if (this.rootless) this.#setXattrs(entry, fd, "");
    chmod();
    if (!this.rootless) this.#setXattrs(entry, fd, "");
  }

  /** Of a symlink or node below a directory. */
  giveAt(entry: TarEntry, fd: number, name: string): void {
    if (!this.rootless) chownAt(fd, name, entry.uid, entry.gid);
    if (entry.type !== "symlink") chmodAt(fd, name, entry.mode);
    this.#setXattrs(entry, fd, name);
  }

  #setXattrs(entry: TarEntry, fd: number, name: string): void {
    for (const [key, value] of entry.xattrs) {
      if (FORBIDDEN_XATTRS.test(key) || (this.rootless && OURS.has(key)))
        this.#log.warn("extended attribute that only this host may set dropped from layer", {
          path: entry.name,
          name: key,
        });
      else this.#setXattr(entry, fd, name, key, value);
    }
    if (!this.rootless) return;
    const owner = encodeOwner(entry);
    if (owner !== null) this.#setXattr(entry, fd, name, OWNER_XATTR, owner);
    if (entry.type !== "character" && entry.type !== "block") return;
    const mode = entry.mode | (entry.type === "character" ? S_IFCHR : S_IFBLK);
    const device = encodeDevice({ ...entry, mode, major: entry.devMajor, minor: entry.devMinor });
    this.#setXattr(entry, fd, name, DEVICE_XATTR, device);
  }

  #setXattr(entry: TarEntry, fd: number, name: string, key: string, value: Uint8Array): void {
    try {
      setXattr(fd, name, key, value);
    } catch (error) {
      const errno = errnoOf(error);
      // Only root may set security.* and trusted.*; nobody can set user.* of a symlink or fifo.
      const refused = errno === "EPERM" && this.rootless;
      // A capability is what makes the program work; other attributes are lost by every tool where the file system has none.
      if (!refused && (errno !== "EOPNOTSUPP" || key === "security.capability")) throw error;
      this.#log.warn("extended attribute cannot be kept", { path: entry.name, name: key });
    }
  }
}
