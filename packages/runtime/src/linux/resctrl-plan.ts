// linux.intelRdt (runtime-spec, "IntelRdt"; kernel Documentation/filesystems/resctrl.rst): which class of service, with which
// schemata, and whether it is monitored. Pure.
// portable: no host types here.

import type { TeuError } from "@teu/base/errors";
import type { IntelRdt } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";

/** The decision for one container. */
export interface ResctrlPlan {
  /** The directory of the class below the mount; "" is the root class. */
  readonly group: string;
  /** Must be there already: named, and nothing says what it should hold. */
  readonly mustExist: boolean;
  /** What a class that is there already must hold: lines of l3CacheSchema and memBwSchema. */
  readonly expected: readonly string[];
  /** Lines to write, in order. */
  readonly schemata: readonly string[];
  /** A monitoring group of its own, called as the container. */
  readonly monitor: string | null;
}

/** Reads it; null when there is none. Throws TeuError `invalid`. */
export function planResctrl(rdt: IntelRdt | undefined, id: string): ResctrlPlan | null {
  if (rdt === undefined) return null;
  const { closID = "", l3CacheSchema = "", memBwSchema = "", schemata = [], enableMonitoring = false } = rdt;
  // "info", "mon_data" and "mon_groups" are the kernel's own directories.
  if (closID !== "/" && (/[/\n]/.test(closID) || [".", "..", "info", "mon_data", "mon_groups"].includes(closID)))
    throw invalidConfig("linux.intelRdt.closID", `${JSON.stringify(closID)} is not the name of a class of service`);
  const expected = schemaLines(l3CacheSchema, memBwSchema, (message) =>
    invalidConfig("linux.intelRdt.memBwSchema", message),
  );
  for (const [index, line] of schemata.entries())
    if (line.includes("\n")) throw invalidConfig(`linux.intelRdt.schemata[${index}]`, "must be one line");
  const all = [...expected, ...schemata];
  return {
    group: closID === "/" ? "" : closID === "" ? id : closID,
    mustExist: closID !== "" && all.length === 0,
    expected: closID === "" ? [] : expected,
    schemata: all,
    monitor: enableMonitoring ? id : null,
  };
}

/** The lines of both; of two for the bandwidth the one that is there for it. `wrong` makes the error for that. */
export function schemaLines(
  l3CacheSchema: string,
  memBwSchema: string,
  wrong: (message: string) => TeuError,
): string[] {
  if (memBwSchema !== "" && (!memBwSchema.startsWith("MB:") || memBwSchema.includes("\n")))
    throw wrong("must be one line that starts with MB:");
  const cache = l3CacheSchema
    .split("\n")
    .filter((line) => line !== "" && (memBwSchema === "" || !line.startsWith("MB:")));
  return memBwSchema === "" ? cache : [...cache, memBwSchema];
}

/** Does the file `schemata` of a class hold this line? Cache numbers and masks are compared by value: the kernel pads them. */
export function holdsSchema(text: string, line: string): boolean {
  const parse = (one: string): { name: string; values: Map<string, string> } => {
    const colon = one.indexOf(":");
    const pairs = one
      .slice(colon + 1)
      .split(";")
      .map((pair) => pair.split("=").map((part) => part.trim().replace(/^0+(?=.)/, "")));
    return {
      name: one.slice(0, Math.max(colon, 0)).trim(),
      values: new Map(pairs.map(([key = "", value = ""]) => [key, value])),
    };
  };
  const want = parse(line);
  return text.split("\n").some((one) => {
    const have = parse(one);
    return have.name === want.name && [...want.values].every(([key, value]) => have.values.get(key) === value);
  });
}
