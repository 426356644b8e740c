// USER of an image or --user, looked up in the container's own /etc/passwd and /etc/group (passwd(5), group(5)): pure over their texts.
// The files are the container's and hostile (image/user-files.ts reads them).

import { TeuError } from "@teu/base/errors";
import { type GroupEntry, parseGroup, parsePasswd } from "@teu/image/user-files";

import type { Identity } from "./spec/build-spec.ts";

/** Beyond this a number is not a user id (runc's limit as well). */
const LARGEST_ID = 2 ** 31 - 1;

/**
 * Who `user` ("name", "1000", "name:group", "1000:1000", "") is, with the groups of `groupAdd`.
 * @throws TeuError `invalid` for a number out of range, `not-found` for a name that the files do not have.
 */
export function resolveIdentity(user: string, groupAdd: readonly string[], passwd: string, group: string): Identity {
  const users = parsePasswd(passwd, LARGEST_ID);
  const groups = parseGroup(group, LARGEST_ID);
  const [userPart = "", groupPart = ""] = user.split(":");
  const wanted = userPart === "" ? "0" : userPart;
  const number = asId(wanted);
  const entry =
    users.find((one) => one.name === wanted) ?? (number === null ? undefined : users.find((one) => one.uid === number));
  if (entry === undefined && number === null) throw unknown("user", wanted, "/etc/passwd");
  const uid = entry?.uid ?? number ?? 0;
  const gid = groupPart === "" ? (entry?.gid ?? 0) : groupId(groupPart, groups);
  // As in Docker: membership counts only where no group was named.
  const member =
    groupPart === "" && entry !== undefined
      ? groups.filter((one) => one.members.includes(entry.name)).map((one) => one.gid)
      : [];
  const additional = new Set([...member, ...groupAdd.map((name) => groupId(name, groups))]);
  if (additional.size > 0) additional.add(gid);
  return { uid, gid, additionalGids: [...additional].toSorted((a, b) => a - b), home: entry?.home ?? "/" };
}

function groupId(text: string, groups: readonly GroupEntry[]): number {
  const gid = groups.find((one) => one.name === text)?.gid ?? asId(text);
  if (gid === null) throw unknown("group", text, "/etc/group");
  return gid;
}

function asId(text: string): number | null {
  if (!/^\d{1,20}$/.test(text)) return null;
  const number = Number(text);
  if (number <= LARGEST_ID) return number;
  throw new TeuError({ code: "invalid", op: "look up user", subject: text, message: `ids go up to ${LARGEST_ID}` });
}

function unknown(kind: string, name: string, file: string): TeuError {
  return new TeuError({
    code: "not-found",
    op: `look up ${kind}`,
    subject: name,
    message: `no matching entry in the container's ${file}`,
    hint: "give a number, or another image",
  });
}
