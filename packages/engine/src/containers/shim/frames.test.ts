import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeFrame, FrameReader, type FramePiece } from "./frames.ts";

const STREAM = Buffer.concat([
  encodeFrame(1, Buffer.from("hello ")),
  encodeFrame(1, new Uint8Array(0)),
  encodeFrame(2, Buffer.from("oops")),
  encodeFrame(1, Buffer.from("world")),
  encodeFrame(3, Buffer.from('{"code":7}')),
]);

function read(size: number): { stdout: string; stderr: string; end: unknown } {
  const reader = new FrameReader();
  const pieces: FramePiece[] = [];
  for (let at = 0; at < STREAM.length; at += size) pieces.push(...reader.push(STREAM.subarray(at, at + size)));
  const text = (stream: string) =>
    pieces
      .map((piece) => (piece.kind === "output" && piece.stream === stream ? Buffer.from(piece.data).toString() : ""))
      .join("");
  return {
    stdout: text("stdout"),
    stderr: text("stderr"),
    end: pieces.flatMap((piece) => (piece.kind === "end" ? [piece.end] : []))[0],
  };
}

test("FrameReader: the same however the bytes are cut", () => {
  for (let size = 1; size <= STREAM.length; size++)
    assert.deepEqual(read(size), { stdout: "hello world", stderr: "oops", end: { code: 7 } }, String(size));
});

test("FrameReader: corrupt for unknown types, endless ends and ends without a code", () => {
  const cases = [
    encodeFrame(9, Buffer.from("x")),
    Buffer.from([3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
    encodeFrame(3, Buffer.from("nonsense")),
    encodeFrame(3, Buffer.from("{}")),
  ];
  for (const bytes of cases) assert.throws(() => [...new FrameReader().push(Buffer.from(bytes))], { code: "corrupt" });
});
