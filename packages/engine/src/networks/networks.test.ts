import assert from "node:assert/strict";
import { test } from "node:test";

import { chooseSubnet, containerRange, parseRoutes } from "./choose-subnet.ts";
import { formatIpv4, formatSubnet, macOf, overlap, parseIpv4, parseSubnet } from "./ipv4.ts";

test("parseIpv4, formatIpv4: each other's inverse; invalid refused", () => {
  for (const text of ["0.0.0.0", "10.88.0.1", "192.168.1.255", "255.255.255.255"])
    assert.equal(formatIpv4(parseIpv4(text)), text);
  for (const text of ["", "1.2.3", "1.2.3.256", "1.2.3.4.5", "a.b.c.d", "1.2.3.-4"])
    assert.throws(() => parseIpv4(text), { code: "invalid" }, text);
  assert.equal(macOf(parseIpv4("10.88.0.2")), "02:42:0a:58:00:02");
});

test("overlap: networks inside, equal, beside", () => {
  const cases = [
    ["10.0.0.0/8", "10.88.0.0/16", true],
    ["10.88.0.0/16", "10.88.0.0/16", true],
    ["10.88.0.0/16", "10.89.0.0/16", false],
    ["0.0.0.0/0", "1.2.3.4/32", true],
  ] as const;
  for (const [a, b, want] of cases) assert.equal(overlap(parseSubnet(a), parseSubnet(b)), want, `${a} ${b}`);
});

test("parseRoutes: the kernel's little-endian hex, default route left out", () => {
  const text =
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n" +
    "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
  assert.deepEqual(parseRoutes(text).map(formatSubnet), ["172.17.0.0/16"]);
});

test("chooseSubnet: keeps out of every route; exhausted when all are taken", () => {
  assert.equal(formatSubnet(chooseSubnet([])), "10.88.0.0/16");
  assert.equal(formatSubnet(chooseSubnet([parseSubnet("10.88.3.0/24")])), "10.89.0.0/16");
  assert.equal(formatSubnet(chooseSubnet([parseSubnet("10.0.0.0/8")])), "172.25.0.0/16");
  assert.throws(() => chooseSubnet([parseSubnet("0.0.0.0/1"), parseSubnet("128.0.0.0/1")]), { code: "exhausted" });
  assert.deepEqual(containerRange("10.88.0.0/24"), { first: parseIpv4("10.88.0.2"), last: parseIpv4("10.88.0.254") });
});
