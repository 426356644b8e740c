// All GPG signatures of an image that are kept somewhere, unverified.

import type { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";

import { keptSignatures } from "./kept-signatures.ts";
import type { SignaturePlace } from "./signature-place.ts";

/** A signature as it was found. `name`: how errors call it. */
export type GpgSignature =
  | { readonly format: "gpg"; readonly name: string; readonly bytes: Uint8Array }
  | { readonly format: "unreadable"; readonly name: string; readonly fault: TeuError };

/** @throws TeuError `exhausted` for too many, `unavailable` and the like when the place cannot be asked. */
export async function findGpgSignatures(scope: Scope, place: SignaturePlace, image: Digest): Promise<GpgSignature[]> {
  const kept = await keptSignatures(scope, place, image);
  return kept.flatMap((one): GpgSignature[] => {
    if (one.format === "unreadable") return [one];
    return one.format === "simple-signing" ? [{ format: "gpg", name: one.name, bytes: one.bytes }] : [];
  });
}
