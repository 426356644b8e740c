// Who watches one process's streams: every piece of output to every client, bounded for each; a client that asked the process to
// wait for it makes the reading pause, any other that falls behind is cut off.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { STREAM_END, STREAM_STDERR, STREAM_STDOUT } from "../protocol.ts";
import type { StreamEnd } from "../protocol.ts";
import type { OutputName } from "../stdio/process-io.ts";
import type { Channel } from "./channel.ts";
import { encodeFrame } from "./frames.ts";

/** Bytes that a client may be behind before it is cut off. */
export const CLIENT_LIMIT: number = 1 << 20;

/** Bytes that a client which the process waits for may be behind before it does wait. */
export const WAIT_LIMIT: number = 256 * 1024;

// How long a client may take to read its last frames.
const LAST_FRAMES_MS = 10_000;

/** What a client wants to see. */
export interface Subscription {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly wait: boolean;
}

/** The streams that are paused and resumed. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/** The clients of one process. */
export class Attachments {
  readonly #kernel: Kernel;
  readonly #flow: Flow;
  readonly #clients = new Map<Channel, Subscription>();
  #paused = false;
  #end: StreamEnd | undefined;

  constructor(kernel: Kernel, flow: Flow) {
    this.#kernel = kernel;
    this.#flow = flow;
  }

  /** From now on `channel` gets frames. The caller tells of `drained` and `closed`. After the end it gets that at once. */
  add(channel: Channel, subscription: Subscription): void {
    if (this.#end === undefined) this.#clients.set(channel, subscription);
    else this.#sendEnd(channel, this.#end);
  }

  /** A piece of output to everybody who wants it. */
  output(name: OutputName, data: Uint8Array): void {
    let frame: Uint8Array | undefined;
    for (const [channel, wants] of this.#clients) {
      if (!wants[name]) continue;
      frame ??= encodeFrame(name === "stdout" ? STREAM_STDOUT : STREAM_STDERR, data);
      channel.send(frame);
      if (!wants.wait && channel.pending > CLIENT_LIMIT) this.#cutOff(channel);
    }
    this.#balance();
  }

  /** A client has taken all that was queued. */
  drained(): void {
    this.#balance();
  }

  /** A client is gone. */
  closed(channel: Channel): void {
    this.#clients.delete(channel);
    this.#balance();
  }

  /** The last frame to everybody; each channel closes once it is read. */
  end(end: StreamEnd): void {
    this.#end = end;
    for (const channel of this.#clients.keys()) this.#sendEnd(channel, end);
    this.#clients.clear();
  }

  #cutOff(channel: Channel): void {
    this.#clients.delete(channel);
    this.#sendEnd(channel, { code: -1, error: `cut off: more than ${CLIENT_LIMIT} bytes behind the output` });
  }

  #sendEnd(channel: Channel, end: StreamEnd): void {
    channel.send(encodeFrame(STREAM_END, this.#kernel.host.utf8Encode(JSON.stringify(end))));
    channel.finish(LAST_FRAMES_MS);
  }

  #balance(): void {
    let behind = false;
    for (const [channel, wants] of this.#clients) behind ||= wants.wait && channel.pending > WAIT_LIMIT;
    if (behind === this.#paused) return;
    this.#paused = behind;
    if (behind) this.#flow.pause();
    else this.#flow.resume();
  }
}
