// Starts, changes and stops the systemd unit of a container. What it is to be is decided in unit.ts.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import type { Kernel } from "@teu/sys/kernel";
import { SystemdBus, busErrorName } from "./bus.ts";
import type { Property, UnitPlan } from "./unit.ts";
import type { Value, Variant } from "./wire.ts";

const EXISTS = "org.freedesktop.systemd1.UnitExists";
const GONE = "org.freedesktop.systemd1.NoSuchUnit";

/** The unit of a container, as the state file remembers it. */
export interface UnitRecord {
  readonly name: string;
  /** Of the caller's own manager. */
  readonly user: boolean;
}

const flag: Variant = { signature: "b", value: true };

/** Starts the unit with `pid` in it and waits until systemd has made its cgroup. Throws TeuError. */
export function startUnit(bus: SystemdBus, plan: UnitPlan, pid: number): void {
  const properties: Property[] = [
    ["Description", { signature: "s", value: `container ${plan.name}` }],
    plan.name.endsWith(".slice")
      ? ["Wants", { signature: "as", value: [plan.slice] }]
      : ["Slice", { signature: "s", value: plan.slice }],
    // The rest of the cgroup's tree is the container's: systemd keeps its hands off.
    ["Delegate", flag],
    ["PIDs", { signature: "au", value: [pid] }],
    ["MemoryAccounting", flag],
    ["CPUAccounting", flag],
    ["TasksAccounting", flag],
    ["DefaultDependencies", { signature: "b", value: false }],
    ...plan.properties,
  ];
  bus.manager("Subscribe");
  const body: Value[] = [plan.name, "replace", properties, []];
  const start = (): readonly Value[] => bus.manager("StartTransientUnit", "ssa(sv)a(sa(sv))", body);
  let answer: readonly Value[];
  try {
    answer = start();
  } catch (error) {
    if (busErrorName(error) !== EXISTS) throw error;
    // What is left of one that failed; one that runs cannot be reset and fails again.
    bus.manager("ResetFailedUnit", "s", [plan.name]);
    answer = start();
  }
  const result = bus.jobResult(answer[0] as string);
  if (result !== "done")
    throw new TeuError({
      code: "internal",
      op: "start systemd unit",
      subject: plan.name,
      message: `its job ended as ${JSON.stringify(result)}`,
    });
}

/** Changes limits of a running unit, until the next reboot. */
export function changeUnit(kernel: Kernel, unit: UnitRecord, properties: readonly Property[]): void {
  if (properties.length === 0) return;
  withBus(kernel, unit, (bus) => void bus.manager("SetUnitProperties", "sba(sv)", [unit.name, true, properties]));
}

/** Stops it with all its processes, and forgets it when it had failed. One that is gone is fine. */
export function stopUnit(kernel: Kernel, unit: UnitRecord): void {
  withBus(kernel, unit, (bus) => {
    bus.manager("Subscribe");
    try {
      const [job] = bus.manager("StopUnit", "ss", [unit.name, "replace"]);
      bus.jobResult(job as string);
      bus.manager("ResetFailedUnit", "s", [unit.name]);
    } catch (error) {
      if (busErrorName(error) !== GONE) throw error;
    }
  });
}

function withBus(kernel: Kernel, unit: UnitRecord, act: (bus: SystemdBus) => void): void {
  const bus = SystemdBus.connect(kernel, unit.user);
  try {
    act(bus);
  } finally {
    bus.close();
  }
}
