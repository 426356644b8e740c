// The two kinds of password hashes that are taken: bcrypt, as `htpasswd -B` makes it, and argon2id in the PHC form, as the argon2
// program and most libraries make it. Runs in the password thread, too, so it imports little.

import { argon2Sync, timingSafeEqual } from "node:crypto";
import { compareSync } from "bcryptjs";

/** Bcrypt's rounds are 2 to the power of this; 16 takes eight seconds a login. */
const HIGHEST_COST = 16;
/** KiB: a login must not take the machine's memory. */
const HIGHEST_MEMORY = 1 << 18;
const HIGHEST_PASSES = 16;
const HIGHEST_LANES = 16;

const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const ARGON2 =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** What is wrong with a hash, as the end of "the password of user X ..."; undefined when it can be used. */
export function hashFault(hash: string): string | undefined {
  const cost = BCRYPT.exec(hash)?.[1];
  if (cost !== undefined) {
    const fits = Number(cost) >= 4 && Number(cost) <= HIGHEST_COST;
    return fits ? undefined : `has the bcrypt cost ${Number(cost)}, want 4 to ${HIGHEST_COST}`;
  }
  const argon2 = argon2Parts(hash);
  if (argon2 === null) return `is not hashed with bcrypt or argon2id: it is ${schemeOf(hash)}`;
  const { memory, passes, parallelism } = argon2;
  const fits =
    memory >= 8 * parallelism &&
    memory <= HIGHEST_MEMORY &&
    passes >= 1 &&
    passes <= HIGHEST_PASSES &&
    parallelism >= 1 &&
    parallelism <= HIGHEST_LANES;
  return fits ? undefined : `has argon2id parameters beyond m=${HIGHEST_MEMORY},t=${HIGHEST_PASSES},p=${HIGHEST_LANES}`;
}

const SCHEMES: readonly (readonly [RegExp, string])[] = [
  [/^\$apr1\$/, "MD5"],
  [/^\{SHA\}/, "SHA-1"],
  [/^\$[156y]\$/, "crypt"],
  [/^\$2/, "a damaged or unknown kind of bcrypt"],
  [/^\$argon2/, "a damaged or unknown kind of argon2"],
  [/^[./A-Za-z0-9]{13}$/, "crypt or plain text"],
];

function schemeOf(hash: string): string {
  return SCHEMES.find(([pattern]) => pattern.test(hash))?.[1] ?? "something else, perhaps plain text";
}

/** Whether the password is the one of a hash that has no fault. Takes long. */
export function isPasswordOf(password: string, hash: string): boolean {
  const argon2 = argon2Parts(hash);
  if (argon2 === null) return compareSync(password, hash);
  const { memory, passes, parallelism, nonce, tag } = argon2;
  const options = { message: Buffer.from(password), nonce, parallelism, tagLength: tag.length, memory, passes };
  return timingSafeEqual(argon2Sync("argon2id", options), tag);
}

/** A hash that no password has and that costs as much as the dearest of these: for users that do not exist. */
export function nobodysHash(hashes: readonly string[]): string {
  const argon2 = hashes.filter((hash) => ARGON2.test(hash));
  const [dearest] = argon2.sort((a, b) => work(b) - work(a));
  // 32 zero bytes are the tag of no password.
  if (dearest !== undefined) return `${dearest.slice(0, dearest.lastIndexOf("$"))}$${"A".repeat(43)}`;
  const costs = hashes.map((hash) => Number(BCRYPT.exec(hash)?.[1] ?? "4"));
  return `$2b$${String(Math.max(4, ...costs)).padStart(2, "0")}$./A./A./A./A./A./A./A./AnobodyHasThisOne.............`;
}

function work(hash: string): number {
  const parts = argon2Parts(hash);
  return parts === null ? 0 : parts.memory * parts.passes;
}

interface Argon2Parts {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly nonce: Buffer;
  readonly tag: Buffer;
}

function argon2Parts(hash: string): Argon2Parts | null {
  const match = ARGON2.exec(hash);
  if (match === null) return null;
  const [, memory, passes, parallelism, nonce = "", tag = ""] = match;
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    nonce: Buffer.from(nonce, "base64"),
    tag: Buffer.from(tag, "base64"),
  };
}
