// A text with its GPG signature in one OpenPGP message, as `gpg --sign` makes it: exactly one text and one signature of its bytes,
// compressed or not. Everything else that the format allows (several signatures, nesting, encryption, signatures of text with its
// line ends changed) is refused, so that what was verified and what is read cannot be two things.

import {
  type AnyPacket,
  CompressedDataPacket,
  type Config,
  config,
  enums,
  type Key,
  LiteralDataPacket,
  Message,
  OnePassSignaturePacket,
  PacketList,
  readMessage,
  SignaturePacket,
} from "openpgp";
import { errorText } from "@teu/base/errors";

import { signingError } from "../signing-error.ts";
import { LARGEST_PAYLOAD } from "../simple-signing.ts";
import { LARGEST_GPG_SIGNATURE } from "./limits.ts";

const { curve, hash, publicKey } = enums;

/** Said here although the library does most of it by default: what it takes by default may change. */
const RULES: Config = {
  ...config,
  // The text, its packet's head and a signature.
  maxDecompressedMessageSize: LARGEST_PAYLOAD + (16 << 10),
  ignoreUnsupportedPackets: false,
  ignoreMalformedPackets: false,
  enforceGrammar: true,
  minRSABits: 2048,
  rejectPublicKeyAlgorithms: new Set([publicKey.elgamal, publicKey.dsa]),
  rejectCurves: new Set([curve.secp256k1]),
  rejectHashAlgorithms: new Set([hash.md5, hash.ripemd]),
  rejectMessageHashAlgorithms: new Set([hash.md5, hash.ripemd, hash.sha1]),
  // A key whose end was put off after the signature was made: what it says of itself now counts, as for gpg.
  allowInsecureVerificationWithReformattedKeys: true,
};

/** What of lists and packets of the library its types leave out. */
interface Unread {
  /** Packets from the one with the content on; they are parsed as they are read. */
  readonly stream?: { getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: AnyPacket }> } } | null;
}

/**
 * The text of a message that one of the keys has signed.
 * @throws TeuError `denied` when none has, or its key is not good at `now`; `invalid` for what is no such message.
 */
export async function openSignedMessage(bytes: Uint8Array, keys: readonly Key[], now: Date): Promise<Uint8Array> {
  const packets = await parse(bytes);
  const signature = onlySignature(packets);
  const list = new PacketList();
  list.push(...packets);
  const message = new Message<Uint8Array>(list);
  const text = message.getLiteralData();
  if (text === null) throw fault("it has no text");
  const issuer = signature.issuerKeyID;
  const name = issuer.toHex().toUpperCase();
  let reason = refused(`it was made by the GPG key ${name}, which is none of the policy's`);
  for (const key of keys) {
    if (key.getKeys(issuer).length === 0) continue;
    try {
      const [result] = await message.verify([key], now, RULES);
      if ((await result?.verified) !== true) throw fault("nothing was verified");
      // The library asks whether the key was good when, as the signature says, it was made. Whoever has an old key can write any
      // date: it has to be good now as well, as for gpg.
      await key.getSigningKey(issuer, now, undefined, RULES);
      return text;
    } catch (cause) {
      reason = refused(`its GPG key ${name}: ${errorText(cause).slice(0, 300)}`);
    }
  }
  throw reason;
}

async function parse(bytes: Uint8Array): Promise<readonly AnyPacket[]> {
  if (bytes.length > LARGEST_GPG_SIGNATURE)
    throw signingError("exhausted", "read signature", `${bytes.length} bytes, limit is ${LARGEST_GPG_SIGNATURE}`);
  // To the library, no bytes are no argument.
  if (bytes.length === 0) throw fault("it is empty");
  try {
    const packets = await allOf((await readMessage({ binaryMessage: bytes, config: RULES })).packets);
    const [first] = packets;
    if (packets.length > 1 || !(first instanceof CompressedDataPacket)) return packets;
    return await allOf((first as CompressedDataPacket & { readonly packets: PacketList<AnyPacket> }).packets);
  } catch (cause) {
    throw fault(`it is no OpenPGP message: ${errorText(cause).slice(0, 300)}`);
  }
}

// The library leaves what follows the content for later, errors in it included.
async function allOf(list: PacketList<AnyPacket> & Unread): Promise<readonly AnyPacket[]> {
  const packets = [...list];
  const reader = list.stream?.getReader();
  for (;;) {
    const next = await reader?.read();
    if (next?.value === undefined) return packets;
    packets.push(next.value);
  }
}

/** Announced in front of the text, as everybody writes it today, or itself in front of it. */
function onlySignature(packets: readonly AnyPacket[]): SignaturePacket {
  const [first, second, third] = packets;
  const announced = first instanceof OnePassSignaturePacket && packets.length === 3;
  const signature = announced ? third : packets.length === 2 ? first : undefined;
  if (!(signature instanceof SignaturePacket) || !(second instanceof LiteralDataPacket))
    throw fault("it is not one text with one signature");
  // The library passes signatures of other things over, and would have nothing to verify.
  if (signature.signatureType !== enums.signature.binary) throw fault("its signature is not of the text's bytes");
  return signature;
}

function fault(message: string): Error {
  return signingError("invalid", "read signature", message);
}

function refused(message: string): Error {
  return signingError("denied", "verify signature", message);
}
