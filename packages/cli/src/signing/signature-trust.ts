// Whom `verify` trusts: keys, or certificates of somebody that an issuer vouches for.

import { fileError } from "@teu/files/addon";
import { readLimitedFile } from "@teu/distribution/signing/limited-file";
import { type SignatureTrust, trustInKeys } from "@teu/distribution/signing/verify-image";
import type { CommandInput, OptionSpec } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { publicKeyFrom } from "./key-files.ts";

/** cosign's flags. */
export const CERTIFICATE_OPTIONS: readonly OptionSpec[] = [
  {
    long: "certificate-identity",
    value: "string",
    help: "Who has signed: e-mail address or workflow, as the certificate says",
  },
  {
    long: "certificate-identity-regexp",
    value: "pattern",
    help: 'The same as a pattern, found anywhere; "^" and "$" are yours to write',
  },
  { long: "certificate-oidc-issuer", value: "url", help: "Who vouches for that" },
  { long: "certificate-oidc-issuer-regexp", value: "pattern", help: "The same as a pattern" },
];

/** What the flags say. @throws TeuError `invalid` (usage). */
export async function trustOf(input: CommandInput): Promise<SignatureTrust> {
  const keys = input.list("key");
  const identity = textOrPattern(input, "certificate-identity");
  const issuer = textOrPattern(input, "certificate-oidc-issuer");
  const root = input.text("trusted-root");
  if (identity === undefined && issuer === undefined && root === undefined) {
    if (keys.length > 0) return trustInKeys(await Promise.all(keys.map(publicKeyFrom)));
    throw usageError("--key is missing", {
      fallback: "write --key FILE, or --certificate-identity and what belongs to it",
    });
  }
  if (keys.length > 0)
    throw usageError("--key and certificates exclude each other", { fallback: "leave one of them out" });
  if (identity === undefined || issuer === undefined)
    throw usageError("certificates need --certificate-identity and --certificate-oidc-issuer", {
      fallback: "anybody can have a certificate: say whose, and who vouches for that",
    });
  if (root === undefined)
    throw usageError("certificates need --trusted-root", {
      fallback:
        "`cosign trusted-root create` makes the file; the public one is trusted_root.json below ~/.sigstore/root",
    });
  const { LARGEST_TRUSTED_ROOT, trustInCertificates } = await import("@teu/distribution/signing/certificate-trust");
  return trustInCertificates(await readRoot(root, LARGEST_TRUSTED_ROOT), { identity, issuer });
}

function textOrPattern(input: CommandInput, flag: string): string | RegExp | undefined {
  const [text, pattern] = [input.text(flag), input.text(`${flag}-regexp`)];
  if (pattern === undefined) return text;
  if (text !== undefined)
    throw usageError(`--${flag} and --${flag}-regexp exclude each other`, { fallback: "leave one of them out" });
  try {
    return new RegExp(pattern, "u");
  } catch {
    throw usageError(`--${flag}-regexp is no pattern`, { fallback: "write a regular expression" });
  }
}

async function readRoot(file: string, limit: number): Promise<Uint8Array> {
  try {
    return await readLimitedFile(file, limit);
  } catch (error) {
    throw fileError("read trusted root", file, error);
  }
}
