// ps: list containers.

import type { ContainerListOptions, ContainerStatus, ContainerSummary } from "@teu/engine/containers/containers";
import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { wholeNumber } from "../options/container-options.ts";
import { containerRow } from "../output/container-row.ts";
import { listLines } from "../output/list-output.ts";

/** `teu ps`. */
export const command: Command = {
  usage: "ps [OPTIONS]",
  summary: "List containers",
  options: [
    { long: "all", short: "a", help: "Also those that do not run" },
    {
      long: "filter",
      short: "f",
      value: "filter",
      repeat: true,
      help: "ancestor=, exited=, id=, label=, name=, status=",
    },
    { long: "format", value: "string", help: '"table", "table TEMPLATE", "json" or a Go template' },
    { long: "last", short: "n", value: "int", help: "Only the newest ones, running or not" },
    { long: "latest", short: "l", help: "Only the newest one, running or not" },
    { long: "no-trunc", help: "Show everything in full" },
    { long: "quiet", short: "q", help: "Only ids" },
  ],
  unsupported: ["size"],
  args: [0, 0],
  examples: ["teu ps", "teu ps -aq", "teu ps --format '{{.ID}} {{.Status}}'", "teu ps -a --filter status=exited"],
  run: async (context, input) => {
    const filters = readFilters(input.list("filter"));
    const last = input.flag("latest") ? 1 : wholeNumber(input, "last");
    const all =
      input.flag("all") || last !== undefined || filters.options.status !== undefined || filters.exited !== undefined;
    await using engine = await context.engine();
    const found = (await engine.containers.list(context.scope, { ...filters.options, all })).filter((container) =>
      filters.keep(container),
    );
    const shown = found.toSorted((a, b) => b.createdAt - a.createdAt).slice(0, last ?? found.length);
    const now = context.scope.now();
    const rows = shown.map((container) => containerRow(container, { now, full: input.flag("no-trunc") }));
    const lines = listLines(
      { rows, table: TABLE, quietField: "ID" },
      { format: input.text("format"), quiet: input.flag("quiet") },
    );
    for (const line of lines) context.print(line);
    return 0;
  },
};

const TABLE = [
  ["ID", "CONTAINER ID"],
  ["Image", "IMAGE"],
  ["Command", "COMMAND"],
  ["CreatedSince", "CREATED"],
  ["Status", "STATUS"],
  ["Ports", "PORTS"],
  ["Names", "NAMES"],
] as const;

interface Filters {
  readonly options: ContainerListOptions;
  readonly exited: readonly number[] | undefined;
  keep(container: ContainerSummary): boolean;
}

const STATUSES: readonly ContainerStatus[] = ["created", "running", "paused", "exited", "dead"];

function readFilters(texts: readonly string[]): Filters {
  const values: Record<string, string[]> = {};
  for (const text of texts) {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    if (equals < 0 || !["ancestor", "exited", "id", "label", "name", "status"].includes(name)) {
      throw usageError(`the filter ${JSON.stringify(text)} is not supported`, {
        word: name,
        known: ["ancestor", "exited", "id", "label", "name", "status"],
        fallback: "use ancestor, exited, id, label, name or status",
      });
    }
    (values[name] ??= []).push(text.slice(equals + 1));
  }
  const status = values["status"]?.map(readStatus);
  const exited = values["exited"]?.map(Number);
  const [name, ancestor] = [values["name"], values["ancestor"]];
  return {
    options: {
      ...(status === undefined ? {} : { status }),
      ...(values["label"] === undefined ? {} : { labels: values["label"] }),
      ...(name?.length === 1 ? { name: name[0] ?? "" } : {}),
      ...(ancestor?.length === 1 ? { ancestor: ancestor[0] ?? "" } : {}),
    },
    exited,
    keep: (container) =>
      (values["id"] === undefined || values["id"].some((id) => container.id.startsWith(id))) &&
      (exited === undefined || (container.exit !== null && exited.includes(container.exit.code))) &&
      (name === undefined || name.some((part) => container.name.includes(part.replace(/^\//, "")))) &&
      (ancestor === undefined || ancestor.length < 2 || ancestor.some((image) => container.image === image)),
  };
}

function readStatus(text: string): ContainerStatus {
  const found = STATUSES.find((status) => status === text);
  if (found === undefined)
    throw usageError(`the status ${JSON.stringify(text)} is not known`, {
      word: text,
      known: STATUSES,
      fallback: `use ${STATUSES.join(", ")}`,
    });
  return found;
}
