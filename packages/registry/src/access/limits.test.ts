import assert from "node:assert/strict";
import { test } from "node:test";

import { AttemptLimits, networkOf } from "./attempt-limits.ts";
import { callerAddress } from "./caller-address.ts";
import { RequestLimits } from "./request-limits.ts";

test("AttemptLimits: the wait doubles up to the longest, per user and per address; a right password forgives the user", () => {
  const limits = new AttemptLimits({ perUser: 2, perAddress: 4, longest: 4000 });
  const ann = { user: "ann", address: "10.0.0.1" };
  limits.failed(0, ann);
  assert.equal(limits.wait(0, ann), 0);
  const waits = [0, 1, 2].map(() => {
    limits.failed(0, ann);
    return limits.wait(0, ann);
  });
  assert.deepEqual(waits, [1000, 2000, 4000]);
  assert.equal(limits.wait(4000, ann), 0);
  assert.equal(limits.wait(-1e9, ann), 4000, "a clock that was set back locks nobody out for long");
  assert.equal(limits.wait(0, { user: "bob", address: "10.0.0.1" }), 1000, "the address");
  assert.equal(limits.wait(0, { user: "bob", address: "10.0.0.2" }), 0);
  limits.succeeded(ann);
  assert.equal(limits.wait(0, { user: "ann", address: "10.0.0.2" }), 0);
  assert.equal(limits.wait(0, ann), 1000);
});

test("RequestLimits: a bucket per address and per user, filled at the rate", () => {
  const limits = new RequestLimits({ perAddress: { rate: 2, burst: 2 }, perUser: { rate: 0.5, burst: 1 } });
  assert.deepEqual(
    [0, 0, 0].map((now) => limits.address(now, () => "1.2.3.4")),
    [0, 0, 1],
  );
  assert.equal(
    limits.address(500, () => "1.2.3.4"),
    0,
  );
  assert.equal(
    limits.address(0, () => "1.2.3.5"),
    0,
  );
  assert.deepEqual(
    [0, 0, 1000, 2000].map((now) => limits.user(now, "ann")),
    [0, 2, 1, 0],
  );
});

test("networkOf: one party's addresses are one", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["10.0.0.1", "10.0.0.1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
  ];
  for (const [address, network] of cases) assert.equal(networkOf(address), network);
});

test("callerAddress: what a trusted proxy says counts, and what anybody wrote before it does not", () => {
  const from = (forwarded: string | undefined, peer: string, trusted: string[]): string =>
    callerAddress(trusted)({
      headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded },
      socket: { remoteAddress: peer },
    });
  assert.equal(from("9.9.9.9", "10.0.0.1", []), "10.0.0.1");
  assert.equal(from("9.9.9.9", "::ffff:10.0.0.1", ["10.0.0.0/8"]), "9.9.9.9");
  assert.equal(from("1.1.1.1, 9.9.9.9, 10.0.0.7", "10.0.0.1", ["10.0.0.0/8"]), "9.9.9.9");
  assert.equal(from("9.9.9.9, nonsense", "10.0.0.1", ["10.0.0.0/8"]), "10.0.0.1");
  assert.equal(from(undefined, "10.0.0.1", ["10.0.0.1"]), "10.0.0.1");
  assert.equal(from("9.9.9.9", "11.0.0.1", ["10.0.0.0/8"]), "11.0.0.1");
  for (const wrong of ["x", "10.0.0.0/33", "10.0.0.0/8/8", "::/129"])
    assert.throws(() => callerAddress([wrong]), { code: "invalid" }, wrong);
});
