// What a RUN step executes: shell or exec form, here-documents in all their ways. Pure.

import type { RunInstruction } from "../dockerfile/instructions/instruction.ts";
import { heredocHead } from "../dockerfile/heredoc.ts";

/** A command, and the script file it needs, if any. */
export interface RunCommand {
  readonly args: readonly string[];
  /** A here-document that begins with "#!": to be found at `path` in the container, executable. */
  readonly script: { readonly path: string; readonly text: string } | null;
  /** For history and error texts. */
  readonly shown: string;
}

/** `shell` is SHELL's value or its default. */
export function runCommand({ command, heredocs }: RunInstruction, shell: readonly string[]): RunCommand {
  if (command.kind === "exec") return { args: command.args, script: null, shown: command.args.join(" ") };
  const [only] = heredocs;
  const bare = heredocs.length === 1 && heredocHead(command.text) !== null;
  if (only !== undefined && bare) {
    const shown = `${command.text} (${only.name})`;
    if (!only.content.startsWith("#!")) return { args: [...shell, only.content], script: null, shown };
    const path = `/dev/pipes/${only.name}`;
    return { args: [path], script: { path, text: only.content }, shown };
  }
  // Several, or one that feeds a command: the shell reads them as it does in a script.
  const text = heredocs.reduce((all, { name, content }) => `${all}\n${content}${name}`, command.text);
  return { args: [...shell, text], script: null, shown: [...shell, command.text].join(" ") };
}
