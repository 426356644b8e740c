// The wire format of protocol buffers, as much as CRIU's messages need: varints and length-delimited fields
// (https://protobuf.dev/programming-guides/encoding). What the fields mean is in criu-messages.ts.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
/** 64 bits in groups of seven. */
const VARINT_LIMIT = 10;

/** Builds one message. Fields come out in the order in which they are put in. */
export class MessageWriter {
  readonly #bytes: number[] = [];

  /** An integer or enum; negative ones as int32 and int64 have them, in ten bytes. */
  integer(field: number, value: number): this {
    this.#varint(BigInt(field * 8 + VARINT));
    this.#varint(BigInt.asUintN(64, BigInt(value)));
    return this;
  }

  boolean(field: number, value: boolean): this {
    return this.integer(field, value ? 1 : 0);
  }

  /** A string as UTF-8, a message, or bytes. */
  bytes(field: number, value: Uint8Array): this {
    this.#varint(BigInt(field * 8 + BYTES));
    this.#varint(BigInt(value.length));
    for (const byte of value) this.#bytes.push(byte);
    return this;
  }

  message(field: number, value: MessageWriter): this {
    return this.bytes(field, value.finish());
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #varint(value: bigint): void {
    let rest = value;
    while (rest >= 0x80n) {
      this.#bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#bytes.push(Number(rest));
  }
}

/** The last value of each field; of repeated ones nothing here needs more. Integers as int64. */
export type Fields = ReadonlyMap<number, bigint | Uint8Array>;

/** Takes a message apart. Throws `corrupt` for anything that is not one. */
export function readMessage(data: Uint8Array): Fields {
  const fields = new Map<number, bigint | Uint8Array>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let index = 0; index < VARINT_LIMIT; index++) {
      const byte = data[at++];
      if (byte === undefined) throw corrupt("it ends within a number");
      value |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte < 0x80) return value;
    }
    throw corrupt("a number is longer than 64 bits");
  };
  const take = (count: number): Uint8Array => {
    if (count > data.length - at) throw corrupt("it ends within a field");
    at += count;
    return data.subarray(at - count, at);
  };
  while (at < data.length) {
    const key = Number(varint());
    const field = Math.floor(key / 8);
    const type = key % 8;
    if (type === VARINT) fields.set(field, BigInt.asIntN(64, varint()));
    else if (type === BYTES) fields.set(field, take(Number(varint())));
    else if (type === FIXED64) take(8);
    else if (type === FIXED32) take(4);
    else throw corrupt(`field ${field} has the unknown type ${type}`);
  }
  return fields;
}

function corrupt(message: string): TeuError {
  return new TeuError({ code: "corrupt", op: "read CRIU's answer", message });
}
