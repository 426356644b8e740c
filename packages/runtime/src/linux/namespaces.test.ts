import assert from "node:assert/strict";
import { test } from "node:test";
import type { Linux, Spec } from "@teu/specs/runtime";
import { CLONE_NEWNS, CLONE_NEWPID } from "@teu/sys/constants/process";
import { planNamespaces } from "./namespaces.ts";
import { planSysctl } from "./sysctl.ts";

const spec = (linux: Linux, more: Partial<Spec> = {}): Spec => ({ ociVersion: "1.3.0", linux, ...more });
const MOUNT = { type: "mount" } as const;

test("planNamespaces: new ones in one clone; cgroup and time apart; mount joined last", () => {
  const plan = planNamespaces(
    spec({
      namespaces: [
        { type: "mount", path: "/m" },
        { type: "pid" },
        { type: "cgroup" },
        { type: "time" },
        { type: "network", path: "/n" },
      ],
    }),
  );
  assert.equal(plan.cloneFlags, CLONE_NEWPID);
  assert.deepEqual(
    plan.joinsInside.map(({ type }) => type),
    ["network", "mount"],
  );
  assert.deepEqual([plan.newCgroup, plan.newTime, plan.newUser], [true, true, false]);
});

test("planNamespaces: pid joined by path is entered before the clone", () => {
  const plan = planNamespaces(spec({ namespaces: [MOUNT, { type: "pid", path: "/p" }] }));
  assert.equal(plan.cloneFlags, CLONE_NEWNS);
  assert.deepEqual(plan.joinsBefore, [{ type: "pid", path: "/p" }]);
});

test("planNamespaces: without one for mounts the root is made in one that is left again", () => {
  const plan = planNamespaces(spec({ namespaces: [{ type: "pid" }] }));
  assert.deepEqual([plan.cloneFlags, plan.hostMount, plan.has.has("mount")], [CLONE_NEWNS | CLONE_NEWPID, true, false]);
  assert.equal(planNamespaces(spec({ namespaces: [{ type: "mount", path: "/m" }] })).hostMount, false);
});

const REFUSED: readonly (readonly [string, Spec, RegExp])[] = [
  ["a double", spec({ namespaces: [MOUNT, MOUNT] }), /twice/],
  [
    "user without mount",
    spec({
      namespaces: [{ type: "user" }],
      uidMappings: [{ containerID: 0, hostID: 0, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: 0, size: 1 }],
    }),
    /there must be one for mounts/,
  ],
  ["a relative path", spec({ namespaces: [MOUNT, { type: "ipc", path: "x" }] }), /absolute/],
  ["a hostname without uts", spec({ namespaces: [MOUNT] }, { hostname: "h" }), /private UTS namespace/],
  [
    "mappings without user",
    spec({ namespaces: [MOUNT], uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] }),
    /no user namespace/,
  ],
  ["user without mappings", spec({ namespaces: [MOUNT, { type: "user" }] }), /needs uidMappings/],
  ["offsets without time", spec({ namespaces: [MOUNT], timeOffsets: { monotonic: { secs: 1 } } }), /time namespace/],
];
for (const [name, input, text] of REFUSED) {
  test(`planNamespaces: refused: ${name}`, () => assert.throws(() => planNamespaces(input), text));
}

const SYSCTLS: readonly (readonly [string, Linux["namespaces"], string | null])[] = [
  ["net.ipv4.ip_forward", [MOUNT, { type: "network" }], "net/ipv4/ip_forward"],
  ["net/ipv4/conf/eth0.1/forwarding", [MOUNT, { type: "network" }], "net/ipv4/conf/eth0.1/forwarding"],
  ["net.ipv4.conf.eth0/1.forwarding", [MOUNT, { type: "network" }], "net/ipv4/conf/eth0.1/forwarding"],
  ["net.ipv4.ip_forward", [MOUNT], null],
  ["kernel.shmmax", [MOUNT, { type: "ipc" }], "kernel/shmmax"],
  ["kernel.shmmax", [MOUNT], null],
  ["kernel.core_pattern", [MOUNT, { type: "ipc" }], null],
  ["net/../kernel/core_pattern", [MOUNT, { type: "network" }], null],
  ["vm.swappiness", [MOUNT], null],
];
for (const [key, namespaces, want] of SYSCTLS) {
  test(`planSysctl: ${want === null ? "refused" : "accepted"}: ${key} with ${(namespaces ?? []).map(({ type }) => type).join()}`, () => {
    const input = spec({ namespaces: namespaces ?? [], sysctl: { [key]: "1" } });
    const act = () => planSysctl(input, planNamespaces(input));
    if (want === null) assert.throws(act, { code: "invalid" });
    else assert.deepEqual(act(), [{ path: want, value: "1", namespace: namespaces?.at(-1)?.type }]);
  });
}
