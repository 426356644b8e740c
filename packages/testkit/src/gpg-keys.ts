// GPG keys, and signatures of images that are made with them: good ones, and texts that only look so.

import { createCleartextMessage, createMessage, generateKey, type PrivateKey, type PublicKey, sign } from "openpgp";

/** A key pair, and its public half as `gpg --export` writes it. */
export interface GpgKey {
  readonly privateKey: PrivateKey;
  readonly publicKey: PublicKey;
  readonly keyring: Buffer;
}

/** A new key, Ed25519. It is an hour old, so that it is older than whatever it signs. */
export async function makeGpgKey(): Promise<GpgKey> {
  const date = new Date(Date.now() - 3_600_000);
  const { privateKey, publicKey } = await generateKey({ userIDs: [{ name: "test" }], date, format: "object" });
  return { privateKey, publicKey, keyring: Buffer.from(publicKey.write()) };
}

/** What a signature says. */
export interface AtomicClaim {
  readonly digest: string;
  readonly reference: string;
}

/** The text of containers-signature(5). */
export function atomicPayload({ digest, reference }: AtomicClaim): Buffer {
  const critical = {
    type: "atomic container signature",
    image: { "docker-manifest-digest": digest },
    identity: { "docker-reference": reference },
  };
  return Buffer.from(JSON.stringify({ critical, optional: { creator: "test", timestamp: 1_700_000_000 } }));
}

/** A text and its signatures in one message. */
export async function gpgSigned(payload: Uint8Array, ...keys: readonly GpgKey[]): Promise<Buffer> {
  const message = await createMessage({ binary: payload });
  const signingKeys = keys.map(({ privateKey }) => privateKey);
  return Buffer.from(await sign({ message, signingKeys, format: "binary" }));
}

/** A signature of an image. */
export async function gpgSignature(claim: AtomicClaim, key: GpgKey): Promise<Buffer> {
  return gpgSigned(atomicPayload(claim), key);
}

/** The same as a text that a person can read, with the signature below it. */
export async function clearSigned(payload: Uint8Array, { privateKey }: GpgKey): Promise<Buffer> {
  const message = await createCleartextMessage({ text: Buffer.from(payload).toString() });
  return Buffer.from(await sign({ message, signingKeys: privateKey }));
}

/** The signature alone. */
export async function detachedSignature(payload: Uint8Array, { privateKey }: GpgKey): Promise<Buffer> {
  const message = await createMessage({ binary: payload });
  return Buffer.from(await sign({ message, signingKeys: privateKey, detached: true, format: "binary" }));
}
