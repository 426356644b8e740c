// The encryption of private keys by cosign and skopeo (securesystemslib's "encrypted"): a JSON text with scrypt's parameters and a
// secretbox. Only the three sets of parameters that library knows are taken: others would be a stranger's choice of our memory.

import { randomBytes, scrypt } from "node:crypto";
import { promisify } from "node:util";

import { fitsSecretbox, openSecretbox, sealSecretbox } from "./secretbox.ts";
import { signingError } from "./signing-error.ts";
import { StrictJson } from "./strict-json.ts";

const derive = promisify<string, Uint8Array, number, object, Buffer>(scrypt);
const WRITTEN_COST = 65_536;
const KNOWN_COSTS: ReadonlySet<unknown> = new Set([32_768, WRITTEN_COST, 131_072]);
/** A key has a few hundred bytes, an RSA key of 16,384 bits ten thousand. */
const LARGEST = 64 << 10;

/** Encrypts, as cosign does today. */
export async function encryptKey(plain: Uint8Array, password: string): Promise<Uint8Array> {
  const salt = randomBytes(32);
  const nonce = randomBytes(24);
  const sealed = sealSecretbox(plain, nonce, await keyOf(password, salt, WRITTEN_COST));
  const document = {
    kdf: { name: "scrypt", params: { N: WRITTEN_COST, r: 8, p: 1 }, salt: salt.toString("base64") },
    cipher: { name: "nacl/secretbox", nonce: nonce.toString("base64") },
    ciphertext: Buffer.from(sealed).toString("base64"),
  };
  return Buffer.from(JSON.stringify(document));
}

/** Decrypts. @throws TeuError `denied` for a wrong password (or a damaged file: they look the same), `invalid`, `unsupported`. */
export async function decryptKey(document: Uint8Array, password: string): Promise<Uint8Array> {
  const json = new StrictJson("encrypted private key");
  const { kdf, cipher, ciphertext } = json.parse(document, LARGEST);
  const { name: derivation, params, salt } = json.object(kdf, "kdf");
  const { N, r, p } = json.object(params, "kdf.params");
  const { name: encryption, nonce } = json.object(cipher, "cipher");
  if (derivation !== "scrypt" || encryption !== "nacl/secretbox" || !KNOWN_COSTS.has(N) || r !== 8 || p !== 1) {
    throw signingError("unsupported", "decrypt private key", "it is not encrypted as cosign encrypts keys", {
      hint: "scrypt with N 32768, 65536 or 131072, r 8, p 1 and nacl/secretbox are known",
    });
  }
  const key = await keyOf(password, json.base64(salt, "kdf.salt"), Number(N));
  const nonceBytes = json.base64(nonce, "cipher.nonce");
  if (!fitsSecretbox(nonceBytes, key)) throw json.fault("cipher.nonce must have 24 bytes");
  const plain = openSecretbox(json.base64(ciphertext, "ciphertext"), nonceBytes, key);
  if (plain !== null) return plain;
  throw signingError("denied", "decrypt private key", "the password is wrong, or the key is damaged");
}

function keyOf(password: string, salt: Uint8Array, N: number): Promise<Buffer> {
  return derive(password, salt, 32, { N, r: 8, p: 1, maxmem: 256 * N * 8 });
}
