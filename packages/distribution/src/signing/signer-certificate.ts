// Certificates of signers and of authorities, as far as policies ask. Extensions are read from the DER itself: texts that libraries
// print have to be taken apart again, and a name with a comma or a NUL in it would then be another name.

import { type KeyObject, X509Certificate } from "node:crypto";

import { decodeUtf8 } from "@teu/base/utf8";

import { onlyDer, readDer } from "./der.ts";
import { publicKeyOf, type PublicKey } from "./public-key.ts";
import { signingError } from "./signing-error.ts";

/** What a certificate says. */
export interface SignerCertificate {
  readonly x509: X509Certificate;
  readonly key: PublicKey;
  /** Certificates below it, not counting the signer's; null: it is no authority. */
  readonly mayIssue: number | null;
  /** null: it does not say. */
  readonly keyUsage: number | null;
  readonly codeSigning: "yes" | "no" | "unsaid";
  readonly emails: readonly string[];
  /** Who has vouched for the signer, as Fulcio writes it. */
  readonly oidcIssuer: string | null;
}

const NAMES = "551d11";
const CONSTRAINTS = "551d13";
const KEY_USAGE = "551d0f";
const EXTENDED_USAGE = "551d25";
const NAME_CONSTRAINTS = "551d1e";
const OIDC_ISSUER_RAW = "2b0601040183bf300101";
const OIDC_ISSUER = "2b0601040183bf300108";
const CODE_SIGNING = "2b06010505070303";
const ANY_USAGE = "551d2500";
const UNDERSTOOD: ReadonlySet<string> = new Set([NAMES, CONSTRAINTS, KEY_USAGE, EXTENDED_USAGE]);
/** ECDSA and RSA (PKCS #1) with sha256, sha384 and sha512, and Ed25519; never sha1. */
const ALGORITHMS: ReadonlySet<string> = new Set([
  "2a8648ce3d040302",
  "2a8648ce3d040303",
  "2a8648ce3d040304",
  "2a864886f70d01010b",
  "2a864886f70d01010c",
  "2a864886f70d01010d",
  "2b6570",
]);

/** @throws TeuError `invalid`, `unsupported` for what cannot be judged here. */
export function readCertificate(der: Buffer): SignerCertificate {
  let x509: X509Certificate;
  let key: KeyObject;
  try {
    x509 = new X509Certificate(der);
    // Throws for keys that OpenSSL does not know; such a signature must not hide the others.
    key = x509.publicKey;
  } catch (cause) {
    throw signingError("invalid", "read certificate", "it cannot be parsed", { cause });
  }
  const extensions = extensionsOf(der);
  const usages = oidsOf(extensions.get(EXTENDED_USAGE));
  return {
    x509,
    key: publicKeyOf(key),
    mayIssue: mayIssue(extensions.get(CONSTRAINTS)),
    keyUsage: keyUsage(extensions.get(KEY_USAGE)),
    codeSigning:
      usages === null ? "unsaid" : usages.includes(CODE_SIGNING) || usages.includes(ANY_USAGE) ? "yes" : "no",
    emails: emailsOf(extensions.get(NAMES)),
    oidcIssuer: oidcIssuer(extensions),
  };
}

function extensionsOf(der: Buffer): ReadonlyMap<string, Buffer> {
  const [body, algorithm] = readDer(onlyDer(der, 0x30));
  const fields = readDer(body?.content ?? Buffer.alloc(0));
  const [version, , inner] = fields;
  if (version?.tag !== 0xa0 || algorithm === undefined || inner === undefined) throw fault("it is not of version 3");
  if (!inner.content.equals(algorithm.content)) throw fault("it names two signature algorithms");
  const [oid] = readDer(algorithm.content);
  if (oid === undefined || !ALGORITHMS.has(oid.content.toString("hex")))
    throw signingError("unsupported", "read certificate", "its signature algorithm is not taken");
  const found = new Map<string, Buffer>();
  const list = fields.find(({ tag }) => tag === 0xa3);
  for (const one of list === undefined ? [] : readDer(onlyDer(list.content, 0x30))) {
    const parts = readDer(one.content);
    const [id, second] = parts;
    const value = parts.at(-1);
    if (id?.tag !== 0x06 || value?.tag !== 0x04 || parts.length > 3) throw fault("an extension cannot be read");
    const name = id.content.toString("hex");
    if (found.has(name)) throw fault("it has an extension twice");
    // Also when it is not critical: what an authority is kept from must not be passed over.
    const matters = name === NAME_CONSTRAINTS || (parts.length === 3 && second?.content[0] !== 0);
    if (matters && !UNDERSTOOD.has(name))
      throw signingError("unsupported", "read certificate", `its extension ${name} cannot be judged here`);
    found.set(name, value.content);
  }
  return found;
}

function mayIssue(value: Buffer | undefined): number | null {
  if (value === undefined) return null;
  const [authority, depth] = readDer(onlyDer(value, 0x30));
  if (authority?.tag !== 0x01 || authority.content[0] !== 0xff) return null;
  if (depth === undefined) return Number.POSITIVE_INFINITY;
  if (depth.tag !== 0x02 || depth.content.length !== 1) throw fault("its path length cannot be read");
  return depth.content.readInt8(0);
}

function keyUsage(value: Buffer | undefined): number | null {
  return value === undefined ? null : (onlyDer(value, 0x03)[1] ?? 0);
}

function oidsOf(value: Buffer | undefined): readonly string[] | null {
  return value === undefined ? null : readDer(onlyDer(value, 0x30)).map(({ content }) => content.toString("hex"));
}

function emailsOf(value: Buffer | undefined): readonly string[] {
  if (value === undefined) return [];
  const emails: string[] = [];
  for (const { tag, content } of readDer(onlyDer(value, 0x30))) {
    if (tag !== 0x81 && tag !== 0x82 && tag !== 0x86) continue;
    if (content.some((byte) => byte <= 0x20 || byte > 0x7e)) throw fault("a name has characters that are not printed");
    if (tag === 0x81) emails.push(content.toString("latin1"));
  }
  return emails;
}

// The old extension is the bare text, the new one a UTF8String; with both, they have to agree.
function oidcIssuer(extensions: ReadonlyMap<string, Buffer>): string | null {
  const [raw, proper] = [extensions.get(OIDC_ISSUER_RAW), extensions.get(OIDC_ISSUER)];
  const texts = [...(raw === undefined ? [] : [raw]), ...(proper === undefined ? [] : [onlyDer(proper, 0x0c)])];
  const [text, second] = texts;
  if (text === undefined) return null;
  if (second !== undefined && !second.equals(text)) throw fault("it names two OIDC issuers");
  return decodeUtf8(text);
}

function fault(message: string): Error {
  return signingError("invalid", "read certificate", message);
}
