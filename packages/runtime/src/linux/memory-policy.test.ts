import assert from "node:assert/strict";
import { test } from "node:test";
import { planMemoryPolicy } from "./memory-policy.ts";

test("planMemoryPolicy: none when there is none", () => assert.equal(planMemoryPolicy(undefined), null));

for (const [policy, want] of [
  [{ mode: "MPOL_DEFAULT" }, { mode: 0, nodes: [] }],
  [
    { mode: "MPOL_BIND", nodes: "0-1", flags: ["MPOL_F_STATIC_NODES"] },
    { mode: 2 | 0x8000, nodes: [0, 1] },
  ],
  [
    { mode: "MPOL_WEIGHTED_INTERLEAVE", nodes: "2", flags: ["MPOL_F_RELATIVE_NODES", "MPOL_F_NUMA_BALANCING"] },
    { mode: 6 | 0x4000 | 0x2000, nodes: [2] },
  ],
] as const)
  test(`planMemoryPolicy: ${policy.mode}`, () => assert.deepEqual(planMemoryPolicy(policy), want));

for (const [policy, subject] of [
  [{ mode: "MPOL_NEAR" }, "linux.memoryPolicy.mode"],
  [{ mode: "MPOL_BIND", nodes: "x" }, "linux.memoryPolicy.nodes"],
  [{ mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_MOVE"] }, "linux.memoryPolicy.flags[0]"],
] as const)
  test(`planMemoryPolicy: invalid ${subject}`, () =>
    assert.throws(() => planMemoryPolicy(policy), { code: "invalid", subject }));
