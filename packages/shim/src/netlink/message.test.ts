// Netlink bytes: round trips against known layouts, and hostile lengths.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import {
  attribute,
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  nested,
  numberAttribute,
  numberValue,
  textAttribute,
  textValue,
} from "./message.ts";

test("encodeMessage: header as netlink(7) draws it", () => {
  const bytes = encodeMessage({ type: 16, flags: 5, sequence: 7, payload: Uint8Array.of(1, 2, 3, 4) });
  assert.deepEqual([...bytes], [20, 0, 0, 0, 16, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
});

test("decodeMessages: several in one datagram, padding skipped", () => {
  const one = encodeMessage({ type: 1, flags: 0, sequence: 1, payload: Uint8Array.of(9) });
  const two = encodeMessage({ type: 2, flags: 0, sequence: 2, payload: Uint8Array.of() });
  const all = new Uint8Array(20 + 16);
  all.set(one);
  all.set(two, 20);
  assert.deepEqual(
    decodeMessages(all).map((message) => [message.type, message.payload.length]),
    [
      [1, 1],
      [2, 0],
    ],
  );
});

test("attribute: length, type, value, padding", () => {
  assert.deepEqual([...attribute(3, Uint8Array.of(65))], [5, 0, 3, 0, 65, 0, 0, 0]);
  assert.deepEqual([...textAttribute(3, "lo")], [7, 0, 3, 0, 108, 111, 0, 0]);
  assert.deepEqual([...numberAttribute(10, 258)], [8, 0, 10, 0, 2, 1, 0, 0]);
});

test("decodeAttributes: what was encoded, nested too, flags of the type masked", () => {
  const bytes = nested(18, textAttribute(1, "veth"), nested(0x8002, numberAttribute(5, 42)));
  const inner = decodeAttributes(decodeAttributes(bytes).get(18) ?? new Uint8Array());
  assert.equal(textValue(inner.get(1)), "veth");
  assert.equal(numberValue(decodeAttributes(inner.get(2) ?? new Uint8Array()).get(5)), 42);
});

// CVE-2021-43784: a 16-bit length that wraps lets a value run on as further attributes.
test("attribute: invalid when the value does not fit 16 bits", () => {
  assert.throws(
    () => attribute(1, new Uint8Array(65_536)),
    (error) => isTeuError(error, "invalid"),
  );
});

for (const [name, bytes] of [
  ["shorter than its header", [15, 0, 0, 0]],
  ["a length of zero", Array<number>(16).fill(0)],
  ["a length beyond the datagram", [200, ...Array<number>(15).fill(0)]],
] as const) {
  test(`decodeMessages: corrupt when a message has ${name}`, () => {
    assert.throws(
      () => decodeMessages(Uint8Array.from(bytes)),
      (error) => isTeuError(error, "corrupt"),
    );
  });
}

for (const bytes of [
  [3, 0, 1, 0],
  [0, 0, 1, 0],
  [255, 255, 1, 0, 0, 0],
]) {
  test(`decodeAttributes: corrupt when the bytes are ${bytes.join(" ")}`, () => {
    assert.throws(
      () => decodeAttributes(Uint8Array.from(bytes)),
      (error) => isTeuError(error, "corrupt"),
    );
  });
}
