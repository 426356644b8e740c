// HEALTHCHECK NONE | [--interval= --timeout= --start-period= --start-interval= --retries=] CMD command

import type { Healthcheck } from "@teu/specs/image";
import { type InstructionLine, type ParsedFlags, readCommand, readFlags } from "../instruction-line.ts";
import { dockerfileError } from "../location.ts";
import type { HealthcheckInstruction } from "./instruction.ts";

/** @throws TeuError `invalid`. */
export function parseHealthcheck(line: InstructionLine): HealthcheckInstruction {
  const flags = readFlags(line, {
    interval: "value",
    timeout: "value",
    "start-period": "value",
    "start-interval": "value",
    retries: "value",
  });
  const match = /^(\S+)\s*([\s\S]*)$/.exec(line.rest);
  const type = match?.[1]?.toUpperCase();
  const common = { kind: "healthcheck" as const, at: line.at, text: line.text };
  if (type === "NONE") {
    if ((match?.[2] ?? "") !== "" || line.flags.length > 0)
      throw dockerfileError(line.at, "HEALTHCHECK NONE takes nothing else");
    return { ...common, healthcheck: { Test: ["NONE"] } };
  }
  if (type !== "CMD") throw dockerfileError(line.at, "HEALTHCHECK needs NONE or CMD");
  const text = match?.[2] ?? "";
  if (text === "") throw dockerfileError(line.at, "HEALTHCHECK CMD needs a command");
  const command = readCommand(line, text);
  const Test = command.kind === "exec" ? ["CMD", ...command.args] : ["CMD-SHELL", command.text];
  return { ...common, healthcheck: { Test, ...times(line, flags) } };
}

function times(line: InstructionLine, flags: ParsedFlags): Omit<Healthcheck, "Test"> {
  const out: Record<string, number> = {};
  const names = {
    interval: "Interval",
    timeout: "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
  };
  for (const [flag, field] of Object.entries(names)) {
    const text = flags.value(flag);
    if (text === undefined) continue;
    const nanoseconds = parseDuration(text);
    if (nanoseconds === null || (nanoseconds !== 0 && nanoseconds < 1e6)) {
      throw dockerfileError(line.at, `--${flag}=${text} is not 0 or a duration of at least 1ms`, {
        hint: 'write it as "30s" or "1m30s"',
      });
    }
    if (nanoseconds !== 0) out[field] = nanoseconds;
  }
  const retries = flags.value("retries");
  if (retries === undefined) return out;
  if (!/^\d{1,9}$/.test(retries)) throw dockerfileError(line.at, `--retries=${retries} is not a count`);
  return { ...out, Retries: Number(retries) };
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** A Go duration ("1m30s", "0", "1.5h") in nanoseconds; null for anything else. */
export function parseDuration(text: string): number | null {
  if (text === "0") return 0;
  if (!/^(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return null;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g))
    total += Number(count) * (UNITS[unit ?? ""] ?? 0);
  return Number.isSafeInteger(Math.round(total)) ? Math.round(total) : null;
}
