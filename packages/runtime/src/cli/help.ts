// Help texts.
// portable: no host types here.

import type { Command } from "./command.ts";
import type { Flag } from "./flags.ts";

const COLUMN = 34;

/** `teu-runtime --help` */
export function programHelp(commands: readonly Command[], flags: readonly Flag[]): string {
  const verbs = commands.map((command) => `   ${command.name.padEnd(12)} ${command.doc}`).join("\n");
  return `NAME:
   teu-runtime - Open Container Initiative runtime

USAGE:
   teu-runtime [global options] command [command options] [arguments...]

COMMANDS:
${verbs}

GLOBAL OPTIONS:
${flagLines(flags)}`;
}

/** `teu-runtime --usage` */
export function usageText(flags: readonly Flag[]): string {
  const words = flags.map((flag) => `[--${flag.name}${flag.kind === "boolean" ? "" : "=VALUE"}]`);
  return `Usage: teu-runtime ${words.join(" ")} COMMAND [OPTION...]`;
}

/** `teu-runtime COMMAND --help` */
export function commandHelp(command: Command): string {
  const options = command.flags.length === 0 ? "" : `\n\nOPTIONS:\n${flagLines(command.flags)}`;
  return `NAME:
   teu-runtime ${command.name} - ${command.doc}

USAGE:
   teu-runtime ${command.name} [command options] ${command.operands}${options}`;
}

function flagLines(flags: readonly Flag[]): string {
  return flags
    .filter((flag) => flag.hidden !== true)
    .map((flag) => {
      const names = [
        `--${flag.name}`,
        ...(flag.aliases ?? []).map((alias) => `${alias.length > 1 ? "--" : "-"}${alias}`),
      ].join(", ");
      return `   ${(flag.kind === "boolean" ? names : `${names} value`).padEnd(COLUMN)} ${flag.doc}`;
    })
    .join("\n");
}
