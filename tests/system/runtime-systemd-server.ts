// A program for runtime-systemd.test.ts: systemd's manager behind a unix socket, as much of it as a runtime uses. Prints a JSON line
// for every call; answers as systemd does, with the cgroup made and the process moved into it (v1's "systemd" hierarchy).
// Usage: node runtime-systemd-server.ts SOCKET

import { chmodSync } from "node:fs";
import { type Socket, createServer } from "node:net";
import {
  type Message,
  type Value,
  decodeMessage,
  encodeMessage,
  messageLength,
} from "@teu/runtime/linux/cgroup/systemd/wire";

const encode = (text: string): Uint8Array => Buffer.from(text);
const decode = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");
const JOB = "/org/freedesktop/systemd1/job/7";

const reply = (to: Message, signature: string, body: readonly Value[]): Message => ({
  type: "return",
  serial: 1,
  replySerial: to.serial,
  destination: ":1.7",
  signature,
  body,
});

function answersTo(message: Message): Message[] {
  const { member = "" } = message;
  console.log(
    JSON.stringify({ member, destination: message.destination, body: message.body }, (_, value: unknown) =>
      typeof value === "bigint" ? value.toString() : value,
    ),
  );
  if (member === "Hello") return [reply(message, "s", [":1.7"])];
  if (member !== "StartTransientUnit" && member !== "StopUnit") return [reply(message, "", [])];
  return [
    reply(message, "o", [JOB]),
    {
      type: "signal",
      serial: 2,
      path: "/org/freedesktop/systemd1",
      interface: "org.freedesktop.systemd1.Manager",
      member: "JobRemoved",
      signature: "uoss",
      body: [7, JOB, message.body[0] as string, "done"],
    },
  ];
}

function serve(socket: Socket): void {
  let given = Buffer.alloc(0);
  let open = false;
  socket.on("error", () => socket.destroy());
  socket.on("data", (data) => {
    given = Buffer.concat([given, data]);
    if (!open) {
      const lines = given.toString("latin1");
      if (lines.startsWith("\0AUTH EXTERNAL ") && lines.endsWith("\r\n") && !lines.includes("BEGIN"))
        socket.write("OK 00112233445566778899aabbccddeeff\r\n");
      const at = lines.indexOf("BEGIN\r\n");
      if (at < 0) return;
      given = given.subarray(at + "BEGIN\r\n".length);
      open = true;
    }
    for (let length = messageLength(given); length !== null && given.length >= length; length = messageLength(given)) {
      const message = decodeMessage(new Uint8Array(given.subarray(0, length)), decode);
      given = given.subarray(length);
      for (const answer of answersTo(message)) socket.write(encodeMessage(answer, encode));
    }
  });
}

const path = process.argv[2] ?? "";
createServer(serve).listen(path, () => {
  chmodSync(path, 0o777);
  console.log("ready");
});
