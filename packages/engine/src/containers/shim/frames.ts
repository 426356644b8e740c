// Frames of the shim's socket (@teu/shim/protocol): written whole, read as the bytes come.

import { TeuError } from "@teu/base/errors";
import { STREAM_END, STREAM_STDERR, STREAM_STDOUT, type StreamEnd } from "@teu/shim/protocol";

const HEADER = 8;
/** A StreamEnd larger than this is none. */
const END_LIMIT = 1 << 20;

/** A piece of a frame. Output comes in pieces as they arrive, the end once and whole. */
export type FramePiece =
  | { readonly kind: "output"; readonly stream: "stdout" | "stderr"; readonly data: Uint8Array }
  | { readonly kind: "end"; readonly end: StreamEnd };

/** One frame's bytes. */
export function encodeFrame(type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER + payload.length);
  frame[0] = type;
  new DataView(frame.buffer).setUint32(4, payload.length);
  frame.set(payload, HEADER);
  return frame;
}

/** Takes bytes, gives pieces. */
export class FrameReader {
  #header = Buffer.alloc(0);
  #type = 0;
  #left = 0;
  #end: Buffer[] = [];

  /** Pieces that are complete with `chunk`; they point into it. @throws TeuError `corrupt` for what is not a frame. */
  *push(chunk: Buffer): Generator<FramePiece> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#left === 0) rest = this.#readHeader(rest);
      else {
        const part = rest.subarray(0, this.#left);
        rest = rest.subarray(part.length);
        this.#left -= part.length;
        if (this.#type === STREAM_END) this.#end.push(part);
        else yield { kind: "output", stream: this.#type === STREAM_STDERR ? "stderr" : "stdout", data: part };
      }
      if (this.#type === STREAM_END && this.#left === 0 && this.#end.length > 0) yield this.#takeEnd();
    }
  }

  #readHeader(chunk: Buffer): Buffer {
    const header = Buffer.concat([this.#header, chunk.subarray(0, HEADER - this.#header.length)]);
    const rest = chunk.subarray(HEADER - this.#header.length);
    if (header.length < HEADER) {
      this.#header = header;
      return rest;
    }
    this.#header = Buffer.alloc(0);
    this.#type = header[0] ?? 0;
    this.#left = header.readUInt32BE(4);
    const known = this.#type === STREAM_STDOUT || this.#type === STREAM_STDERR || this.#type === STREAM_END;
    if (!known || (this.#type === STREAM_END && this.#left > END_LIMIT))
      throw corrupt(`frame of type ${this.#type} and ${this.#left} bytes`);
    return rest;
  }

  #takeEnd(): FramePiece {
    const text = Buffer.concat(this.#end).toString("utf8");
    this.#end = [];
    let end: Partial<StreamEnd>;
    try {
      end = JSON.parse(text) as Partial<StreamEnd>;
    } catch (cause) {
      throw corrupt("the last frame is not JSON", cause);
    }
    if (typeof end.code !== "number") throw corrupt("the last frame has no code");
    return { kind: "end", end: { code: end.code, ...(typeof end.error === "string" ? { error: end.error } : {}) } };
  }
}

function corrupt(message: string, cause?: unknown): TeuError {
  return new TeuError({
    code: "corrupt",
    op: "read streams of the shim",
    message,
    ...(cause === undefined ? {} : { cause }),
  });
}
