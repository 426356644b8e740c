import assert from "node:assert/strict";
import { test } from "node:test";

import { Database } from "./database.ts";
import { allocateAddress, ensureNetwork, listPorts, networkHolders, releaseNetwork, takePort } from "./network-rows.ts";

function opened(): Database {
  const db = Database.open(":memory:");
  ensureNetwork(db, { name: "n", bridge: "b0", subnet: "10.0.0.0/24", gateway: "10.0.0.1" });
  return db;
}

test("allocateAddress: each container its own, the same one again when asked twice", () => {
  using db = opened();
  const range = { first: 2, last: 5 };
  assert.equal(allocateAddress(db, "n", range, "a"), 2);
  assert.equal(allocateAddress(db, "n", range, "b"), 3);
  assert.equal(allocateAddress(db, "n", range, "a"), 2);
});

test("allocateAddress: goes on behind the last one before it gives a released one again", () => {
  using db = opened();
  const range = { first: 2, last: 4 };
  allocateAddress(db, "n", range, "a");
  releaseNetwork(db, "a");
  assert.equal(allocateAddress(db, "n", range, "b"), 3);
  assert.equal(allocateAddress(db, "n", range, "c"), 4);
  assert.equal(allocateAddress(db, "n", range, "d"), 2);
});

test("allocateAddress: exhausted when all are taken, and finds the only hole", () => {
  using db = opened();
  const range = { first: 2, last: 40 };
  for (let index = 2; index <= 40; index++) allocateAddress(db, "n", range, `c${index}`);
  assert.throws(() => allocateAddress(db, "n", range, "late"), { code: "exhausted" });
  releaseNetwork(db, "c17");
  assert.equal(allocateAddress(db, "n", range, "late"), 17);
  assert.equal(networkHolders(db).length, 39);
});

test("takePort: refuses what another container has, 0.0.0.0 meeting every address", () => {
  using db = opened();
  const port = { hostIp: "127.0.0.1", hostPort: 8080, containerPort: 80, protocol: "tcp" } as const;
  const cases = [
    { name: "first", port, want: true },
    { name: "same", port, want: false },
    { name: "any address", port: { ...port, hostIp: "0.0.0.0" }, want: false },
    { name: "other address", port: { ...port, hostIp: "127.0.0.2" }, want: true },
    { name: "other protocol", port: { ...port, protocol: "udp" as const }, want: true },
    { name: "other port", port: { ...port, hostPort: 8081, hostIp: "0.0.0.0" }, want: true },
    { name: "below any address", port: { ...port, hostPort: 8081 }, want: false },
  ];
  for (const one of cases) assert.equal(takePort(db, one.name, one.port), one.want, one.name);
  assert.deepEqual(listPorts(db, "first").get("first"), [port]);
  releaseNetwork(db, "first");
  assert.equal(takePort(db, "again", port), true);
});
