// The user of an image: "name", "uid", "name:group", "uid:gid", looked up in the image's own /etc/passwd and /etc/group
// (never the host's), as image-spec's conversion.md wants it.

import { isTeuError, TeuError } from "@teu/base/errors";

/** Reads a file of the image; null when there is none. */
export type ImageFileReader = (path: string) => Uint8Array | null;

/** A user in numbers. */
export interface ImageUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups; empty when the user is a number or the group was given. */
  readonly additionalGids: readonly number[];
  /** Home directory from passwd; absent when the user is not in it. */
  readonly home?: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** Larger passwd files are not honest. */
export const USER_FILE_LIMIT: number = 4 << 20;
/** Ids are 32 bits; the last one means "unchanged" to the kernel. */
const MAX_ID = 0xffff_fffe;

/**
 * Resolves a user; empty text is root.
 * @throws TeuError `not-found` when a name is not in the image, `invalid` for ids out of range.
 */
export function resolveImageUser(text: string, read: ImageFileReader): ImageUser {
  const [userText = "", groupText = ""] = text.split(":", 2);
  const passwd = parsePasswd(lines(read("/etc/passwd")));
  const groups = parseGroups(lines(read("/etc/group")));
  const numeric = isNumber(userText);
  const wanted = userText === "" ? 0 : numeric ? readId(userText) : undefined;
  const entry = passwd.find((known) => (wanted === undefined ? known.name === userText : known.uid === wanted));
  if (wanted === undefined && entry === undefined) throw unknown("user", userText, "/etc/passwd");
  const gid = groupText === "" ? (entry?.gid ?? 0) : findGroup(groupText, groups);
  const named = !numeric && groupText === "" && entry !== undefined;
  const others = named ? groups.filter(({ members }) => members.includes(entry.name)).map((group) => group.gid) : [];
  return {
    uid: wanted ?? (entry as PasswdEntry).uid,
    gid,
    additionalGids: [...new Set(others)].filter((other) => other !== gid),
    ...(entry === undefined ? {} : { home: entry.home }),
  };
}

/** A reader over something like `UnionView`; files that are missing or odd read as absent. */
export function imageFileReader(view: { readFile(path: string, limit: number): Uint8Array }): ImageFileReader {
  return (path) => {
    try {
      return view.readFile(path, USER_FILE_LIMIT);
    } catch (error) {
      if (isTeuError(error, "not-found")) return null;
      throw error;
    }
  };
}

function findGroup(text: string, groups: readonly GroupEntry[]): number {
  if (isNumber(text)) return readId(text);
  const group = groups.find(({ name }) => name === text);
  if (group === undefined) throw unknown("group", text, "/etc/group");
  return group.gid;
}

function parsePasswd(rows: readonly string[]): PasswdEntry[] {
  return rows.flatMap((row) => {
    const [name = "", , uid = "", gid = "", , home = ""] = row.split(":");
    if (name === "" || !isNumber(uid) || !isNumber(gid)) return [];
    return [{ name, uid: Number(uid), gid: Number(gid), home: home === "" ? "/" : home }];
  });
}

function parseGroups(rows: readonly string[]): GroupEntry[] {
  return rows.flatMap((row) => {
    const [name = "", , gid = "", members = ""] = row.split(":");
    if (name === "" || !isNumber(gid)) return [];
    return [{ name, gid: Number(gid), members: members.split(",").filter((member) => member !== "") }];
  });
}

function lines(bytes: Uint8Array | null): string[] {
  if (bytes === null) return [];
  const rows = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8").split("\n");
  return rows.map((row) => row.trim()).filter((row) => row !== "" && !row.startsWith("#"));
}

function isNumber(text: string): boolean {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= MAX_ID;
}

function readId(text: string): number {
  return Number(text);
}

function unknown(kind: string, name: string, file: string): TeuError {
  if (/^-?[0-9]+$/.test(name)) {
    return new TeuError({ code: "invalid", op: `look up ${kind}`, subject: name, message: `ids are 0 to ${MAX_ID}` });
  }
  return new TeuError({
    code: "not-found",
    op: `look up ${kind}`,
    subject: name,
    message: `no such ${kind} in the image's ${file}`,
  });
}
