// ps: every container with its life, from the database and files alone.

import type { Scope } from "@teu/base/scope";
import { parseReference, referenceText } from "@teu/image/reference";
import type { PortMapping } from "@teu/shim/protocol";

import { type ContainerRow, listContainers } from "../store/container-rows.ts";
import { listPorts } from "../store/network-rows.ts";
import type { ContainerListOptions, ContainerStatus, ContainerSummary } from "./containers.ts";
import type { ContainerContext } from "./context.ts";
import { type Life, type Phase, readLife } from "./life.ts";

const STATUS: Readonly<Record<Phase, ContainerStatus>> = {
  created: "created",
  prepared: "created",
  running: "running",
  paused: "paused",
  exited: "exited",
  lost: "dead",
};

/** See `Containers.list`. The caller has reconciled. */
export async function listSummaries(
  _scope: Scope,
  context: ContainerContext,
  options: ContainerListOptions = {},
): Promise<ContainerSummary[]> {
  const ports = listPorts(context.db);
  const all = options.all === true || options.status !== undefined;
  return listContainers(context.db)
    .map((row) => summaryOf(context, row, ports.get(row.id) ?? []))
    .filter((one) => (all || one.status === "running" || one.status === "paused") && matches(one, options));
}

/** One line. */
export function summaryOf(
  context: ContainerContext,
  row: ContainerRow,
  ports: readonly PortMapping[],
  life: Life = readLife(context.paths.container(row.id)),
): ContainerSummary {
  const { settings } = row;
  return {
    id: row.id,
    name: row.name,
    image: settings.image,
    imageId: row.imageId,
    command: [...settings.entrypoint, ...settings.command],
    createdAt: row.createdAt,
    status: STATUS[life.phase],
    startedAt: life.startedAt,
    pid: life.pid,
    exit: life.exit,
    ports,
    labels: settings.labels,
    networkMode: settings.network,
    autoRemove: row.autoRemove,
  };
}

function matches(one: ContainerSummary, options: ContainerListOptions): boolean {
  return (
    (options.status?.includes(one.status) ?? true) &&
    (options.name === undefined || one.name.includes(options.name)) &&
    (options.labels ?? []).every((wanted) => hasLabel(one.labels, wanted)) &&
    (options.ancestor === undefined || isAncestor(one, options.ancestor))
  );
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  return equals < 0 ? Object.hasOwn(labels, wanted) : labels[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}

function isAncestor(one: ContainerSummary, wanted: string): boolean {
  const hex = wanted.replace(/^sha256:/, "");
  if (one.imageId !== null && /^[0-9a-f]{4,64}$/.test(hex) && one.imageId.startsWith(`sha256:${hex}`)) return true;
  return normal(one.image) === normal(wanted);
}

function normal(text: string): string {
  try {
    return referenceText(parseReference(text));
  } catch {
    // An id or a chain id: compared as it is.
    return text;
  }
}
