// list: all containers below --root.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Command } from "../cli/command.ts";
import { containerIds, forEachContainer, placeBelow, tryReadHead } from "../container/record.ts";
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
    const reports = forEachContainer(kernel, root, (id, rootFd) => readReport(kernel, rootFd, id));
    if (format === "json") kernel.host.print(JSON.stringify(reports.length === 0 ? null : reports));
    else kernel.host.print(table(reports));
    return 0;
  },
};

/** Containers come and go while we look: one that is gone is left out. */
function readReport(kernel: Kernel, rootFd: number, id: string): StateReport | null {
  const place = placeBelow(rootFd, id);
  try {
    const head = tryReadHead(kernel, place);
    return head === null ? null : reportState(kernel, place, head);
  } catch (error) {
    if (isSysError(error, "ENOENT")) return null;
    throw error;
  }
}

const HEAD = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
const LEAST_WIDTH = 12;

function table(reports: readonly StateReport[]): string {
  const rows = [HEAD];
  for (const { id, pid, status, bundle, created, owner } of reports)
    rows.push([id, String(pid), status, bundle, created, owner]);
  const last = HEAD.length - 1;
  const widths = HEAD.map(() => LEAST_WIDTH);
  for (const row of rows) {
    for (let column = 0; column < last; column++) {
      const width = (row[column]?.length ?? 0) + 1;
      if (width > (widths[column] ?? 0)) widths[column] = width;
    }
  }
  const lines: string[] = [];
  for (const row of rows) {
    let line = "";
    for (let column = 0; column < last; column++) line += row[column]?.padEnd(widths[column] ?? 0) ?? "";
    lines.push(line + (row[last] ?? ""));
  }
  return lines.join("\n");
}
