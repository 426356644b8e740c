// Addresses: text to number and back, networks by prefix.

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressText, macOf, networkText, parseCidr } from "./address.ts";
import { macBytes } from "./link.ts";

test("parseCidr: number and prefix", () => {
  assert.deepEqual(parseCidr("10.88.0.1/16"), { address: 0x0a580001, prefix: 16 });
  assert.deepEqual(parseCidr("255.255.255.255/30"), { address: 0xffffffff, prefix: 30 });
});

test("addressText: back again, also with the highest bit", () => {
  for (const text of ["0.0.0.0", "10.88.0.1", "192.168.255.254", "255.255.255.255"])
    assert.equal(addressText(parseCidr(`${text}/24`).address), text);
});

for (const [cidr, want] of [
  ["10.88.3.4/16", "10.88.0.0/16"],
  ["192.168.1.77/30", "192.168.1.76/30"],
  ["200.1.2.3/1", "128.0.0.0/1"],
] as const) {
  test(`networkText: ${want} for ${cidr}`, () => assert.equal(networkText(parseCidr(cidr)), want));
}

test("macBytes: six bytes", () => {
  assert.deepEqual([...macBytes("02:42:0a:58:00:fe")], [2, 0x42, 10, 0x58, 0, 254]);
});

test("macOf: follows the address", () => {
  assert.equal(macOf(0x0a5800fe), "02:42:0a:58:00:fe");
});
