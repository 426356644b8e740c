// --format json of commands that have no other format.

import type { CommandInput, OptionSpec } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";

/** The flag; `what` is what the object says. */
export function jsonOption(what: string): OptionSpec {
  return { long: "format", value: "string", help: `"json": ${what} as JSON` };
}

/** Whether --format asks for JSON. @throws TeuError `invalid` (usage) for other formats. */
export function wantsJson(input: CommandInput): boolean {
  const format = input.text("format");
  if (format === undefined || format === "json") return format === "json";
  throw usageError(`the format ${JSON.stringify(format)} is not known`, { fallback: "use json, or leave it out" });
}
