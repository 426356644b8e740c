// Users and groups by name, looked up in an image's own /etc/passwd and /etc/group.

import { TeuError } from "@teu/base/errors";
import { parseGroup, parsePasswd } from "@teu/image/user-files";
import { readSync } from "node:fs";
import { type FileTree, resolvePath } from "./file-tree.ts";

/** Numeric owner. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const LARGEST = 4 << 20;
const MOST_ID = 2 ** 32 - 2;

/**
 * "user[:group]" as numbers. A user by name brings its group along; a bare number is its own group (`bareGroup` "same", as --chown)
 * or looks for its group in passwd (`bareGroup` "passwd", as USER).
 * @throws TeuError `not-found` for an unknown name, `invalid` for a number out of range.
 */
export function lookUpOwner(tree: FileTree, text: string, bareGroup: "same" | "passwd"): Owner {
  const colon = text.indexOf(":");
  const user = colon < 0 ? text : text.slice(0, colon);
  const group = colon < 0 ? "" : text.slice(colon + 1);
  const known = user === "" ? { uid: 0, gid: 0 } : lookUpUser(tree, user);
  const uid = known?.uid ?? numberOf(user);
  if (uid === null)
    throw new TeuError({
      code: "not-found",
      op: "look up user",
      subject: user,
      message: "no such user in the image's /etc/passwd",
      hint: "use a number, or create the user in a RUN step before",
    });
  if (group === "") return { uid, gid: numberOf(user) !== null && bareGroup === "same" ? uid : (known?.gid ?? 0) };
  const gid = lookUpGroup(tree, group) ?? numberOf(group);
  if (gid === null)
    throw new TeuError({
      code: "not-found",
      op: "look up group",
      subject: group,
      message: "no such group in the image's /etc/group",
      hint: "use a number, or create the group in a RUN step before",
    });
  return { uid, gid };
}

function lookUpUser(tree: FileTree, user: string): Owner | null {
  // As in BuildKit, and unlike in `docker run`: what is a number is never a name.
  const asNumber = numberOf(user);
  const users = parsePasswd(readText(tree, "etc/passwd"), MOST_ID);
  return users.find(({ name, uid }) => (asNumber === null ? name === user : uid === asNumber)) ?? null;
}

function lookUpGroup(tree: FileTree, group: string): number | null {
  return parseGroup(readText(tree, "etc/group"), MOST_ID).find(({ name }) => name === group)?.gid ?? null;
}

function readText(tree: FileTree, path: string): string {
  const resolved = resolvePath(tree, path);
  if (resolved.entry?.kind !== "file") return "";
  if (resolved.entry.size > LARGEST)
    throw new TeuError({ code: "exhausted", op: "read", subject: `/${path}`, message: `larger than ${LARGEST} bytes` });
  using file = tree.open(resolved.path);
  const buffer = Buffer.alloc(resolved.entry.size);
  let length = 0;
  for (let count = -1; length < buffer.length && count !== 0; length += count)
    count = readSync(file.fd, buffer, length, buffer.length - length, length);
  return buffer.toString("utf8", 0, length);
}

function numberOf(text: string): number | null {
  if (!/^\d+$/.test(text)) return null;
  if (Number(text) <= MOST_ID) return Number(text);
  throw new TeuError({ code: "invalid", op: "read id", subject: text, message: `larger than ${MOST_ID}` });
}
