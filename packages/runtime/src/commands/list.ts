// list: all containers below --root.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Command } from "../cli/command.ts";
import { StateDirectory, containerIds } from "../container/record.ts";
import { verbatim } from "../failure.ts";
import { type StateReport, reportState } from "./state.ts";

/** The command. */
export const list: Command = {
  name: "list",
  operands: "",
  doc: "lists containers started with the given root",
  minOperands: 0,
  maxOperands: 0,
  flags: [
    { name: "format", aliases: ["f"], kind: "string", doc: "select one of: table or json (default: table)" },
    { name: "quiet", aliases: ["q"], kind: "boolean", doc: "display only container IDs" },
  ],
  run: ({ kernel, root }, flags) => {
    const format = flags.string("format");
    if (format !== "" && format !== "table" && format !== "json") throw verbatim("invalid", "invalid format option");
    if (flags.boolean("quiet")) {
      const ids = containerIds(kernel, root);
      if (ids.length > 0) kernel.host.print(ids.join("\n"));
      return 0;
    }
    const reports = containerIds(kernel, root).flatMap((id) => readReport(kernel, root, id));
    if (format === "json") kernel.host.print(JSON.stringify(reports.length === 0 ? null : reports));
    else kernel.host.print(table(reports));
    return 0;
  },
};

/** Containers come and go while we look: one that is gone is left out. */
function readReport(kernel: Kernel, root: string, id: string): StateReport[] {
  try {
    const directory = StateDirectory.open(kernel, root, id);
    try {
      const record = directory.tryRead();
      return record === null ? [] : [reportState(kernel, directory, record)];
    } finally {
      directory.close();
    }
  } catch (error) {
    if (isSysError(error, "ENOENT")) return [];
    throw error;
  }
}

const HEAD = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
const LEAST_WIDTH = 12;

function table(reports: readonly StateReport[]): string {
  const rows = [HEAD];
  for (const { id, pid, status, bundle, created, owner } of reports)
    rows.push([id, String(pid), status, bundle, created, owner]);
  const widths = HEAD.map(() => LEAST_WIDTH);
  for (const row of rows) {
    for (let column = 0; column < row.length - 1; column++) {
      const width = (row[column]?.length ?? 0) + 1;
      if (width > (widths[column] ?? 0)) widths[column] = width;
    }
  }
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join(""),
    )
    .join("\n");
}
