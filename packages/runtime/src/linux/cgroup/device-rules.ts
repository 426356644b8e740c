// The device access list of a container: its own rules, then those that every container has (runc's list, which callers expect).
// portable: no host types here.

import type { DeviceRule } from "@teu/specs/runtime";
import { invalidConfig } from "../../failure.ts";
import type { CgroupWrite } from "./resources-legacy.ts";

/** A rule in full; -1 stands for every number. Later rules win. */
export interface AccessRule {
  readonly allow: boolean;
  readonly type: "a" | "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** Letters of "rwm". */
  readonly access: string;
}

const allow = (type: "b" | "c", major: number, minor: number, access = "rwm"): AccessRule => ({
  allow: true,
  type,
  major,
  minor,
  access,
});

/** mknod of anything (what it makes cannot be opened), the default nodes, pts, ptmx, tun. */
const DEFAULT_RULES: readonly AccessRule[] = [
  allow("c", -1, -1, "m"),
  allow("b", -1, -1, "m"),
  allow("c", 1, 3),
  allow("c", 1, 8),
  allow("c", 1, 7),
  allow("c", 5, 0),
  allow("c", 1, 5),
  allow("c", 1, 9),
  allow("c", 136, -1),
  allow("c", 5, 2),
  allow("c", 10, 200),
];

/** Deny all, then the configuration's rules in order, then the defaults. */
export function deviceRules(rules: readonly DeviceRule[]): AccessRule[] {
  const own = rules.map((rule, index): AccessRule => {
    const type = rule.type === "u" ? "c" : (rule.type ?? "a");
    const access = rule.access ?? "rwm";
    if (type === "p") throw invalidConfig(`linux.resources.devices[${index}].type`, "a FIFO has no device access");
    if (access !== "rwm" && !/^[rwm]+$/.test(access))
      throw invalidConfig(
        `linux.resources.devices[${index}].access`,
        `want letters of "rwm", have ${JSON.stringify(access)}`,
      );
    return { allow: rule.allow, type, major: rule.major ?? -1, minor: rule.minor ?? -1, access };
  });
  const last = own.at(-1);
  const everything = last !== undefined && last.allow && isBlanket(last);
  const denyAll: AccessRule = { allow: false, type: "a", major: -1, minor: -1, access: "rwm" };
  const first = own[0];
  const head = first !== undefined && !first.allow && isBlanket(first) ? [] : [denyAll];
  return everything ? own : [...head, ...own, ...DEFAULT_RULES];
}

/** Says something about every device at once. */
export function isBlanket(rule: AccessRule): boolean {
  return rule.type === "a" && rule.major === -1 && rule.minor === -1 && rule.access.length === 3;
}

/** The form of cgroup v1. */
export function deviceRuleLine(rule: AccessRule): CgroupWrite {
  return LINES.get(rule) ?? lineOf(rule);
}

function lineOf(rule: AccessRule): CgroupWrite {
  const number = (value: number): string => (value < 0 ? "*" : String(value));
  const value = isBlanket(rule) ? "a" : `${rule.type} ${number(rule.major)}:${number(rule.minor)} ${rule.access}`;
  return { controller: "devices", file: rule.allow ? "devices.allow" : "devices.deny", value };
}

/** Of the rules that every container has, made once. */
const LINES: ReadonlyMap<AccessRule, CgroupWrite> = new Map(DEFAULT_RULES.map((rule) => [rule, lineOf(rule)]));
