// Public keys and what they verify. The key alone says which algorithm a signature has: nothing that comes with the signature does,
// so nothing can be talked into another algorithm.

import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";

import { verifyEd25519ph } from "./ed25519ph.ts";
import { parsePem, type PemBlock, printPem } from "./pem.ts";
import { signingError } from "./signing-error.ts";

type Hash = "sha256" | "sha384" | "sha512";

/** A key that signatures are verified with. */
export interface PublicKey {
  /** "ECDSA P-256", "RSA 3072", "Ed25519". */
  readonly algorithm: string;
  readonly pem: string;
  /** SubjectPublicKeyInfo. */
  readonly der: Buffer;
  /** base64 of the sha256 of `der`: how bundles name a key. */
  readonly hint: string;
  /** What new signatures are made over; null: the message itself (Ed25519). */
  readonly hash: "sha256" | null;
  /** True when the key made the signature of exactly these bytes. */
  verifies(message: Uint8Array, signature: Uint8Array): boolean;
}

/** Node's names of the curves and what goes with them. */
const CURVES: Readonly<Record<string, { readonly name: string; readonly hash: Hash }>> = {
  prime256v1: { name: "P-256", hash: "sha256" },
  secp384r1: { name: "P-384", hash: "sha384" },
  secp521r1: { name: "P-521", hash: "sha512" },
};
const SMALLEST_RSA = 2048;
const LARGEST_RSA = 16_384;

/** Reads a PEM public key. @throws TeuError `invalid`, `unsupported` for algorithms and sizes that nobody should sign with. */
export function parsePublicKey(text: string): PublicKey {
  const block = parsePem(text, "public key");
  if (block.label !== "PUBLIC KEY" && block.label !== "RSA PUBLIC KEY") {
    throw signingError(
      "invalid",
      "read public key",
      `the file holds ${JSON.stringify(block.label)}, want a "PUBLIC KEY" in PEM`,
      {
        hint: block.label.includes("PRIVATE")
          ? "`teu key public --key FILE` shows the public key of a private one"
          : "`teu key public --key FILE` and `openssl pkey -pubout` write one",
      },
    );
  }
  return publicKeyOf(load(block));
}

/** The same from a key object, as that of a certificate. @throws TeuError `unsupported`. */
export function publicKeyOf(key: KeyObject): PublicKey {
  const der = key.export({ type: "spki", format: "der" });
  const common = {
    der,
    pem: printPem("PUBLIC KEY", der),
    hint: createHash("sha256").update(der).digest("base64"),
  };
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "ec") {
    const curve = Object.hasOwn(CURVES, details?.namedCurve ?? "") ? CURVES[details?.namedCurve ?? ""] : undefined;
    if (curve === undefined) throw unsupported(`the curve ${details?.namedCurve ?? "without a name"}`);
    const { name, hash } = curve;
    // cosign hashes with sha256 whatever the curve when it verifies, and with the curve's own hash in some of its signatures.
    const hashes: readonly Hash[] = hash === "sha256" ? [hash] : ["sha256", hash];
    const verifies = (message: Uint8Array, signature: Uint8Array): boolean =>
      hashes.some((one) => verify(one, message, { key, dsaEncoding: "der" }, signature));
    return { ...common, algorithm: `ECDSA ${name}`, hash: "sha256", verifies };
  }
  if (type === "rsa") {
    const bits = details?.modulusLength ?? 0;
    if (bits < SMALLEST_RSA || bits > LARGEST_RSA) throw unsupported(`RSA with ${bits} bits`);
    const verifies = (message: Uint8Array, signature: Uint8Array): boolean => verify("sha256", message, key, signature);
    return { ...common, algorithm: `RSA ${bits}`, hash: "sha256", verifies };
  }
  if (type === "ed25519") {
    // We sign with the pure form, which cosign verifies as well; cosign signs with the prehashed one.
    const verifies = (message: Uint8Array, signature: Uint8Array): boolean =>
      verify(null, message, key, signature) || verifyEd25519ph(der.subarray(-32), message, signature);
    return { ...common, algorithm: "Ed25519", hash: null, verifies };
  }
  throw unsupported(type ?? "its kind");
}

function load({ label, bytes }: PemBlock): KeyObject {
  try {
    return createPublicKey({ key: bytes, format: "der", type: label === "RSA PUBLIC KEY" ? "pkcs1" : "spki" });
  } catch (cause) {
    throw signingError("invalid", "read public key", "its content is not a key", { cause });
  }
}

function unsupported(what: string): Error {
  return signingError("unsupported", "read public key", `${what} is not taken for signatures`, {
    hint: "ECDSA on P-256, P-384 or P-521, RSA from 2048 bits, and Ed25519 are",
  });
}
