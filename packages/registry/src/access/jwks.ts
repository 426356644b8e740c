// Key sets (RFC 7517, section 5) of others who issue tokens: in a file, or behind a URL. Read again when the file changes, when a
// token names a key that is not known, and now and then; what cannot be read leaves the keys as they were.

import { readFile, stat } from "node:fs/promises";
import { errorText, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { isLoopback } from "@teu/distribution/client/loopback";
import { decodeUtf8 } from "@teu/base/utf8";
import { parseJson } from "@teu/specs/json";

import { keyOfJwk, type VerificationKey } from "./jwt.ts";

const SIZE_LIMIT = 1 << 20;
/** How long a set is good, and how soon it may be asked for again. Milliseconds. */
const GOOD = 3_600_000;
const FILE_GOOD = 1000;
const SOONEST = 10_000;
const PATIENCE = 10_000;

/** One set. */
export class JwksSource {
  readonly #place: string;
  readonly #isUrl: boolean;
  #keys: readonly VerificationKey[] = [];
  #stamp = "";
  #readAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  /** A path, or a URL: https, or http on this machine. @throws TeuError `invalid`. */
  constructor(place: string) {
    this.#place = place;
    this.#isUrl = /^https?:\/\//i.test(place);
    if (!this.#isUrl) return;
    const url = URL.canParse(place) ? new URL(place) : null;
    if (url === null || (url.protocol !== "https:" && !isLoopback(url.hostname)))
      throw new TeuError({
        code: "invalid",
        op: "read keys",
        subject: place,
        message: "want https, or http on a loopback address: whoever changes the answer makes tokens",
      });
  }

  /** Reads it, so that a wrong place is found out at once. @throws TeuError `not-found`, `denied`, `invalid`, `unavailable`. */
  async open(scope: Scope): Promise<void> {
    await this.#read(scope);
  }

  /** The keys; `kid` is one that should be among them. */
  async keys(scope: Scope, kid: string | null): Promise<readonly VerificationKey[]> {
    const now = scope.now();
    const isOld = Math.abs(now - this.#readAt) >= (this.#isUrl ? GOOD : FILE_GOOD);
    const isMissing = this.#isUrl && kid !== null && !this.#keys.some((key) => key.kid === kid);
    if ((isOld || isMissing) && Math.abs(now - this.#triedAt) >= (this.#isUrl ? SOONEST : FILE_GOOD))
      await (this.#reading ??= this.#readQuietly(scope));
    return this.#keys;
  }

  async #readQuietly(scope: Scope): Promise<void> {
    try {
      await this.#read(scope);
    } catch (error) {
      scope.log.warn("keys stay as they were", { keys: this.#place, error: errorText(error) });
    } finally {
      this.#reading = undefined;
    }
  }

  async #read(scope: Scope): Promise<void> {
    this.#triedAt = scope.now();
    const stamp = this.#isUrl ? "" : await stampOf(this.#place);
    if (this.#isUrl || stamp !== this.#stamp) {
      const bytes = this.#isUrl ? await fetchBytes(this.#place) : await readFile(this.#place);
      this.#keys = parseJwks(this.#place, bytes);
    }
    this.#stamp = stamp;
    this.#readAt = scope.now();
  }
}

/** Reads a set. @throws TeuError `invalid`. */
export function parseJwks(place: string, bytes: Uint8Array): readonly VerificationKey[] {
  const value = parseJson(decodeUtf8(bytes), { document: "key set", maxLength: SIZE_LIMIT }) as {
    keys?: unknown;
  } | null;
  const list = value?.keys;
  if (!Array.isArray(list)) throw invalid(place, 'want {"keys": [...]}');
  const keys = list.flatMap((jwk: unknown): VerificationKey[] => {
    try {
      const key = keyOfJwk(jwk as Parameters<typeof keyOfJwk>[0]);
      return key === null ? [] : [key];
    } catch {
      // Sets hold keys for other purposes, too.
      return [];
    }
  });
  if (keys.length > 0) return keys;
  throw invalid(place, "no key in it can be used: want RSA of 2048 bits or more, EC P-256 or Ed25519");
}

async function fetchBytes(url: string): Promise<Uint8Array> {
  try {
    const answer = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(PATIENCE) });
    if (answer.status !== 200) throw invalid(url, `the answer is ${answer.status}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (bytes.length > SIZE_LIMIT) throw invalid(url, "the answer is too large");
    return bytes;
  } catch (cause) {
    throw new TeuError({ code: "unavailable", op: "read keys", subject: url, message: "cannot be fetched", cause });
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return [ino, size, mtimeNs].join(" ");
  } catch (cause) {
    throw new TeuError({ code: "not-found", op: "read keys", subject: path, message: "cannot be read", cause });
  }
}

function invalid(subject: string, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "read keys", subject, message });
}
