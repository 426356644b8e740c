// Keys for tests, made anew in each run.

import { generateKeyPairSync, type KeyObject } from "node:crypto";

import { loadPrivateKey, type PrivateKey } from "@teu/distribution/signing/private-key";

/** Kinds of keys, by what a user would call them. */
export type KeyKind = "P-256" | "P-384" | "P-521" | "RSA" | "Ed25519";

/** Makes a key of each kind. */
export const KINDS: Readonly<Record<KeyKind, () => KeyObject>> = {
  "P-256": () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  "P-384": () => generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
  "P-521": () => generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey,
  RSA: () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  Ed25519: () => generateKeyPairSync("ed25519").privateKey,
};

/** The PEM of a private key, not encrypted. */
export function pemOf(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

/** A key that signs. */
export async function makeKey(kind: KeyKind = "P-256"): Promise<PrivateKey> {
  return loadPrivateKey(pemOf(KINDS[kind]()), () => Promise.reject(new Error("asked for a password")));
}
