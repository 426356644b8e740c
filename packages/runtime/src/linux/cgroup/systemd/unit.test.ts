import assert from "node:assert/strict";
import { test } from "node:test";
import { limitProperties, planUnit, slicePath } from "./unit.ts";

const SYSTEM = { user: false, base: "" };
const USER = { user: true, base: "/user.slice/user-7.slice/user@7.service" };

const PATHS: readonly (readonly [string, boolean, string, string])[] = [
  ["", false, "runc-c1.scope", "/system.slice/runc-c1.scope"],
  ["", true, "runc-c1.scope", "/user.slice/runc-c1.scope"],
  ["machine.slice:libpod:abc", false, "libpod-abc.scope", "/machine.slice/libpod-abc.scope"],
  [":cri:abc", false, "cri-abc.scope", "/system.slice/cri-abc.scope"],
  ["a-b-c.slice:p:n", false, "p-n.scope", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope"],
  ["-.slice::n", false, "n.scope", "/n.scope"],
  ["x.slice:p:own.slice", false, "own.slice", "/own.slice"],
];
for (const [path, user, name, cgroup] of PATHS) {
  test(`planUnit: ${JSON.stringify(path)} of ${user ? "a user" : "the system"} is ${cgroup}`, () => {
    const unit = planUnit(path, "c1", user ? USER : SYSTEM, true, {}, undefined);
    assert.deepEqual([unit.name, unit.path], [name, cgroup]);
  });
}

for (const path of [
  "/a/b",
  "a:b",
  "a.slice:b:c:d",
  "x.slice:p:../n",
  "x.slice:p/q:n",
  "noslice:p:n",
  "a--b.slice:p:n",
  "x.slice:p:",
]) {
  test(`planUnit: invalid for ${JSON.stringify(path)}`, () =>
    assert.throws(() => planUnit(path, "c1", SYSTEM, true, {}, undefined), { code: "invalid" }));
}

test("slicePath: invalid for what systemd would not take", () => {
  for (const slice of ["", ".slice", "a/b.slice", "-a.slice", "a-.slice", "a"])
    assert.throws(() => slicePath(slice), { code: "invalid" }, slice);
});

const plain = (resources: Parameters<typeof limitProperties>[0], unified: boolean): Record<string, unknown> =>
  Object.fromEntries(limitProperties(resources, unified).map(([name, { value }]) => [name, value]));

test("limitProperties: v2", () => {
  assert.deepEqual(
    plain(
      {
        memory: { limit: 1000, reservation: 500, swap: 1500 },
        cpu: { shares: 1024, quota: 25_000, period: 50_000, cpus: "0-2,9", mems: "0" },
        pids: { limit: 20 },
      },
      true,
    ),
    {
      MemoryMax: 1000n,
      MemoryLow: 500n,
      MemorySwapMax: 500n,
      CPUWeight: 100n,
      AllowedCPUs: [7, 2],
      AllowedMemoryNodes: [1],
      CPUQuotaPeriodUSec: 50_000n,
      CPUQuotaPerSecUSec: 500_000n,
      TasksMax: 20n,
    },
  );
});

test("limitProperties: v1, no limit is infinity, and nothing for what was not asked", () => {
  const infinity = 2n ** 64n - 1n;
  assert.deepEqual(plain({ memory: { limit: -1 }, cpu: { shares: 512, quota: -1 }, blockIO: { weight: 300 } }, false), {
    MemoryLimit: infinity,
    CPUShares: 512n,
    BlockIOWeight: 300n,
    CPUQuotaPerSecUSec: infinity,
  });
  assert.deepEqual(plain({}, false), {});
});

test("planUnit: devices for systemd's own list; none for a user, who may not", () => {
  const resources = {
    devices: [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, access: "rw" },
    ],
  } as const;
  const named = (user: boolean): Record<string, unknown> =>
    Object.fromEntries(
      planUnit("", "c1", user ? USER : SYSTEM, true, resources, undefined).properties.map(([k, v]) => [k, v.value]),
    );
  const allowed = named(false)["DeviceAllow"] as readonly (readonly string[])[];
  assert.deepEqual(allowed[0], ["char-10", "rw"]);
  assert.ok(allowed.some(([path, access]) => path === "/dev/char/1:3" && access === "rwm"));
  assert.ok(allowed.some(([path]) => path === "char-pts"));
  assert.equal(named(false)["DevicePolicy"], "strict");
  assert.equal(named(true)["DevicePolicy"], undefined);
});

test("planUnit: org.systemd.property annotations become properties", () => {
  const { properties } = planUnit(
    "",
    "c1",
    USER,
    true,
    {},
    {
      "org.systemd.property.TimeoutStopSec": "90",
      "org.systemd.property.CollectMode": "'inactive-or-failed'",
      "org.systemd.property.After": '["a.service", "b.service"]',
      "org.systemd.property.IOWeight": "uint64 500",
      "org.systemd.property.SendSIGHUP": "true",
      "other.annotation": "(",
    },
  );
  assert.deepEqual(properties, [
    ["TimeoutStopUSec", { signature: "t", value: 90_000_000n }],
    ["CollectMode", { signature: "s", value: "inactive-or-failed" }],
    ["After", { signature: "as", value: ["a.service", "b.service"] }],
    ["IOWeight", { signature: "t", value: 500n }],
    ["SendSIGHUP", { signature: "b", value: true }],
  ]);
});

for (const [name, text] of [
  ["X", "1"],
  ["a.b", "1"],
  ["Description", "bare"],
  ["Description", "[1]"],
  ["Description", "'a"],
  ["Weight", "1.5"],
]) {
  test(`planUnit: invalid for the property ${name} ${text}`, () =>
    assert.throws(() => planUnit("", "c1", SYSTEM, true, {}, { [`org.systemd.property.${name}`]: text ?? "" }), {
      code: "invalid",
    }));
}
