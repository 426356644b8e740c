// Trust in GPG keys, any of them. Import this file when it is needed: with it comes the library for OpenPGP.

import type { SignatureClaim } from "../claim.ts";
import type { GpgSignature } from "../find-gpg-signatures.ts";
import { readAtomicSigning } from "../simple-signing.ts";
import type { SignatureTrust } from "../verify-image.ts";
import { readKeyrings } from "./keyring.ts";
import { openSignedMessage } from "./signed-message.ts";

/** `keyrings`: the bytes of files, binary or armored. @throws TeuError `invalid`, `exhausted` for files that are none. */
export async function trustInKeyrings(
  keyrings: readonly Uint8Array[],
  now: Date,
): Promise<SignatureTrust<GpgSignature, Promise<SignatureClaim>>> {
  const keys = await readKeyrings(keyrings);
  return {
    verify: async (found, image) => {
      if (found.format === "unreadable") throw found.fault;
      return readAtomicSigning(await openSignedMessage(found.bytes, keys, now), image);
    },
  };
}
