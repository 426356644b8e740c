// All GPG signatures of an image that are kept beside it, unverified: signature-1 and so on, until there is none. One that cannot be
// read is found, too, with what is wrong, so that it neither counts nor hides the others; a place that cannot be asked is an error.

import { isTeuError, type TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";

import { MOST_SIGNATURES } from "./find-signatures.ts";
import { LARGEST_GPG_SIGNATURE } from "./gpg/limits.ts";
import type { SignaturePlace } from "./signature-place.ts";
import { signingError } from "./signing-error.ts";

/** A signature as it was found. `name`: how errors call it. */
export type GpgSignature =
  | { readonly format: "gpg"; readonly name: string; readonly bytes: Uint8Array }
  | { readonly format: "unreadable"; readonly name: string; readonly fault: TeuError };

/** What signatures of other kinds begin with: a zero and the name of their format in a line. */
const NAMED = 0x00;

/** @throws TeuError `exhausted` for too many, `unavailable` and the like when the place cannot be asked. */
export async function findGpgSignatures(scope: Scope, place: SignaturePlace, image: Digest): Promise<GpgSignature[]> {
  const found: GpgSignature[] = [];
  for (let number = 1; ; number++) {
    const name = `signature-${number}`;
    try {
      const bytes = await place.kept(scope, image, number, LARGEST_GPG_SIGNATURE);
      if (bytes === null) return found;
      if (bytes[0] !== NAMED) found.push({ format: "gpg", name, bytes });
    } catch (fault) {
      if (!isTeuError(fault, "exhausted")) throw fault;
      found.push({ format: "unreadable", name, fault });
    }
    if (number > MOST_SIGNATURES)
      throw signingError("exhausted", "look for signatures", `more than ${MOST_SIGNATURES} signatures`, {
        subject: image,
      });
  }
}
