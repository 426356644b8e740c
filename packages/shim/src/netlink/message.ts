// Netlink messages as bytes: header, a family's own header, attributes (netlink(7)). Both machines that teu runs on are
// little-endian, as is everything here that rtnetlink does not want in network order.
// portable: no host types here.

import { concatBytes } from "@teu/base/bytes";
import { TeuError } from "@teu/base/errors";
import { encodeUtf8 } from "@teu/base/utf8";

const HEADER = 16;
const ATTRIBUTE_HEADER = 4;
// NLA_F_NESTED and NLA_F_NET_BYTEORDER live in the type's upper bits.
const TYPE_MASK = 0x3fff;

/** A received or to be sent message. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The family's header and the attributes. */
  readonly payload: Uint8Array;
}

/** Attribute type to its value; the last one of a type wins, as in the kernel. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

/** One message. */
export function encodeMessage(message: NetlinkMessage): Uint8Array {
  const bytes = new Uint8Array(HEADER + message.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, message.type, true);
  view.setUint16(6, message.flags, true);
  view.setUint32(8, message.sequence, true);
  bytes.set(message.payload, HEADER);
  return bytes;
}

/**
 * All messages of one datagram.
 * @throws TeuError `corrupt` when a length does not fit.
 */
export function decodeMessages(bytes: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const length = at + HEADER <= bytes.length ? view.getUint32(at, true) : 0;
    if (length < HEADER || at + length > bytes.length)
      throw corrupt(`a message of ${length} bytes at ${at} of ${bytes.length}`);
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: bytes.subarray(at + HEADER, at + length),
    });
    at += align(length);
  }
  return messages;
}

/**
 * One attribute, padded.
 * @throws TeuError `invalid` when the value does not fit its 16-bit length: cut short it would run into the next attribute.
 */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const length = ATTRIBUTE_HEADER + value.length;
  if (length > 0xffff)
    throw new TeuError({ code: "invalid", op: "encode netlink", message: `an attribute of ${length} bytes` });
  const bytes = new Uint8Array(align(length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, length, true);
  view.setUint16(2, type, true);
  bytes.set(value, ATTRIBUTE_HEADER);
  return bytes;
}

/** An attribute that holds attributes. */
export function nested(type: number, ...children: readonly Uint8Array[]): Uint8Array {
  return attribute(type, concatBytes(children));
}

/** A zero-terminated string attribute. */
export function textAttribute(type: number, text: string): Uint8Array {
  return attribute(type, encodeUtf8(`${text}\0`));
}

/** A u32 attribute. */
export function numberAttribute(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return attribute(type, bytes);
}

/**
 * The attributes in `bytes`.
 * @throws TeuError `corrupt` when a length does not fit.
 */
export function decodeAttributes(bytes: Uint8Array): Attributes {
  const found = new Map<number, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + ATTRIBUTE_HEADER <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER || at + length > bytes.length)
      throw corrupt(`an attribute of ${length} bytes at ${at} of ${bytes.length}`);
    found.set(view.getUint16(at + 2, true) & TYPE_MASK, bytes.subarray(at + ATTRIBUTE_HEADER, at + length));
    at += align(length);
  }
  return found;
}

/** A u32 value; undefined when absent or short. */
export function numberValue(value: Uint8Array | undefined): number | undefined {
  if (value === undefined || value.length < 4) return undefined;
  return new DataView(value.buffer, value.byteOffset).getUint32(0, true);
}

/** A zero-terminated string value; undefined when absent. Bytes above 127 are shown as Latin-1: names here are ours, texts are the kernel's. */
export function textValue(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return String.fromCharCode(...value.subarray(0, end < 0 ? value.length : end));
}

function align(length: number): number {
  return (length + 3) & ~3;
}

function corrupt(message: string): TeuError {
  return new TeuError({ code: "corrupt", op: "read netlink", message });
}
