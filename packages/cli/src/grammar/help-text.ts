// The help text of one command, as `teu run --help` prints it.

import type { Command, OptionSpec } from "../command.ts";
import { columns } from "../output/table.ts";

/** Lines of usage, summary, flags and examples, with the last newline. */
export function commandHelp(command: Command, name: string): string {
  const verb = command.usage.split(" ")[0] ?? "";
  const lines = [`Usage:  teu ${name}${command.usage.slice(verb.length)}`, "", command.summary];
  if (command.description !== undefined) lines.push("", command.description);
  if (command.options.length > 0) {
    const rows = [...command.options]
      .sort((a, b) => (a.long < b.long ? -1 : 1))
      .map((spec) => [flagText(spec), spec.on === true ? `${spec.help} (default true)` : spec.help]);
    lines.push("", "Options:", ...columns(rows, 3).map((line) => `  ${line}`));
  }
  if (command.examples.length > 0) lines.push("", "Examples:", ...command.examples.map((example) => `  ${example}`));
  return `${lines.join("\n")}\n`;
}

function flagText({ long, short, value }: OptionSpec): string {
  return `${short === undefined ? "    " : `-${short}, `}--${long}${value === undefined ? "" : ` ${value}`}`;
}
