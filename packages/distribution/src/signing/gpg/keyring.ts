// The GPG keys that a policy trusts, from keyrings as `gpg --export` and distributions write them: binary or armored, with one key or
// several, in one block or several. A file that is not wholly understood is none.

import { type Key, readKeys } from "openpgp";
import { errorText } from "@teu/base/errors";

import { signingError } from "../signing-error.ts";
import { LARGEST_KEYRING } from "./limits.ts";

const MOST_BLOCKS = 100;
const PUBLIC_BLOCK = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/** The keys of all files together, at least one of each. @throws TeuError `invalid`, `exhausted`. */
export async function readKeyrings(files: readonly Uint8Array[]): Promise<readonly Key[]> {
  const keys = new Map<string, Key>();
  for (const file of files) {
    for (const key of await readKeyring(file)) {
      const known = keys.get(key.getFingerprint());
      // What one copy of a key says of its end or revocation holds for the others, as when gpg imports both.
      keys.set(key.getFingerprint(), known === undefined ? key : await understood(() => known.update(key)));
    }
  }
  return [...keys.values()];
}

async function readKeyring(file: Uint8Array): Promise<readonly Key[]> {
  if (file.length > LARGEST_KEYRING)
    throw signingError("exhausted", "read keyring", `its keyring has more than ${LARGEST_KEYRING} bytes`);
  // Every packet begins with this bit, no text does.
  const isBinary = ((file[0] ?? 0) & 0x80) !== 0;
  const keys: Key[] = [];
  if (isBinary) keys.push(...(await understood(() => readKeys({ binaryKeys: file }))));
  else for (const armoredKeys of armoredBlocks(file)) keys.push(...(await understood(() => readKeys({ armoredKeys }))));
  if (keys.some((key) => key.isPrivate())) throw unusable("it holds a private key");
  return keys;
}

async function understood<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw unusable(errorText(cause).slice(0, 300));
  }
}

function armoredBlocks(file: Uint8Array): readonly string[] {
  const text = Buffer.from(file).toString("latin1");
  const blocks = text.split(/^(?=-----BEGIN )/m).filter((part) => part.startsWith("-----BEGIN "));
  if (blocks.length === 0) throw unusable("it is neither a binary keyring nor an armored one");
  if (blocks.length > MOST_BLOCKS) throw unusable(`it has more than ${MOST_BLOCKS} blocks`);
  if (blocks.every((block) => block.startsWith(PUBLIC_BLOCK))) return blocks;
  throw unusable("it has a block that is no public key");
}

function unusable(message: string): Error {
  return signingError("invalid", "read keyring", `its keyring cannot be used: ${message}`);
}
