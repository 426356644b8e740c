// The keys that the registry's own token server signs with: made by itself, kept below the root, exchanged every now and then.
// Old ones verify until the last token that they signed has ended.

import { createHash, generateKeyPairSync, createPublicKey, type JsonWebKey } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { fileError, isErrno } from "../storage/file-error.ts";
import { type SigningKey, signingKey, type VerificationKey } from "./jwt.ts";

/** How long keys are used. Milliseconds. */
export interface KeyRingOptions {
  /** Directory; absent: keys are in memory, and tokens end with the process. */
  readonly root?: string;
  /** When the next key takes over. */
  readonly rotation: number;
  /** How long the longest token lasts. */
  readonly longestToken: number;
}

interface Entry {
  readonly createdAt: number;
  readonly pem: string;
  readonly key: SigningKey;
}

const FILE = "token-keys.json";
const OP = "read token keys";

/** See the head of this file. */
export class KeyRing {
  readonly #options: KeyRingOptions;
  #entries: readonly Entry[];
  #changing: Promise<void> | undefined;

  private constructor(options: KeyRingOptions, entries: readonly Entry[]) {
    this.#options = options;
    this.#entries = entries;
  }

  /** Reads the keys, or makes the first one. @throws TeuError `denied`, `invalid` for a file that is not ours. */
  static async open(scope: Scope, options: KeyRingOptions): Promise<KeyRing> {
    const ring = new KeyRing(options, options.root === undefined ? [] : await readEntries(join(options.root, FILE)));
    await ring.signer(scope);
    return ring;
  }

  /** The key to sign with now: a new one when it is time. */
  async signer(scope: Scope): Promise<SigningKey> {
    const [newest] = this.#entries;
    // A key of the future was made by a clock that went wrong: it is as good as any.
    if (newest === undefined || scope.now() - newest.createdAt >= this.#options.rotation)
      await (this.#changing ??= this.#change(scope).finally(() => (this.#changing = undefined)));
    return (this.#entries[0] as Entry).key;
  }

  /** The keys that tokens may be signed with. */
  get verifiers(): readonly VerificationKey[] {
    return this.#entries.map(({ key: { kid, algorithm, key } }) => ({ kid, algorithm, key: createPublicKey(key) }));
  }

  async #change(scope: Scope): Promise<void> {
    const { root, rotation, longestToken } = this.#options;
    const now = scope.now();
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const kept = this.#entries.filter(({ createdAt }) => now - createdAt < rotation + longestToken);
    const entries = [entryOf({ createdAt: now, pem }), ...kept];
    if (root !== undefined) await writeEntries(join(root, FILE), entries);
    this.#entries = entries;
    scope.log.info("a new key signs tokens", { kid: entries[0]?.key.kid, keys: entries.length });
  }
}

/** The name of a key (RFC 7638). */
export function thumbprint({ crv, e, kty, n, x, y }: JsonWebKey): string {
  const members = kty === "RSA" ? { e, kty, n } : kty === "EC" ? { crv, kty, x, y } : { crv, kty, x };
  return createHash("sha256").update(JSON.stringify(members)).digest("base64url");
}

function entryOf({ createdAt, pem }: { createdAt: number; pem: string }): Entry {
  return { createdAt, pem, key: signingKey(pem, thumbprint) };
}

async function readEntries(file: string): Promise<readonly Entry[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw fileError(OP, file, error);
  }
  try {
    const { keys } = JSON.parse(text) as { keys: { createdAt: number; pem: string }[] };
    return keys.map(entryOf);
  } catch (cause) {
    const hint = "remove the file: a new key is made, and everybody logs in again";
    throw new TeuError({ code: "invalid", op: OP, subject: file, message: "it holds no keys", hint, cause });
  }
}

// Whole or not at all, and for nobody else's eyes.
async function writeEntries(file: string, entries: readonly Entry[]): Promise<void> {
  try {
    const keys = entries.map(({ createdAt, pem }) => ({ createdAt, pem }));
    await writeFile(`${file}.new`, `${JSON.stringify({ keys }, null, 2)}\n`, { mode: 0o600, flush: true });
    await rename(`${file}.new`, file);
  } catch (error) {
    throw fileError("write token keys", file, error);
  }
}
