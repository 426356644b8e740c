// For tests: systemd's manager behind a unix socket of the fake kernel, speaking D-Bus byte by byte.
// portable: no host types here.

import { concatBytes } from "@teu/base/bytes";
import { TeuError } from "@teu/base/errors";
import { decode, encode } from "@teu/sys/fake/inode";
import type { Kernel } from "@teu/sys/kernel";
import { type Message, type Value, decodeMessage, encodeMessage, messageLength } from "../linux/cgroup/systemd/wire.ts";

/** What it was asked, in order, and how it answers. */
export interface FakeSystemd {
  readonly calls: { readonly member: string; readonly body: readonly Value[] }[];
  /** Member to D-Bus error, for the next call of it only. */
  readonly failures: Map<string, string>;
  /** How jobs end. */
  result: string;
  /** The kernel with it at `path`. */
  readonly kernel: Kernel;
}

/** Makes one. It answers a client that shows itself as root, and sends a signal of another job before each answer to a job. */
export function fakeSystemd(base: Kernel, path: string): FakeSystemd {
  const clients = new Map<number, { answers: Uint8Array; given: Uint8Array; open: boolean }>();
  const server = { calls: [] as FakeSystemd["calls"], failures: new Map<string, string>(), result: "done" };
  const take = (client: { answers: Uint8Array; given: Uint8Array; open: boolean }): void => {
    if (!client.open) {
      const text = decode(client.given);
      if (text === "\0AUTH EXTERNAL 30\r\n") {
        client.given = new Uint8Array(0);
        client.answers = concatBytes([client.answers, encode("OK 1234deadbeef\r\n")]);
      } else if (text.startsWith("BEGIN\r\n")) {
        client.given = client.given.slice("BEGIN\r\n".length);
        client.open = true;
      } else throw new TeuError({ code: "internal", op: "log in", message: JSON.stringify(text) });
    }
    for (;;) {
      const length = messageLength(client.given);
      if (length === null || client.given.length < length) return;
      const message = decodeMessage(client.given.slice(0, length), decode);
      client.given = client.given.slice(length);
      for (const answer of answersTo(server, message))
        client.answers = concatBytes([client.answers, encodeMessage(answer, encode)]);
    }
  };
  const kernel: Kernel = {
    ...base,
    socket: {
      ...base.socket,
      connectUnix: (fd, to) => {
        if (to === path) clients.set(fd, { answers: new Uint8Array(0), given: new Uint8Array(0), open: false });
        else base.socket.connectUnix(fd, to);
      },
    },
    fs: {
      ...base.fs,
      write: (fd, data) => {
        const client = clients.get(fd);
        if (client === undefined) return base.fs.write(fd, data);
        const bytes = typeof data === "string" ? encode(data) : data;
        client.given = concatBytes([client.given, bytes]);
        take(client);
        return bytes.length;
      },
      read: (fd, count) => {
        const client = clients.get(fd);
        if (client === undefined) return base.fs.read(fd, count);
        // In small pieces, as a socket may.
        const piece = client.answers.slice(0, Math.min(count, 7));
        client.answers = client.answers.slice(piece.length);
        return piece;
      },
      close: (fd) => {
        clients.delete(fd);
        base.fs.close(fd);
      },
    },
    poll: {
      ...base.poll,
      pollOne: (fd, events, milliseconds) => {
        const client = clients.get(fd);
        return client === undefined ? base.poll.pollOne(fd, events, milliseconds) : client.answers.length > 0;
      },
    },
  };
  return Object.assign(server, { kernel });
}

function answersTo(server: Pick<FakeSystemd, "calls" | "failures" | "result">, message: Message): Message[] {
  const { serial: replySerial, member = "", body } = message;
  server.calls.push({ member, body });
  const failure = server.failures.get(member);
  server.failures.delete(member);
  if (failure !== undefined)
    return [{ type: "error", serial: 1, replySerial, error: failure, signature: "s", body: ["refused so"] }];
  const reply = (signature: string, values: readonly Value[]): Message => ({
    type: "return",
    serial: 1,
    replySerial,
    signature,
    body: values,
  });
  if (member === "Hello") return [reply("s", [":1.7"])];
  if (member === "Get") return [reply("v", [{ signature: "s", value: "/user.slice/user-0.slice/user@0.service" }])];
  if (member !== "StartTransientUnit" && member !== "StopUnit") return [reply("", [])];
  const job = "/org/freedesktop/systemd1/job/5";
  const removed = (path: string, result: string): Message => ({
    type: "signal",
    serial: 1,
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
    member: "JobRemoved",
    signature: "uoss",
    body: [5, path, "x.scope", result],
  });
  return [removed("/org/freedesktop/systemd1/job/4", "failed"), reply("o", [job]), removed(job, server.result)];
}
