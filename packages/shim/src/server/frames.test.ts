// Frames: what is written can be read however it is cut; what is not allowed is refused without holding it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { encodeFrame, FrameDecoder } from "./frames.ts";
import type { ClientEvent } from "./frames.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

function summary(events: readonly ClientEvent[]): string {
  const parts = events.map((event) =>
    event.kind === "stdin" ? text(event.data) : event.kind === "end" ? "<end>" : `<${text(event.payload)}>`,
  );
  return parts.join("");
}

test("encodeFrame: Docker's header", () => {
  assert.deepEqual([...encodeFrame(2, bytes("hi"))], [2, 0, 0, 0, 0, 0, 0, 2, 104, 105]);
  assert.deepEqual([...encodeFrame(0, bytes(""))], [0, 0, 0, 0, 0, 0, 0, 0]);
});

test("FrameDecoder: the same events however the bytes are cut", () => {
  const parts = [
    encodeFrame(0, bytes("hello ")),
    encodeFrame(4, bytes("size")),
    encodeFrame(0, bytes("world")),
    encodeFrame(0, bytes("")),
  ];
  const all = Uint8Array.from(parts.flatMap((part) => [...part]));
  for (let size = 1; size <= all.length; size++) {
    const decoder = new FrameDecoder();
    const events: ClientEvent[] = [];
    for (let at = 0; at < all.length; at += size) events.push(...decoder.push(all.subarray(at, at + size)));
    assert.equal(summary(events), "hello <size>world<end>", `pieces of ${size}`);
  }
});

test("FrameDecoder: stdin is handed on before its frame is whole", () => {
  const decoder = new FrameDecoder();
  const frame = encodeFrame(0, new Uint8Array(100_000));
  assert.equal(decoder.push(frame.subarray(0, 50_000))[0]?.kind, "stdin");
});

for (const [name, head] of [
  ["a server's frame type", [1, 0, 0, 0, 0, 0, 0, 1]],
  ["an unknown type", [9, 0, 0, 0, 0, 0, 0, 0]],
  ["a huge control frame", [4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]],
] as const) {
  test(`FrameDecoder: invalid when the client sends ${name}`, () => {
    assert.throws(
      () => new FrameDecoder().push(Uint8Array.from(head)),
      (error) => isTeuError(error, "invalid"),
    );
  });
}
