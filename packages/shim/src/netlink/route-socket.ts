// An rtnetlink socket: sends one request, waits for its acknowledgement, turns the kernel's refusal, with its own words where it
// has some (NETLINK_EXT_ACK), into an error. A socket stays in the network namespace it was opened in, wherever its owner goes.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AF_NETLINK, NETLINK_ROUTE, POLLIN, SOCK_RAW } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { errnoName } from "./errno-names.ts";
import { decodeAttributes, decodeMessages, encodeMessage, textValue } from "./message.ts";
import type { NetlinkMessage } from "./message.ts";

const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;

// The kernel answers while it is asked; only a long queue at its lock takes time.
const ANSWER_MS = 10_000;
const RECEIVE = 65_536;
// The part of NLMSG_ERROR before the original header.
const ERROR_HEADER = 4 + 16;

/** What to send. */
export interface RouteRequest {
  /** RTM_* */
  readonly type: number;
  /** NLM_F_CREATE and the like; request and acknowledgement are added. */
  readonly flags?: number;
  readonly payload: Uint8Array;
  /** For errors: "make link". */
  readonly op: string;
  readonly subject: string;
}

/** An open socket; dispose closes it. */
export class RouteSocket implements Disposable {
  readonly #kernel: Kernel;
  readonly #fd: number;
  #sequence = 1;

  /** In the network namespace that the process is in at this moment. */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#fd = kernel.socket.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    kernel.socket.bindNetlink(this.#fd, 0);
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK]) kernel.socket.setOption(this.#fd, SOL_NETLINK, option, 1);
  }

  /** Asks for a change. @throws TeuError: code by errno, `detail.errno` its name. */
  change(request: RouteRequest): void {
    this.#exchange(request, NLM_F_ACK);
  }

  /** Asks for one object or, with `dump`, all. @throws as `change`. */
  ask(request: RouteRequest, dump = false): NetlinkMessage[] {
    return this.#exchange(request, dump ? NLM_F_DUMP : NLM_F_ACK);
  }

  [Symbol.dispose](): void {
    this.#kernel.fs.close(this.#fd);
  }

  #exchange(request: RouteRequest, flags: number): NetlinkMessage[] {
    const { socket, poll } = this.#kernel;
    const sequence = this.#sequence++;
    const message = {
      type: request.type,
      flags: NLM_F_REQUEST | flags | (request.flags ?? 0),
      sequence,
      payload: request.payload,
    };
    socket.send(this.#fd, encodeMessage(message), 0);
    const answers: NetlinkMessage[] = [];
    for (;;) {
      if (!poll.pollOne(this.#fd, POLLIN, ANSWER_MS)) {
        throw new TeuError({
          code: "timeout",
          op: request.op,
          subject: request.subject,
          message: `no answer from the kernel within ${ANSWER_MS} ms`,
        });
      }
      for (const answer of decodeMessages(socket.receiveMessage(this.#fd, RECEIVE).data)) {
        if (answer.sequence !== sequence) continue; // of a request that was given up
        if (answer.type === NLMSG_DONE) return answers;
        if (answer.type !== NLMSG_ERROR) {
          answers.push(answer);
          continue;
        }
        throwRefusal(request, answer);
        return answers;
      }
    }
  }
}

/** Is this the kernel's refusal with that errno? */
export function isRefusal(error: unknown, errno: string): error is TeuError {
  return error instanceof TeuError && error.detail["errno"] === errno;
}

function throwRefusal(request: RouteRequest, answer: NetlinkMessage): void {
  const errno = -new DataView(answer.payload.buffer, answer.payload.byteOffset).getInt32(0, true);
  if (errno === 0) return;
  const name = errnoName(errno);
  const codes = {
    EEXIST: "already-exists",
    ENODEV: "not-found",
    ESRCH: "not-found",
    EPERM: "denied",
    EOPNOTSUPP: "unsupported",
    EBUSY: "conflict",
  } as const;
  throw new TeuError({
    code: codes[name as keyof typeof codes] ?? "internal",
    op: request.op,
    subject: request.subject,
    message: extendedText(answer) ?? name,
    detail: { errno: name },
  });
}

// The attributes stand after the header of the request, and after its payload too unless that was left out.
function extendedText(answer: NetlinkMessage): string | undefined {
  if ((answer.flags & NLM_F_ACK_TLVS) === 0) return undefined;
  const original = new DataView(answer.payload.buffer, answer.payload.byteOffset).getUint32(4, true);
  const skip = (answer.flags & NLM_F_CAPPED) === 0 ? ((original + 3) & ~3) + 4 : ERROR_HEADER;
  return textValue(decodeAttributes(answer.payload.subarray(skip)).get(NLMSGERR_ATTR_MSG));
}
