// Frames of attach and exec (Docker's stdcopy): [type, 0, 0, 0, length u32 big-endian] and payload.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { concatBytes } from "@teu/base/bytes";
import { STREAM_CONTROL, STREAM_STDIN } from "../protocol.ts";

const HEADER = 8;
// Nothing but a terminal size travels in a control frame.
const CONTROL_LIMIT = 4096;

/** One frame. */
export function encodeFrame(type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER + payload.length);
  frame[0] = type;
  new DataView(frame.buffer).setUint32(4, payload.length);
  frame.set(payload, HEADER);
  return frame;
}

/** What a client sent: a piece of stdin (as it arrives, not frame by frame), its end, or a control message. */
export type ClientEvent =
  | { readonly kind: "stdin"; readonly data: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "control"; readonly payload: Uint8Array };

/** Takes bytes in any portions; holds at most a header and a control payload, however long a frame claims to be. */
export class FrameDecoder {
  #held: Uint8Array = new Uint8Array(0);
  #stdinLeft = 0;

  /** @throws TeuError `invalid` for a type that clients must not send and for a control frame beyond 4 KiB. */
  push(data: Uint8Array): ClientEvent[] {
    const events: ClientEvent[] = [];
    let input = this.#held.length === 0 ? data : concatBytes([this.#held, data]);
    for (;;) {
      if (this.#stdinLeft > 0 && input.length > 0) {
        const piece = input.subarray(0, this.#stdinLeft);
        events.push({ kind: "stdin", data: piece });
        this.#stdinLeft -= piece.length;
        input = input.subarray(piece.length);
      }
      if (this.#stdinLeft > 0 || input.length < HEADER) break;
      const { type, length } = readHeader(input);
      if (type === STREAM_STDIN) {
        this.#stdinLeft = length;
        if (length === 0) events.push({ kind: "end" });
        input = input.subarray(HEADER);
      } else {
        if (input.length < HEADER + length) break;
        events.push({ kind: "control", payload: input.subarray(HEADER, HEADER + length) });
        input = input.subarray(HEADER + length);
      }
    }
    this.#held = input.slice();
    return events;
  }
}

function readHeader(input: Uint8Array): { type: number; length: number } {
  const type = input[0] ?? 0;
  const length = new DataView(input.buffer, input.byteOffset).getUint32(4);
  const known = type === STREAM_STDIN || type === STREAM_CONTROL;
  if (known && (type === STREAM_STDIN || length <= CONTROL_LIMIT)) return { type, length };
  const message = known ? `a control frame of ${length} bytes` : `a frame of type ${type}`;
  throw new TeuError({ code: "invalid", op: "read frame", message: `${message} is not allowed here` });
}
