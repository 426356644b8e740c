import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "@teu/sys/fake/inode";
import { type Message, decodeMessage, encodeMessage, messageLength, splitSignature } from "./wire.ts";

/** A call of Hello as dbus-send and every other client put it: fields in order of their codes, each padded to 8 bytes. */
const HELLO =
  "6c01000100000000010000006d00000001016f00150000002f6f72672f667265656465736b746f702f444275730000000201730014000000" +
  "6f72672e667265656465736b746f702e4442757300000000030173000500000048656c6c6f00000006017300140000006f72672e66726565" +
  "6465736b746f702e4442757300000000";

test("encodeMessage: a call of Hello, byte by byte", () => {
  const bytes = encodeMessage(
    {
      type: "call",
      serial: 1,
      path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus",
      member: "Hello",
      destination: "org.freedesktop.DBus",
      body: [],
    },
    encode,
  );
  assert.equal(Buffer.from(bytes).toString("hex"), HELLO);
  assert.equal(messageLength(bytes), bytes.length);
});

const BODIES: readonly (readonly [string, Message["body"]])[] = [
  ["", []],
  ["ybnqiuxtd", [255, true, -2, 65535, -7, 4294967295, -1n, 2n ** 64n - 1n, 1.5]],
  ["sog", ["grüße", "/a/b", "a(sv)"]],
  ["as", [["a", "bc", ""]]],
  ["at", [[]]],
  ["a{sv}", [[["k", { signature: "au", value: [1, 2] }]]]],
  [
    "ssa(sv)a(sa(sv))",
    [
      "x.scope",
      "replace",
      [
        ["Delegate", { signature: "b", value: true }],
        ["DeviceAllow", { signature: "a(ss)", value: [["/dev/char/1:3", "rwm"]] }],
      ],
      [],
    ],
  ],
  ["yay", [1, [1, 2, 3]]],
];
for (const [signature, body] of BODIES) {
  test(`wire: what was written is read, ${JSON.stringify(signature)}`, () => {
    const message: Message = {
      type: "return",
      serial: 9,
      replySerial: 7,
      ...(signature === "" ? {} : { signature }),
      body,
    };
    const bytes = encodeMessage(message, encode);
    assert.deepEqual(decodeMessage(bytes, decode), message);
    for (let length = 0; length < 16; length++) assert.equal(messageLength(bytes.slice(0, length)), null);
  });
}

test("decodeMessage: corrupt for whatever is cut off or no message, and nothing else", () => {
  const whole = encodeMessage(
    { type: "signal", serial: 1, path: "/x", member: "M", signature: "as", body: [["a"]] },
    encode,
  );
  for (let at = 0; at < whole.length; at++) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const broken = whole.slice();
      broken[at] = value;
      try {
        decodeMessage(broken, (data) => Buffer.from(data).toString("utf8"));
      } catch (error) {
        assert.equal((error as { code?: string }).code, "corrupt", `byte ${at} is ${value}: ${String(error)}`);
      }
    }
  }
});

test("messageLength: corrupt for a wrong byte order and for more than a megabyte", () => {
  assert.throws(() => messageLength(new Uint8Array(16)), { code: "corrupt" });
  const huge = new Uint8Array([0x6c, 1, 0, 1, 0, 0, 0, 0x7f, 1, 0, 0, 0, 0, 0, 0, 0]);
  assert.throws(() => messageLength(huge), { code: "corrupt" });
});

test("splitSignature: complete types", () => {
  assert.deepEqual(splitSignature("sa(sa(sv))ua{s(ii)}"), ["s", "a(sa(sv))", "u", "a{s(ii)}"]);
  for (const bad of ["(", "a", "{s", "z", "a("]) assert.throws(() => splitSignature(bad), { code: "corrupt" });
});
