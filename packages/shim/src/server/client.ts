// One client of the socket: reads its request line (bounded in size and time), answers once, and, for attach and exec, goes on
// with frames.
// portable: no host types here.

import { TeuError, isTeuError } from "@teu/base/errors";
import { concatBytes } from "@teu/base/bytes";
import { parseJson } from "@teu/specs/json";
import type { Kernel } from "@teu/sys/kernel";
import { FieldReader } from "../config/field-reader.ts";
import { REQUEST_LIMIT, parseRequest, parseSize } from "../config/parse-request.ts";
import { errorJson } from "../daemon/report.ts";
import type { EventLoop, Timer } from "../loop/event-loop.ts";
import type { ShimRequest, ShimResponse } from "../protocol.ts";
import type { InputWriter } from "../stdio/input-writer.ts";
import type { Attachments, Subscription } from "./attachments.ts";
import { Channel } from "./channel.ts";
import { FrameDecoder } from "./frames.ts";

// A request is one write of a local program.
const REQUEST_MS = 10_000;
const ANSWER_MS = 10_000;
const NEWLINE = 10;

/** What the frames of a client act on. */
export interface StreamTarget {
  readonly attachments: Attachments;
  /** Undefined: the client sends no stdin. */
  readonly input: InputWriter | undefined;
  resize(rows: number, columns: number): void;
  /** The client has ended its stdin, or went away. */
  inputEnded(how: "end" | "gone"): void;
}

/** Who hears of a client. */
export interface ClientEvents {
  request(client: Client, request: ShimRequest): void;
  closed(client: Client): void;
}

/** A connected client. */
export class Client {
  readonly #kernel: Kernel;
  readonly #events: ClientEvents;
  readonly #channel: Channel;
  readonly #timer: Timer;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #asked = false;
  #closed: () => void = () => {};

  /** Takes over the descriptor. */
  constructor(kernel: Kernel, loop: EventLoop, fd: number, events: ClientEvents) {
    this.#kernel = kernel;
    this.#events = events;
    this.#timer = loop.after(REQUEST_MS, () => this.#refuse("timeout", `no whole request within ${REQUEST_MS} ms`));
    this.#channel = new Channel(kernel, loop, fd, {
      data: (bytes) => this.#data(bytes),
      ended: () => {
        if (!this.#asked) this.#refuse("invalid", "the connection ended before the end of the line");
      },
      drained: () => {},
      closed: () => this.#gone(),
    });
  }

  /** Calls `handler` when the client is gone, whoever ended it. */
  onClosed(handler: () => void): void {
    this.#closed = handler;
  }

  /** The only answer; the connection closes after it. */
  answer(response: ShimResponse): void {
    this.#asked = true;
    this.#send(response);
    this.#channel.finish(ANSWER_MS);
  }

  /** An error answer. */
  fail(error: unknown, op: string): void {
    this.answer({ ok: false, error: errorJson(error, op) });
  }

  /** Answers and goes on with frames until `target.attachments` ends them. */
  stream(response: ShimResponse, target: StreamTarget, subscription: Subscription): void {
    const decoder = new FrameDecoder();
    const channel = this.#channel;
    if (!channel.open) {
      target.inputEnded("gone");
      return;
    }
    let inputOpen = true;
    const inputEnded = (how: "end" | "gone"): void => {
      if (inputOpen) target.inputEnded(how);
      inputOpen = false;
    };
    const data = (bytes: Uint8Array): void => this.#frames(decoder, bytes, target, () => inputEnded("end"));
    channel.listen({
      data,
      ended: () => inputEnded("end"),
      drained: () => target.attachments.drained(),
      closed: () => {
        inputEnded("gone");
        target.attachments.closed(channel);
        this.#gone();
      },
    });
    this.#send(response);
    target.attachments.add(channel, subscription);
    const early = concatBytes(this.#chunks);
    this.#chunks = [];
    channel.resumeInput();
    if (early.length > 0) data(early);
  }

  /** Ends the connection without a word. */
  destroy(): void {
    this.#channel.destroy();
  }

  #send(response: ShimResponse): void {
    this.#channel.send(this.#kernel.host.utf8Encode(`${JSON.stringify(response)}\n`));
  }

  #gone(): void {
    this.#timer.cancel();
    this.#closed();
    this.#events.closed(this);
  }

  #refuse(code: "invalid" | "timeout", message: string): void {
    this.fail(new TeuError({ code, op: "read request", message }), "read request");
  }

  #data(bytes: Uint8Array): void {
    if (this.#asked) return; // nothing is expected any more
    const newline = bytes.indexOf(NEWLINE);
    const line = newline < 0 ? bytes : bytes.subarray(0, newline);
    this.#chunks.push(line);
    this.#length += line.length;
    if (this.#length > REQUEST_LIMIT) this.#refuse("invalid", `a request of more than ${REQUEST_LIMIT} bytes`);
    else if (newline >= 0) this.#request(bytes.subarray(newline + 1));
  }

  #request(rest: Uint8Array): void {
    const text = this.#kernel.host.utf8Decode(concatBytes(this.#chunks));
    this.#chunks = rest.length > 0 ? [rest.slice()] : [];
    this.#asked = true;
    this.#timer.cancel();
    let request: ShimRequest;
    try {
      request = parseRequest(text);
    } catch (error) {
      if (!isTeuError(error)) throw error;
      this.fail(error, "read request");
      return;
    }
    // Frames may follow at once: they wait until somebody wants them.
    if (request.op === "attach" || request.op === "exec") this.#channel.pauseInput();
    this.#events.request(this, request);
  }

  #frames(decoder: FrameDecoder, bytes: Uint8Array, target: StreamTarget, inputEnded: () => void): void {
    try {
      for (const event of decoder.push(bytes)) {
        if (event.kind === "control") this.#control(event.payload, target);
        else if (event.kind === "end") inputEnded();
        else this.#input(event.data, target.input);
      }
    } catch (error) {
      if (!isTeuError(error)) throw error;
      this.#channel.destroy(); // does not speak the protocol: there is no frame to say so in
    }
  }

  #input(data: Uint8Array, input: InputWriter | undefined): void {
    if (input === undefined || input.write(data)) return;
    this.#channel.pauseInput();
    input.onDrained(() => this.#channel.resumeInput());
  }

  #control(payload: Uint8Array, target: StreamTarget): void {
    const value = parseJson(this.#kernel.host.utf8Decode(payload), {
      document: "control frame",
      maxLength: 4096,
      maxDepth: 4,
    });
    const fields = new FieldReader(value, { op: "read control frame", path: "" });
    const { rows, columns } = parseSize(fields.object("resize"));
    fields.end();
    target.resize(rows, columns);
  }
}
