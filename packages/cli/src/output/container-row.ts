// A container as one line of `ps`, in Docker's fields and words.

import type { ContainerSummary } from "@teu/engine/containers/containers";
import { ago, humanDuration, timestamp } from "./human-time.ts";
import { ellipsis } from "./table.ts";

/** Fields for tables and templates. */
export function containerRow(
  container: ContainerSummary,
  { now, full }: { readonly now: number; readonly full: boolean },
): Record<string, string> {
  const words = container.command.join(" ");
  return {
    ID: full ? container.id : container.id.slice(0, 12),
    Image: /^sha256:[a-f0-9]{64}$/.test(container.image) && !full ? container.image.slice(7, 19) : container.image,
    Command: JSON.stringify(full ? words : ellipsis(words, 20)),
    CreatedAt: timestamp(container.createdAt),
    CreatedSince: ago(now, container.createdAt),
    RunningFor: ago(now, container.createdAt),
    Status: statusText(container, now),
    State: container.status,
    Ports: container.ports
      .map(({ hostIp, hostPort, containerPort, protocol }) => `${hostIp}:${hostPort}->${containerPort}/${protocol}`)
      .join(", "),
    Names: container.name,
    Labels: Object.entries(container.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(","),
    Networks: container.networkMode,
  };
}

/** "Up 5 minutes", "Exited (0) 2 hours ago". */
export function statusText(container: Pick<ContainerSummary, "status" | "startedAt" | "exit">, now: number): string {
  const since = (time: string | null): number => (time === null ? 0 : Math.max(0, now - Date.parse(time)));
  switch (container.status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${humanDuration(since(container.startedAt))}`;
    case "paused":
      return `Up ${humanDuration(since(container.startedAt))} (Paused)`;
    case "exited":
      return `Exited (${container.exit?.code ?? 255}) ${humanDuration(since(container.exit?.finishedAt ?? null))} ago`;
    default:
      return "Dead";
  }
}
