// What the name of a layer's entry means (image-spec, layer.md): an ordinary place, the root, a whiteout, an opaque mark,
// or old AUFS metadata. Names that would leave the layer, or cannot exist in one, are refused.

import { TeuError } from "@teu/base/errors";
import { fileNameToBytes } from "@teu/files/file-name";

/** Where an entry goes. `parent` is a path without ".", ".." and slashes at its ends; "" is the root. */
export type EntryPlace =
  | { readonly kind: "root" }
  | { readonly kind: "entry"; readonly parent: string; readonly name: string }
  | { readonly kind: "whiteout"; readonly parent: string; readonly name: string }
  | { readonly kind: "opaque"; readonly parent: string }
  /** AUFS metadata: nothing to do. */
  | { readonly kind: "skip" };

/** Marks an entry that hides a lower one. */
export const WHITEOUT_PREFIX = ".wh.";
/** Marks a directory whose lower content is hidden. */
export const OPAQUE_MARK = ".wh..wh..opq";
/** Prefix of AUFS's own files, of which only the opaque mark has a meaning elsewhere. */
const AUFS_PREFIX = ".wh..wh.";
/** PATH_MAX: no program could name what is deeper, and each component costs us a directory. */
export const LONGEST_PATH = 4096;

/** No component is empty or begins with a dot: nearly every name there is, and no work to take it apart. */
const ORDINARY = /^[^/.\0][^/\0]*(?:\/[^/.\0][^/\0]*)*$/;

/** @throws TeuError `corrupt` for names with "..", NUL, nothing after ".wh.", or beyond PATH_MAX. */
export function placeOf(name: string): EntryPlace {
  const bare = name.startsWith("./") ? name.slice(2) : name;
  if (ORDINARY.test(bare) && !isTooLong(bare)) {
    const slash = bare.lastIndexOf("/");
    return { kind: "entry", parent: slash < 0 ? "" : bare.slice(0, slash), name: bare.slice(slash + 1) };
  }
  const parts = pathParts(name);
  const last = parts.at(-1);
  if (last === undefined) return { kind: "root" };
  if (parts.some((part) => part.startsWith(AUFS_PREFIX) && part !== OPAQUE_MARK)) return { kind: "skip" };
  const parents = parts.slice(0, -1);
  if (parents.some((part) => part.startsWith(WHITEOUT_PREFIX))) throw refuse(name, "a whiteout is no directory");
  const parent = parents.join("/");
  if (last === OPAQUE_MARK) return { kind: "opaque", parent };
  if (!last.startsWith(WHITEOUT_PREFIX)) return { kind: "entry", parent, name: last };
  const hidden = last.slice(WHITEOUT_PREFIX.length);
  if (hidden === "" || hidden === "." || hidden === "..") throw refuse(name, "a whiteout of nothing");
  return { kind: "whiteout", parent, name: hidden };
}

/** A hard link's target as a path inside the layer. @throws TeuError `corrupt` as `placeOf`, and for the root. */
export function linkTarget(name: string, linkName: string): string {
  const parts = pathParts(linkName);
  if (parts.length === 0) throw refuse(name, "hard link to the root directory");
  return parts.join("/");
}

function pathParts(name: string): string[] {
  // Absolute names are relative to the image's root, as every container tool has it.
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refuse(name, 'the path contains ".."');
  if (name.includes("\0")) throw refuse(name, "the path contains a NUL");
  if (isTooLong(name)) throw refuse(name.slice(0, 100), `the path is longer than ${LONGEST_PATH} bytes`);
  return parts;
}

/** Whether a path is beyond `LONGEST_PATH` bytes. */
export function isTooLong(path: string): boolean {
  // No character takes more than three bytes for each unit of the string.
  if (path.length * 3 <= LONGEST_PATH) return false;
  return path.length > LONGEST_PATH || fileNameToBytes(path).length > LONGEST_PATH;
}

function refuse(subject: string, message: string): TeuError {
  return new TeuError({ code: "corrupt", op: "unpack layer entry", subject, message });
}
