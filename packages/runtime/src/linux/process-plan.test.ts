import assert from "node:assert/strict";
import { test } from "node:test";
import type { Linux, Process } from "@teu/specs/runtime";
import { planProcess } from "./process-plan.ts";

const REFUSED: readonly (readonly [string, Partial<Process>, Linux, string])[] = [
  [
    "an I/O priority above 7",
    { ioPriority: { class: "IOPRIO_CLASS_BE", priority: 8 } },
    {},
    "process.ioPriority.priority",
  ],
  ["a nice value above 19", { scheduler: { policy: "SCHED_OTHER", nice: 20 } }, {}, "process.scheduler.nice"],
  [
    "a priority without realtime",
    { scheduler: { policy: "SCHED_BATCH", priority: 1 } },
    {},
    "process.scheduler.priority",
  ],
  [
    "times without a deadline",
    { scheduler: { policy: "SCHED_FIFO", priority: 1, runtime: 5 } },
    {},
    "process.scheduler",
  ],
  ["flags of the personality", {}, { personality: { domain: "LINUX", flags: ["X"] } }, "linux.personality.flags"],
  ["a list of CPUs that is none", { execCPUAffinity: { final: "x" } }, {}, "process.execCPUAffinity.final"],
];
for (const [name, process, linux, subject] of REFUSED)
  test(`planProcess: invalid for ${name}`, () =>
    assert.throws(() => planProcess({ cwd: "/", ...process }, linux, "process"), { code: "invalid", subject }));

test("planProcess: an unknown scheduler flag is invalid, a known one is not", () => {
  const plan = (flag: string) =>
    planProcess({ cwd: "/", scheduler: { policy: "SCHED_OTHER", flags: [flag] } }, {}, "process");
  assert.throws(() => plan("SCHED_FLAG_NOPE"), { code: "invalid", subject: "process.scheduler.flags[0]" });
  assert.deepEqual(plan("SCHED_FLAG_RESET_ON_FORK").scheduler?.flags, ["SCHED_FLAG_RESET_ON_FORK"]);
});
