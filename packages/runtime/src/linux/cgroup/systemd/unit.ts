// Which systemd unit a container becomes: its name and place from linux.cgroupsPath ("slice:prefix:name"), its properties from the
// limits. Pure. systemd makes and guards the cgroup; the limits are also properties so that systemd does not undo them.
// portable: no host types here.

import type { LinuxResources } from "@teu/specs/runtime";
import { invalidConfig } from "../../../failure.ts";
import { type AccessRule, deviceRules, isBlanket } from "../device-rules.ts";
import { cpuWeight } from "../resources-unified.ts";
import type { Value, Variant } from "./wire.ts";

/** A unit to start. */
export interface UnitPlan {
  /** "runc-ID.scope" */
  readonly name: string;
  /** "system.slice" */
  readonly slice: string;
  /** Of its cgroup, counted from the manager's own: "/system.slice/runc-ID.scope". */
  readonly path: string;
  /** Of the limits and of annotations. */
  readonly properties: readonly Property[];
  readonly user: boolean;
}

/** What is known of the manager. */
export interface ManagerFacts {
  /** The caller's own, not the system's. */
  readonly user: boolean;
  /** Its cgroup: "" for the system's. */
  readonly base: string;
}

/** Name and value. */
export type Property = readonly [string, Variant];

const INFINITE = 2n ** 64n - 1n;
const MICROSECONDS = 1_000_000;
/** systemd rounds a quota to this many microseconds a second. */
const QUOTA_STEP = 10_000;

/** Decides. Throws TeuError `invalid`. */
export function planUnit(
  cgroupsPath: string,
  id: string,
  { user }: ManagerFacts,
  unified: boolean,
  resources: LinuxResources,
  annotations: Readonly<Record<string, string>> | undefined,
): UnitPlan {
  const parts = cgroupsPath === "" ? ["", "runc", id] : cgroupsPath.split(":");
  const [given = "", prefix = "", name = ""] = parts;
  if (parts.length !== 3 || !/^[A-Za-z0-9:_.\\@-]+$/.test(name) || !/^[A-Za-z0-9:_.\\@-]*$/.test(prefix))
    throw invalidConfig(
      "linux.cgroupsPath",
      `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got ${JSON.stringify(cgroupsPath)} instead`,
    );
  const slice = given === "" ? (user ? "user.slice" : "system.slice") : given;
  const unit = name.endsWith(".slice") ? name : `${prefix === "" ? "" : `${prefix}-`}${name}.scope`;
  return {
    name: unit,
    user,
    slice,
    path: name.endsWith(".slice") ? slicePath(unit) : `${slicePath(slice)}/${unit}`,
    properties: [
      ...limitProperties(resources, unified),
      ...(user ? [] : deviceProperties(resources)),
      ...annotationProperties(annotations ?? {}),
    ],
  };
}

/** The cgroup of a slice: every dash in its name is a level (systemd.slice(5)). */
export function slicePath(slice: string): string {
  if (slice === "-.slice") return "";
  const stem = slice.slice(0, -".slice".length);
  if (!slice.endsWith(".slice") || !/^[A-Za-z0-9:_.\\@]+(?:-[A-Za-z0-9:_.\\@]+)*$/.test(stem))
    throw invalidConfig("linux.cgroupsPath", `invalid slice name: ${slice}`);
  const names = stem.split("-");
  return names.map((_, index) => `/${names.slice(0, index + 1).join("-")}.slice`).join("");
}

const number64 = (value: bigint | number): Variant => ({ signature: "t", value: BigInt(value) });

/** Those of limits; also what `update` changes. */
export function limitProperties(resources: LinuxResources, unified: boolean): Property[] {
  const out: Property[] = [];
  const add = (name: string, value: number | undefined, zeroCounts = false): void => {
    if (value !== undefined && (value !== 0 || zeroCounts)) out.push([name, number64(value < 0 ? INFINITE : value)]);
  };
  const { memory = {}, cpu = {}, pids = {}, blockIO = {} } = resources;
  add(unified ? "MemoryMax" : "MemoryLimit", memory.limit);
  if (unified) {
    add("MemoryLow", memory.reservation);
    if (memory.swap !== undefined && memory.swap !== 0)
      add("MemorySwapMax", memory.swap < 0 ? -1 : memory.swap - (memory.limit ?? 0), true);
    if (cpu.shares !== undefined && cpu.shares !== 0) add("CPUWeight", cpuWeight(cpu.shares));
    if (cpu.cpus !== undefined && cpu.cpus !== "") out.push(["AllowedCPUs", bitmask(cpu.cpus)]);
    if (cpu.mems !== undefined && cpu.mems !== "") out.push(["AllowedMemoryNodes", bitmask(cpu.mems)]);
  } else {
    add("CPUShares", cpu.shares);
    add("BlockIOWeight", blockIO.weight);
  }
  if (cpu.quota !== undefined && cpu.quota !== 0) {
    const period = cpu.period === undefined || cpu.period === 0 ? 100_000 : cpu.period;
    if (unified && cpu.period !== undefined && cpu.period !== 0) add("CPUQuotaPeriodUSec", cpu.period);
    const perSecond = Math.ceil((cpu.quota * MICROSECONDS) / period / QUOTA_STEP) * QUOTA_STEP;
    add("CPUQuotaPerSecUSec", cpu.quota < 0 ? -1 : perSecond);
  }
  add("TasksMax", pids.limit, true);
  return out;
}

