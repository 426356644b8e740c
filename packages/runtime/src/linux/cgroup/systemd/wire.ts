// D-Bus messages as bytes (D-Bus Specification, "Marshaling" and "Message Format"), little endian, as much as systemd's manager needs.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";

/** A value with its type, D-Bus' "v". */
export interface Variant {
  readonly signature: string;
  readonly value: Value;
}

/** Numbers of 64 bits are bigint, structs and arrays are arrays. */
export type Value = boolean | number | bigint | string | Variant | readonly Value[];

/** One message. `serial` is the sender's number for it. */
export interface Message {
  readonly type: "call" | "return" | "error" | "signal";
  readonly serial: number;
  readonly replySerial?: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly error?: string;
  readonly destination?: string;
  readonly signature?: string;
  readonly body: readonly Value[];
}

const TYPES = ["", "call", "return", "error", "signal"] as const;
const HEADER = 12;
/** The specification's limit of a message is 128 MiB; systemd's answers are far smaller. */
const MOST_BYTES = 1 << 20;

/** Fields of the header: code, member of `Message`, signature. */
const FIELDS = [
  [1, "path", "o"],
  [2, "interface", "s"],
  [3, "member", "s"],
  [4, "error", "s"],
  [5, "replySerial", "u"],
  [6, "destination", "s"],
  [8, "signature", "g"],
] as const;

/** The bytes of a message. */
export function encodeMessage(message: Message, encode: (text: string) => Uint8Array): Uint8Array {
  const body = new Writer(encode);
  const signature = message.signature ?? "";
  for (const [index, type] of splitSignature(signature).entries()) body.write(type, message.body[index] ?? "");
  const fields = FIELDS.flatMap(([code, name, type]): Value[] => {
    const value = message[name];
    return value === undefined || value === "" ? [] : [[code, { signature: type, value }]];
  });
  const out = new Writer(encode);
  for (const byte of [0x6c, TYPES.indexOf(message.type), 0, 1]) out.write("y", byte);
  out.write("u", body.length);
  out.write("u", message.serial);
  out.write("a(yv)", fields);
  out.align(8);
  out.append(body.bytes());
  return out.bytes();
}

/** How many bytes the message at the start of `bytes` has, header included; null when that is not known yet. Throws `corrupt`. */
export function messageLength(bytes: Uint8Array): number | null {
  if (bytes.length < HEADER + 4) return null;
  if (bytes[0] !== 0x6c && bytes[0] !== 0x42) throw corrupt("byte order");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const little = bytes[0] === 0x6c;
  const fields = view.getUint32(HEADER, little);
  const total = Math.ceil((HEADER + 4 + fields) / 8) * 8 + view.getUint32(4, little);
  if (total > MOST_BYTES) throw corrupt(`${total} bytes are too many`);
  return total;
}

/** Reads one whole message. Throws `corrupt`. */
export function decodeMessage(bytes: Uint8Array, decode: (data: Uint8Array) => string): Message {
  const reader = new Reader(bytes, bytes[0] === 0x6c, decode);
  reader.at = 1;
  const type = TYPES[Number(reader.read("y"))];
  reader.at = 8;
  const serial = Number(reader.read("u"));
  const fields = reader.read("a(yv)") as readonly (readonly [number, Variant])[];
  reader.align(8);
  const named = Object.fromEntries(
    fields.flatMap(([code, { value }]) => FIELDS.filter(([one]) => one === code).map(([, name]) => [name, value])),
  ) as Partial<Message>;
  if (type === undefined || type === "") throw corrupt("type of message");
  return { type, serial, ...named, body: splitSignature(named.signature ?? "").map((one) => reader.read(one)) };
}

/** "sa(sv)u" as ["s", "a(sv)", "u"]. Throws `corrupt` when it is none. */
export function splitSignature(signature: string): string[] {
  const out: string[] = [];
  for (let at = 0; at < signature.length;) {
    const end = endOfType(signature, at);
    out.push(signature.slice(at, end));
    at = end;
  }
  return out;
}

function endOfType(signature: string, at: number): number {
  const letter = signature[at] ?? "";
  if (letter === "a") return endOfType(signature, at + 1);
  if (letter === "(" || letter === "{") {
    const close = letter === "(" ? ")" : "}";
    let end = at + 1;
    while (signature[end] !== close) end = endOfType(signature, end);
    return end + 1;
  }
  if (!/^[ybnqiuxtdsogvh]$/.test(letter)) throw corrupt(`signature ${JSON.stringify(signature)}`);
  return at + 1;
}

function corrupt(message: string): TeuError {
  return new TeuError({ code: "corrupt", op: "read D-Bus message", message });
}

const SIZES: Readonly<Record<string, number>> = { y: 1, n: 2, q: 2, b: 4, i: 4, u: 4, h: 4, x: 8, t: 8, d: 8 };

