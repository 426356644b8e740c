// Whose memory it is, and when it is somebody else's.

import assert from "node:assert/strict";
import { test } from "node:test";

import { CHUNK_BYTES, ChunkMemory } from "./chunk-memory.ts";

test("ChunkMemory: four take turns; what is given back goes to the next stream, once, and what is not does not", () => {
  const first = new ChunkMemory();
  const chunks = Array.from({ length: 6 }, () => first.next(CHUNK_BYTES));
  assert.equal(new Set(chunks.slice(0, 4).map((chunk) => chunk.byteOffset + chunk.length)).size > 0, true);
  const places = chunks.map((chunk) => chunk.buffer);
  assert.equal(new Set(places).size, 4);
  assert.deepEqual(places.slice(4), places.slice(0, 2));
  const beside = new ChunkMemory();
  assert.ok(!places.includes(beside.next(CHUNK_BYTES).buffer), "it is not given back yet");
  first.giveBack();
  first.giveBack();
  const next = [new ChunkMemory(), new ChunkMemory()].flatMap((memory) =>
    Array.from({ length: 4 }, () => memory.next(CHUNK_BYTES).buffer),
  );
  assert.equal(new Set(next).size, 8, "no two streams share any");
  assert.equal(next.filter((place) => places.includes(place)).length, 4);
  // The one that gave back begins anew.
  assert.ok(!next.includes(first.next(CHUNK_BYTES).buffer));
});

test("ChunkMemory: short streams have short memory, and the last chunk of a long one is a part", () => {
  const short = new ChunkMemory();
  assert.equal(short.next(100).buffer.byteLength, 100);
  const long = new ChunkMemory();
  long.next(CHUNK_BYTES);
  const others = [CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES].map((length) => long.next(length));
  assert.equal(others.length, 3);
  assert.equal(long.next(17).length, 17);
  short.giveBack();
  assert.equal(new ChunkMemory().next(CHUNK_BYTES).length, CHUNK_BYTES, "what was given back was too short");
});