/** "0-2,9" as little-endian bits, systemd's form of a set. */
function bitmask(list: string): Variant {
  const bytes: number[] = [];
  for (const part of list.split(",")) {
    const [first = 0, last = first] = part.split("-").map(Number);
    for (let bit = first; bit <= last && bit < 8192; bit++) {
      while (bytes.length <= bit >> 3) bytes.push(0);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
    }
  }
  return { signature: "ay", value: bytes };
}

/** v1's list would be reset by a reload of systemd if it did not know it, and v2's program has systemd's beside it. */
function deviceProperties(resources: LinuxResources): Property[] {
  const rules = deviceRules(resources.devices ?? []);
  const last = rules.at(-1);
  if (last !== undefined && last.allow && isBlanket(last)) return [["DevicePolicy", { signature: "s", value: "auto" }]];
  const allowed = rules.filter((rule) => rule.allow).flatMap(deviceEntry);
  return [
    ["DevicePolicy", { signature: "s", value: "strict" }],
    ["DeviceAllow", { signature: "a(ss)", value: allowed }],
  ];
}

/** Majors that systemd knows by a group's name of /proc/devices only. */
const GROUPS: Readonly<Record<number, string>> = { 136: "pts" };

function deviceEntry(rule: AccessRule): Value[] {
  const kind = rule.type === "b" ? "block" : "char";
  if (rule.type === "a")
    return [
      ["char-*", rule.access],
      ["block-*", rule.access],
    ];
  if (rule.major < 0) return [[`${kind}-*`, rule.access]];
  if (rule.minor >= 0) return [[`/dev/${kind}/${rule.major}:${rule.minor}`, rule.access]];
  return [[`${kind}-${GROUPS[rule.major] ?? rule.major}`, rule.access]];
}

const ANNOTATION = "org.systemd.property.";

/** "org.systemd.property.NAME": VALUE, in the text form of GVariant, as runc and crun take it. */
function annotationProperties(annotations: Readonly<Record<string, string>>): Property[] {
  return Object.entries(annotations).flatMap(([key, text]): Property[] => {
    if (!key.startsWith(ANNOTATION)) return [];
    const name = key.slice(ANNOTATION.length);
    const value = parseVariant(text.trim());
    if (!/^[A-Za-z]{3,}$/.test(name) || value === null)
      throw invalidConfig(`annotations[${JSON.stringify(key)}]`, `${JSON.stringify(text)} is no value of a property`);
    // "...Sec" in seconds is "...USec" on the bus.
    if (name.endsWith("Sec") && !name.endsWith("USec") && typeof value.value === "number")
      return [[`${name.slice(0, -"Sec".length)}USec`, number64(value.value * MICROSECONDS)]];
    return [[name, value]];
  });
}

function parseVariant(text: string): Variant | null {
  if (text === "true" || text === "false") return { signature: "b", value: text === "true" };
  const string = /^(['"])((?:(?!\1)[^\\])*)\1$/.exec(text);
  if (string !== null) return { signature: "s", value: string[2] ?? "" };
  if (/^\[.*\]$/.test(text)) {
    const items = text
      .slice(1, -1)
      .split(",")
      .map((item) => parseVariant(item.trim()));
    return items.every((item) => item?.signature === "s")
      ? { signature: "as", value: items.map((item) => item?.value ?? "") }
      : null;
  }
  const typed = /^(?:(byte|int32|uint32|int64|uint64|double) )?(-?\d+(?:\.\d+)?)$/.exec(text);
  if (typed === null) return null;
  const [, type = "int32", digits = "0"] = typed;
  const signature = { byte: "y", int32: "i", uint32: "u", int64: "x", uint64: "t", double: "d" }[type] ?? "i";
  if (digits.includes(".") && signature !== "d") return null;
  return { signature, value: signature === "x" || signature === "t" ? BigInt(digits) : Number(digits) };
}