/** What a value of this type is aligned to. */
function alignment(type: string): number {
  const [letter = ""] = type;
  if (letter === "(" || letter === "{") return 8;
  if (letter === "g" || letter === "v") return 1;
  return SIZES[letter] ?? 4;
}

class Writer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  length = 0;
  readonly #encode: (text: string) => Uint8Array;

  constructor(encode: (text: string) => Uint8Array) {
    this.#encode = encode;
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }

  append(more: Uint8Array): void {
    this.#reserve(more.length);
    this.#bytes.set(more, this.length);
    this.length += more.length;
  }

  align(to: number): void {
    this.#reserve(to);
    this.length = Math.ceil(this.length / to) * to;
  }

  write(type: string, value: Value): void {
    this.align(alignment(type));
    const [letter = ""] = type;
    if (letter === "a") this.#writeArray(type.slice(1), value as readonly Value[]);
    else if (letter === "(" || letter === "{") {
      for (const [index, one] of splitSignature(type.slice(1, -1)).entries())
        this.write(one, (value as readonly Value[])[index] ?? "");
    } else if (letter === "v") {
      const { signature, value: inner } = value as Variant;
      this.write("g", signature);
      this.write(signature, inner);
    } else if (letter === "s" || letter === "o" || letter === "g") this.#writeText(letter, value as string);
    else this.#writeNumber(letter, value);
  }

  #writeArray(type: string, values: readonly Value[]): void {
    const at = this.length;
    this.write("u", 0);
    // The padding before the first element does not count.
    this.align(alignment(type));
    const start = this.length;
    for (const one of values) this.write(type, one);
    this.#view.setUint32(at, this.length - start, true);
  }

  #writeText(letter: string, text: string): void {
    const bytes = this.#encode(text);
    this.write(letter === "g" ? "y" : "u", bytes.length);
    this.append(bytes);
    this.append(new Uint8Array(1));
  }

  #writeNumber(letter: string, value: Value): void {
    const size = SIZES[letter] ?? 0;
    this.#reserve(size);
    const { length } = this;
    this.length += size;
    if (letter === "d") this.#view.setFloat64(length, Number(value), true);
    else if (size === 8) this.#view.setBigUint64(length, BigInt.asUintN(64, BigInt(value as bigint | number)), true);
    else if (size === 4) this.#view.setUint32(length, Number(value) >>> 0, true);
    else if (size === 2) this.#view.setUint16(length, Number(value) & 0xffff, true);
    else this.#view.setUint8(length, Number(value) & 0xff);
  }

  #reserve(more: number): void {
    if (this.length + more <= this.#bytes.length) return;
    const grown = new Uint8Array((this.length + more) * 2);
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;
  readonly #decode: (data: Uint8Array) => string;

  constructor(bytes: Uint8Array, little: boolean, decode: (data: Uint8Array) => string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = little;
    this.#decode = decode;
  }

  align(to: number): void {
    this.at = Math.ceil(this.at / to) * to;
  }

  read(type: string): Value {
    this.align(alignment(type));
    const [letter = ""] = type;
    if (letter === "a") return this.#readArray(type.slice(1));
    if (letter === "(" || letter === "{") return splitSignature(type.slice(1, -1)).map((one) => this.read(one));
    if (letter === "v") {
      const signature = this.read("g") as string;
      const [only, ...more] = splitSignature(signature);
      if (only === undefined || more.length > 0) throw corrupt("variant");
      return { signature, value: this.read(only) };
    }
    if (letter === "s" || letter === "o" || letter === "g") {
      const length = Number(this.read(letter === "g" ? "y" : "u"));
      const text = this.#decode(this.#take(length));
      this.#take(1);
      return text;
    }
    return this.#readNumber(letter);
  }

  #readArray(type: string): Value[] {
    const length = Number(this.read("u"));
    this.align(alignment(type));
    const end = this.at + length;
    if (end > this.#bytes.length) throw corrupt("array is cut off");
    const out: Value[] = [];
    while (this.at < end) out.push(this.read(type));
    return out;
  }

  #readNumber(letter: string): Value {
    const start = this.at;
    this.#take(SIZES[letter] ?? 0);
    const view = this.#view;
    if (letter === "b") return view.getUint32(start, this.#little) !== 0;
    if (letter === "y") return view.getUint8(start);
    if (letter === "n") return view.getInt16(start, this.#little);
    if (letter === "q") return view.getUint16(start, this.#little);
    if (letter === "i") return view.getInt32(start, this.#little);
    if (letter === "x") return view.getBigInt64(start, this.#little);
    if (letter === "t") return view.getBigUint64(start, this.#little);
    if (letter === "d") return view.getFloat64(start, this.#little);
    return view.getUint32(start, this.#little);
  }

  #take(count: number): Uint8Array {
    if (this.at + count > this.#bytes.length) throw corrupt("message is cut off");
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }
}
