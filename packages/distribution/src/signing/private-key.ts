// Private keys: made, read from cosign's encrypted form or from plain PEM, and signed with.

import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign } from "node:crypto";
import { promisify } from "node:util";

import { decryptKey, encryptKey } from "./encrypted-key.ts";
import { parsePem, printPem } from "./pem.ts";
import { type PublicKey, publicKeyOf } from "./public-key.ts";
import { signingError } from "./signing-error.ts";

/** A key that signs. */
export interface PrivateKey {
  readonly publicKey: PublicKey;
  sign(message: Uint8Array): Buffer;
}

/** Both halves of a new key, as the files cosign writes. */
export interface KeyPairFiles {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** Labels of cosign's encrypted keys, the newer one first. */
const ENCRYPTED: readonly string[] = ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"];
const PLAIN: Readonly<Record<string, "pkcs8" | "sec1" | "pkcs1">> = {
  "PRIVATE KEY": "pkcs8",
  "EC PRIVATE KEY": "sec1",
  "RSA PRIVATE KEY": "pkcs1",
};
const generate = promisify(generateKeyPair);

/** A new ECDSA P-256 key, encrypted with the password. */
export async function generateKeyPairFiles(password: string): Promise<KeyPairFiles> {
  const pair = await generate("ec", { namedCurve: "P-256" });
  const plain = pair.privateKey.export({ type: "pkcs8", format: "der" });
  return {
    privateKey: printPem(ENCRYPTED[0] ?? "", await encryptKey(plain, password)),
    publicKey: publicKeyOf(pair.publicKey).pem,
  };
}

/**
 * Reads a private key; `password` is asked for only when the file is encrypted.
 * @throws TeuError `denied` for a wrong password, `invalid`, `unsupported`.
 */
export async function loadPrivateKey(text: string, password: () => Promise<string>): Promise<PrivateKey> {
  const { label, bytes } = parsePem(text, "private key");
  if (ENCRYPTED.includes(label)) return fromDer(Buffer.from(await decryptKey(bytes, await password())), "pkcs8");
  const type = Object.hasOwn(PLAIN, label) ? PLAIN[label] : undefined;
  if (type !== undefined) return fromDer(bytes, type);
  if (label === "ENCRYPTED PRIVATE KEY") return fromDer(bytes, "pkcs8", await password());
  throw signingError(
    "invalid",
    "read private key",
    `the file holds ${JSON.stringify(label)}, want a private key in PEM`,
    {
      hint: label.includes("PUBLIC") ? "to sign needs the private key" : "`teu key generate` makes a key pair",
    },
  );
}

function fromDer(bytes: Buffer, type: "pkcs8" | "sec1" | "pkcs1", passphrase?: string): PrivateKey {
  const key = load(bytes, type, passphrase);
  const publicKey = publicKeyOf(createPublicKey(key));
  return {
    publicKey,
    sign: (message) => sign(publicKey.hash, message, { key, dsaEncoding: "der" }),
  };
}

function load(key: Buffer, type: "pkcs8" | "sec1" | "pkcs1", passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key, format: "der", type, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (cause) {
    if (passphrase !== undefined)
      throw signingError("denied", "decrypt private key", "the password is wrong, or the key is damaged", { cause });
    throw signingError("invalid", "read private key", "its content is not a key", { cause });
  }
}
