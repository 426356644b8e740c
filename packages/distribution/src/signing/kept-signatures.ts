// Signatures that are kept in files, apart from an image or beside it: signature-1 and so on, until there is none. Each says in front
// of what kind it is; GPG's, which were there first, need not. One that cannot be read is found, too, with what is wrong, so that it
// neither counts nor hides the others; a place that cannot be asked is an error.

import { isTeuError, type TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";

import { LARGEST_GPG_SIGNATURE } from "./gpg/limits.ts";
import type { SignaturePlace } from "./signature-place.ts";
import { signingError } from "./signing-error.ts";

/** Kinds, by the names that containers/image gives them. */
export type KeptFormat = "simple-signing" | "sigstore-json";

/** One of them. `name`: how errors call it. */
export type KeptSignature =
  | { readonly format: KeptFormat; readonly name: string; readonly bytes: Uint8Array }
  | { readonly format: "unreadable"; readonly name: string; readonly fault: TeuError };

/** Signatures of one image that are looked at; more are an attack on whoever verifies. */
const MOST = 100;
const LONGEST_NAME = 64;

/** @throws TeuError `exhausted` for too many, `unavailable` and the like when the place cannot be asked. */
export async function keptSignatures(scope: Scope, place: SignaturePlace, image: Digest): Promise<KeptSignature[]> {
  const found: KeptSignature[] = [];
  for (let number = 1; ; number++) {
    const name = `signature-${number}`;
    try {
      const bytes = await place.kept(scope, image, number, LARGEST_GPG_SIGNATURE);
      if (bytes === null) return found;
      found.push(withFormat(name, bytes));
    } catch (fault) {
      if (!isTeuError(fault, "exhausted")) throw fault;
      found.push({ format: "unreadable", name, fault });
    }
    if (number > MOST)
      throw signingError("exhausted", "look for signatures", `more than ${MOST} signatures`, { subject: image });
  }
}

// A zero and the name in a line. OpenPGP begins with no zero.
function withFormat(name: string, bytes: Uint8Array): KeptSignature {
  if (bytes[0] !== 0) return { format: "simple-signing", name, bytes };
  const end = bytes.subarray(0, LONGEST_NAME).indexOf(0x0a);
  const format = end < 0 ? "" : Buffer.from(bytes.subarray(1, end)).toString("latin1");
  if (format === "simple-signing" || format === "sigstore-json")
    return { format, name, bytes: bytes.subarray(end + 1) };
  const fault = signingError("unsupported", "read signature", `its format ${JSON.stringify(format)} is not known`);
  return { format: "unreadable", name, fault };
}
