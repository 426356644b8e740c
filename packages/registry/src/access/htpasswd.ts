// The text of an htpasswd file: one "user:hash" a line, comments with "#". Only bcrypt and argon2id are taken: the other forms that
// Apache writes (MD5, SHA-1, crypt) can be guessed at millions of passwords a second by whoever gets the file.

import { TeuError } from "@teu/base/errors";

import { hashFault } from "./password-hash.ts";

/** Hashes by user name. */
export type PasswordHashes = ReadonlyMap<string, string>;

/** Reads the text of `file`. @throws TeuError `invalid`, with the line, for what is not "user:hash"; hashes are not shown. */
export function parseHtpasswd(file: string, text: string): PasswordHashes {
  const hashes = new Map<string, string>();
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.replace(/\r$/, "");
    if (line.trim() === "" || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    const user = line.slice(0, colon);
    const hash = line.slice(colon + 1);
    const wrong = colon < 1 ? 'want "user:hash"' : wrongHash(user, hash);
    if (wrong !== undefined) throw refusal(file, index + 1, wrong);
    if (hashes.has(user)) throw refusal(file, index + 1, `user ${JSON.stringify(user)} is there twice`);
    hashes.set(user, hash);
  }
  if (hashes.size > 0) return hashes;
  throw refusal(file, undefined, "it names no user");
}

function wrongHash(user: string, hash: string): string | undefined {
  const fault = hashFault(hash);
  return fault === undefined ? undefined : `the password of user ${JSON.stringify(user)} ${fault}`;
}

function refusal(file: string, line: number | undefined, message: string): TeuError {
  return new TeuError({
    code: "invalid",
    op: "read passwords",
    subject: file,
    message: line === undefined ? message : `line ${line}: ${message}`,
    hint: "make entries with `htpasswd -B FILE USER`",
  });
}
