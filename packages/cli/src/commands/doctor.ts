// doctor: what this host can and cannot do, and what follows.

import type { Command } from "../command.ts";
import { checkHost } from "../doctor/host-checks.ts";
import { gatherFacts } from "../doctor/gather-facts.ts";
import { usageError } from "../grammar/usage-error.ts";
import { columns } from "../output/table.ts";

/** `teu doctor`. */
export const command: Command = {
  usage: "doctor [OPTIONS]",
  summary: "Show what this host can and cannot do",
  description: "Exits with 1 when containers cannot run here. Nothing is changed.",
  options: [{ long: "format", value: "string", help: '"json": one object a line' }],
  args: [0, 0],
  examples: ["teu doctor"],
  run: async (context, input) => {
    const format = input.text("format");
    if (format !== undefined && format !== "json")
      throw usageError("--format can only be json", { fallback: "leave it out for a table" });
    const findings = checkHost(await gatherFacts(context.environment, context.root));
    if (format === "json") for (const finding of findings) context.print(JSON.stringify(finding));
    else {
      const lines = columns(
        findings.map(({ status, name, found }) => [status, name, found]),
        2,
      );
      for (const [index, line] of lines.entries()) {
        context.print(line);
        const consequence = findings[index]?.consequence;
        if (consequence !== undefined) context.print(`      -> ${consequence}`);
      }
    }
    return findings.some(({ status }) => status === "fail") ? 1 : 0;
  },
};
