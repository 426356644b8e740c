import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { assemblePrograms, type FrozenProgram } from "./programs.ts";

const MAGIC = "\x7fTEU-PROGRAMS-1\x7f";
const TABLE = Buffer.concat([Buffer.from(MAGIC, "latin1"), Buffer.alloc(8 * 112)]);
const HOST = Buffer.concat([Buffer.from("code"), TABLE, Buffer.from("more")]);
const RUN: FrozenProgram = { name: "teu-runtime", seal: ["run", "exec"], heap: Buffer.from("heap one") };

test("assemblePrograms: heaps on pages of their own, found by the table", () => {
  const file = Buffer.from(assemblePrograms(HOST, [RUN, { name: "teu-shim", seal: [], heap: Buffer.from("two") }]));
  const entry = file.subarray(4 + 16);
  assert.equal(entry.toString("latin1", 0, 12), "teu-runtime\0");
  assert.equal(entry.toString("latin1", 32, 42), "run\0exec\0\0");
  const place = (at: number): string => {
    const [offset, length] = [Number(entry.readBigUInt64LE(at + 96)), Number(entry.readBigUInt64LE(at + 104))];
    assert.equal(offset % 65536, 0);
    return file.toString("latin1", offset, offset + length);
  };
  assert.equal(place(0), "heap one");
  assert.equal(place(112), "two");
  assert.equal(file.toString("latin1", 0, 4), "code");
});

const REFUSED: readonly { name: string; host: Buffer; programs: readonly FrozenProgram[]; error: RegExp }[] = [
  { name: "no table", host: Buffer.from("code"), programs: [RUN], error: /has no table/ },
  { name: "two tables", host: Buffer.concat([HOST, TABLE]), programs: [RUN], error: /more than one/ },
  {
    name: "a table that is filled in",
    host: Buffer.from(assemblePrograms(HOST, [RUN])),
    programs: [RUN],
    error: /carries programs already/,
  },
  { name: "a long name", host: HOST, programs: [{ ...RUN, name: "x".repeat(31) }], error: /does not fit into 32/ },
  { name: "an empty word", host: HOST, programs: [{ ...RUN, seal: [""] }], error: /does not fit/ },
  { name: "nine programs", host: HOST, programs: Array.from({ length: 9 }, () => RUN), error: /has 8 places/ },
];
for (const { name, host, programs, error } of REFUSED) {
  test(`assemblePrograms: refuses ${name}`, () => {
    assert.throws(() => assemblePrograms(host, programs), error);
  });
}
