// The text of an htpasswd file: one "user:hash" a line, comments with "#". Only bcrypt is taken: the other forms that Apache
// writes (MD5, SHA-1, crypt) can be guessed at millions of passwords a second by whoever gets the file.

import { TeuError } from "@teu/base/errors";

/** Bcrypt hashes by user name. */
export type PasswordHashes = ReadonlyMap<string, string>;

/** Rounds are 2 to the power of this; 16 takes eight seconds a login. */
const HIGHEST_COST = 16;
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

const SCHEMES: readonly (readonly [RegExp, string])[] = [
  [/^\$apr1\$/, "MD5"],
  [/^\{SHA\}/, "SHA-1"],
  [/^\$[156y]\$/, "crypt"],
  [/^\$2/, "a damaged or unknown kind of bcrypt"],
  [/^[./A-Za-z0-9]{13}$/, "crypt or plain text"],
];

/** Reads the text of `file`. @throws TeuError `invalid`, with the line, for what is not "user:bcrypt hash"; hashes are not shown. */
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

/** The cost in a bcrypt hash. */
export function bcryptCost(hash: string): number {
  return Number(BCRYPT.exec(hash)?.[1] ?? "0");
}

function wrongHash(user: string, hash: string): string | undefined {
  const name = JSON.stringify(user);
  if (!BCRYPT.test(hash)) {
    const scheme = SCHEMES.find(([pattern]) => pattern.test(hash))?.[1] ?? "something else, perhaps plain text";
    return `the password of user ${name} is not hashed with bcrypt: it is ${scheme}`;
  }
  const cost = bcryptCost(hash);
  if (cost < 4 || cost > HIGHEST_COST) return `the bcrypt cost of user ${name} is ${cost}, want 4 to ${HIGHEST_COST}`;
  return undefined;
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
