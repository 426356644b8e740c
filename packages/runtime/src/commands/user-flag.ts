// --user UID[:GID]: decimal numbers only. Names, signs, hex and the id that means "unchanged" are refused (CVE-2016-3697, 2026-30892).
// portable: no host types here.

import { verbatim } from "../failure.ts";

const NO_ID = 4294967295;

/** The ids given; nothing for "". Throws `invalid`. */
export function parseUser(text: string): { readonly uid?: number; readonly gid?: number } {
  if (text === "") return {};
  const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  if (match === null)
    throw verbatim("invalid", `parsing ${JSON.stringify(text)} as uid[:gid] failed: want decimal numbers`);
  const uid = Number(match[1]);
  const gid = match[2] === undefined ? undefined : Number(match[2]);
  if (uid >= NO_ID || (gid ?? 0) >= NO_ID)
    throw verbatim("invalid", `parsing ${JSON.stringify(text)} as uid[:gid] failed: out of range`);
  return gid === undefined ? { uid } : { uid, gid };
}
