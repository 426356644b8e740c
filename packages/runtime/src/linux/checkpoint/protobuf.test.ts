import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageWriter, readMessage } from "./protobuf.ts";

const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

// The first three are the examples of the encoding's own description; -1 as int32 takes ten bytes there as well.
const MESSAGES: readonly (readonly [string, MessageWriter, string])[] = [
  ["150 as field 1", new MessageWriter().integer(1, 150), "089601"],
  ['"testing" as field 2', new MessageWriter().bytes(2, Buffer.from("testing")), "120774657374696e67"],
  ["a message as field 3", new MessageWriter().message(3, new MessageWriter().integer(1, 150)), "1a03089601"],
  ["-1", new MessageWriter().integer(1, -1), "08ffffffffffffffffff01"],
  ["a field above 15", new MessageWriter().boolean(63, true), "f80301"],
  ["nothing", new MessageWriter(), ""],
];
for (const [name, writer, want] of MESSAGES) {
  test(`MessageWriter: ${name}`, () => assert.equal(hex(writer.finish()), want));
}

test("readMessage: numbers, bytes, and kinds that are passed over", () => {
  // field 1 = 150, field 2 = "hi", field 4 fixed64, field 5 fixed32, field 6 = -1
  const parts = ["089601", "12026869", "210102030405060708", "2d01020304", "30ffffffffffffffffff01"];
  const fields = readMessage(bytes(parts.join("")));
  assert.equal(fields.get(1), 150n);
  assert.equal(Buffer.from(fields.get(2) as Uint8Array).toString(), "hi");
  assert.equal(fields.get(6), -1n);
  assert.deepEqual([...fields.keys()], [1, 2, 6]);
});

test("readMessage: the last of several values counts", () => {
  assert.equal(readMessage(bytes("08010802")).get(1), 2n);
});

for (const [name, data] of [
  ["ends within a key", "80"],
  ["ends within a number", "0896"],
  ["ends within bytes", "120774"],
  ["claims more bytes than there are", "12ffffffffffffffffff01"],
  ["has a number of eleven bytes", "08ffffffffffffffffffff01"],
  ["has a group", "0b"],
] as const) {
  test(`readMessage: corrupt when it ${name}`, () =>
    assert.throws(() => readMessage(bytes(data)), { code: "corrupt" }));
}
