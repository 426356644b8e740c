// version: of teu and of what it runs on.

import { release } from "node:os";
import type { Command } from "../command.ts";
import { compileTemplate, fixedFields } from "../output/template.ts";
import { columns } from "../output/table.ts";
import { VERSION } from "../version-text.ts";

/** `teu version`. */
export const command: Command = {
  usage: "version [OPTIONS]",
  summary: "Show versions",
  options: [{ long: "format", short: "f", value: "string", help: '"json" or a Go template' }],
  args: [0, 0],
  examples: ["teu version", "teu version --format '{{.Version}}'"],
  run: async (context, input) => {
    const facts = {
      Version: VERSION,
      NodeVersion: process.versions.node,
      Os: "linux",
      Arch: process.arch === "x64" ? "amd64" : process.arch,
      KernelVersion: release(),
    };
    const format = input.text("format");
    if (format === "json") context.print(JSON.stringify(facts));
    else if (format !== undefined) context.print(compileTemplate(format)(fixedFields(facts)));
    else {
      const rows = [
        ["Version:", facts.Version],
        ["Node:", facts.NodeVersion],
        ["OS/Arch:", `${facts.Os}/${facts.Arch}`],
        ["Kernel:", facts.KernelVersion],
      ];
      context.print("teu");
      for (const line of columns(rows, 2)) context.print(` ${line}`);
    }
    return 0;
  },
};
