// rtnetlink(7): requests and answers as bytes. What they are about is in loopback.ts and net-devices.ts.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  AF_NETLINK,
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  SOCK_RAW,
} from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";

const HEADER = 16;
const ANSWER_LIMIT = 64 << 10;
const aligned = (length: number): number => (length + 3) & ~3;

/** Attributes of a message by their number. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

/** One message of an answer, without the netlink header. */
export interface RouteMessage {
  readonly type: number;
  readonly body: Uint8Array;
}

/** A refused request; `detail.errno` is the kernel's number, positive. */
function routeError(op: string, subject: string, errno: number): TeuError {
  const message = `rtnetlink answers ${NAMES[errno] ?? `errno ${errno}`}`;
  return new TeuError({ code: errno === 1 ? "denied" : "internal", op, subject, message, detail: { errno } });
}

const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  16: "EBUSY",
  17: "EEXIST",
  19: "ENODEV",
  22: "EINVAL",
  95: "EOPNOTSUPP",
};

/** A socket for the network namespace that this process is in when it is opened. */
export class RouteSocket {
  readonly #kernel: Kernel;
  readonly #fd: number;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#fd = kernel.socket.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  }

  close(): void {
    this.#kernel.fs.close(this.#fd);
  }

  /** Sends a request and waits for its acknowledgement. `what` is for the error, which has the errno in `detail`. */
  change(what: string, subject: string, type: number, flags: number, body: Uint8Array): void {
    const [answer] = this.#ask(type, NLM_F_ACK | flags, body);
    const errno = answer?.type === NLMSG_ERROR ? view(answer.body).getInt32(0, true) : -1;
    if (errno !== 0) throw routeError(what, subject, -errno);
  }

  /** The one message that answers. */
  get(what: string, subject: string, type: number, body: Uint8Array): RouteMessage {
    const [answer] = this.#ask(type, 0, body);
    if (answer === undefined || answer.type === NLMSG_ERROR)
      throw routeError(what, subject, answer === undefined ? 0 : -view(answer.body).getInt32(0, true));
    return answer;
  }

  /** All that there are. */
  list(what: string, subject: string, type: number, body: Uint8Array): RouteMessage[] {
    const all: RouteMessage[] = [];
    let answers = this.#ask(type, NLM_F_DUMP, body);
    for (;;) {
      for (const answer of answers) {
        if (answer.type === NLMSG_DONE) return all;
        if (answer.type === NLMSG_ERROR) throw routeError(what, subject, -view(answer.body).getInt32(0, true));
        all.push(answer);
      }
      answers = this.#receive();
      if (answers.length === 0) return all;
    }
  }

  #ask(type: number, flags: number, body: Uint8Array): RouteMessage[] {
    const message = new Uint8Array(HEADER + body.length);
    const header = view(message);
    header.setUint32(0, message.length, true);
    header.setUint16(4, type, true);
    header.setUint16(6, NLM_F_REQUEST | flags, true);
    header.setUint32(8, 1, true);
    message.set(body, HEADER);
    this.#kernel.socket.send(this.#fd, message, 0);
    return this.#receive();
  }

  #receive(): RouteMessage[] {
    return parseMessages(this.#kernel.socket.receiveMessage(this.#fd, ANSWER_LIMIT).data);
  }
}

/** struct ifinfomsg, with the flags that `change` says, and attributes. */
export function linkBody(index: number, flags: number, change: number, attributes: Attributes = new Map()): Uint8Array {
  const fixed = new Uint8Array(16);
  const fields = view(fixed);
  fields.setInt32(4, index, true);
  fields.setUint32(8, flags, true);
  fields.setUint32(12, change, true);
  return withAttributes(fixed, attributes);
}

/** A message's fixed part, a multiple of four bytes, with attributes behind it. */
export function withAttributes(fixed: Uint8Array, attributes: Attributes): Uint8Array {
  let length = fixed.length;
  for (const data of attributes.values()) length += aligned(4 + data.length);
  const body = new Uint8Array(length);
  body.set(fixed);
  let at = fixed.length;
  for (const [type, data] of attributes) {
    view(body).setUint16(at, 4 + data.length, true);
    view(body).setUint16(at + 2, type, true);
    body.set(data, at + 4);
    at += aligned(4 + data.length);
  }
  return body;
}

/** The attributes behind the fixed part. */
export function attributesOf(body: Uint8Array, fixed: number): Attributes {
  const out = new Map<number, Uint8Array>();
  for (let at = fixed; at + 4 <= body.length;) {
    const length = view(body).getUint16(at, true);
    if (length < 4) break;
    // The two highest bits are flags.
    out.set(view(body).getUint16(at + 2, true) & 0x3fff, body.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return out;
}

function parseMessages(data: Uint8Array): RouteMessage[] {
  const out: RouteMessage[] = [];
  for (let at = 0; at + HEADER <= data.length;) {
    const length = view(data).getUint32(at, true);
    if (length < HEADER) break;
    out.push({ type: view(data).getUint16(at + 4, true), body: data.subarray(at + HEADER, at + length) });
    at += aligned(length);
  }
  return out;
}

function view(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}
