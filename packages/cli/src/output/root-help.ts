// The help text of `teu` and of its groups.

import { COMMANDS, GROUPS } from "../command-table.ts";
import { columns } from "./table.ts";

/** Names shown first: what most people need. */
const COMMON = ["run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "version", "info"];

/** Help for everything, or for one group. */
export function rootHelp(group?: string): string {
  const found = group !== undefined && Object.hasOwn(GROUPS, group) ? GROUPS[group] : undefined;
  if (group !== undefined && found !== undefined) {
    const rows = Object.entries(found.verbs)
      .sort()
      .map(([name, { summary }]) => [name, summary]);
    return [
      "",
      `Usage:  teu ${group} COMMAND`,
      "",
      found.summary,
      "",
      "Commands:",
      ...indent(rows),
      "",
      `Run 'teu ${group} COMMAND --help' for more on a command.`,
      "",
    ]
      .slice(1)
      .join("\n");
  }
  const row = (name: string): string[] => [name, COMMANDS[name]?.summary ?? ""];
  const others = Object.keys(COMMANDS)
    .filter((name) => !COMMON.includes(name))
    .sort();
  return [
    "Usage:  teu [OPTIONS] COMMAND",
    "",
    "Containers: build, share and run them",
    "",
    "Common Commands:",
    ...indent(COMMON.map(row)),
    "",
    "Management Commands:",
    ...indent(Object.entries(GROUPS).map(([name, { summary }]) => [name, summary])),
    "",
    "Commands:",
    ...indent(others.map(row)),
    "",
    "Global Options:",
    ...indent([
      ["-D, --debug", "Show causes of errors and debug messages (TEU_DEBUG)"],
      ["    --root directory", "Durable state (TEU_ROOT, default /var/lib/teu)"],
      ["    --runroot directory", "State that a reboot may take (TEU_RUNROOT, default /run/teu)"],
      ["-v, --version", "Print version and quit"],
    ]),
    "",
    "Run 'teu COMMAND --help' for more on a command.",
    "",
  ].join("\n");
}

function indent(rows: readonly (readonly string[])[]): string[] {
  return columns(rows, 3).map((line) => `  ${line}`);
}
