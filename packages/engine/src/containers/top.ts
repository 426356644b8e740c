// top: processes of a container as the host sees them, found by their cgroup, without starting `ps`.

import { readdirSync } from "node:fs";

import type { Scope } from "@teu/base/scope";

import { readIfThere } from "../store/file-places.ts";
import type { ContainerContext } from "./context.ts";
import { findContainer } from "./find.ts";
import { readLife } from "./life.ts";
import { requireRunning } from "./stop.ts";

/** Columns as `docker top` has them. */
const TITLES: readonly string[] = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];
/** USER_HZ: fixed by the kernel's ABI. */
const TICKS = 100;

/** See `Containers.top`. */
export async function topOfContainer(
  scope: Scope,
  context: ContainerContext,
  ref: string,
): Promise<{ readonly titles: readonly string[]; readonly processes: readonly (readonly string[])[] }> {
  const { id } = findContainer(context.db, ref);
  requireRunning(readLife(context.paths.container(id)), ref, "list processes of container");
  const boot = Number(/^btime (\d+)/m.exec(readIfThere("/proc/stat") ?? "")?.[1] ?? 0) * 1000;
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && belongs(name, id))
    .toSorted((a, b) => Number(a) - Number(b))
    .flatMap((pid) => rowOf(pid, boot, scope.now()) ?? []);
  return { titles: TITLES, processes };
}

// Below the container's cgroup on any hierarchy. A cgroup made inside by the container's own programs counts as well.
function belongs(pid: string, id: string): boolean {
  return (readIfThere(`/proc/${pid}/cgroup`) ?? "").split("\n").some((line) => line.split("/").includes(id));
}

function rowOf(pid: string, boot: number, now: number): [string[]] | null {
  const stat = readIfThere(`/proc/${pid}/stat`);
  const status = readIfThere(`/proc/${pid}/status`);
  if (stat === null || status === null) return null;
  const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [ppid = 0, tty = 0, cpu = 0] = [fields[1], fields[4], ((fields[11] ?? 0) + (fields[12] ?? 0)) / TICKS];
  const started = boot + ((fields[19] ?? 0) / TICKS) * 1000;
  const command = (readIfThere(`/proc/${pid}/cmdline`) ?? "").split("\0").join(" ").trim();
  const share = Math.floor((cpu * 100_000) / Math.max(1000, now - started));
  const uid = /^Uid:\s+(\d+)/m.exec(status)?.[1] ?? "0";
  return [
    [
      uid,
      pid,
      String(ppid),
      String(share),
      clock(started),
      ttyName(tty),
      duration(cpu),
      command === "" ? `[${name}]` : command,
    ],
  ];
}

function clock(milliseconds: number): string {
  return new Date(milliseconds).toTimeString().slice(0, 5);
}

function ttyName(device: number): string {
  const major = (device >>> 8) & 0xfff;
  return major >= 136 && major <= 143 ? `pts/${(device & 0xff) | ((device >>> 12) & 0xfff00)}` : "?";
}

function duration(seconds: number): string {
  return [seconds / 3600, (seconds / 60) % 60, seconds % 60]
    .map((part) => String(Math.floor(part)).padStart(2, "0"))
    .join(":");
}
