// What the demonstration has left behind, if anything. Only its own things: other containers on this machine are none of its business.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The containers' cgroups that are there before a run begins: those are never its own. */
export function containerCgroups(): ReadonlySet<string> {
  return new Set(globSync("/sys/fs/cgroup/{teu,*/teu}/*").filter((path) => /[0-9a-f]{64}$/.test(path)));
}

/**
 * Things of the run in `directory` that are still there, one line each, after waiting up to five seconds for what is on its way out.
 * `before` is what `containerCgroups` said when it began.
 */
export async function leftBehind(directory: string, before: ReadonlySet<string>): Promise<string[]> {
  let left: string[] = [];
  for (let attempt = 0; attempt < 25; attempt++) {
    left = look(directory, before);
    if (left.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return left;
}

function look(directory: string, before: ReadonlySet<string>): string[] {
  const commands = commandLines();
  const shims = commands.filter((line) => line.includes("teu-shim"));
  const cgroups = [...containerCgroups()].filter((path) => !before.has(path) && isOrphan(path, shims, directory));
  // The engine's bridge is named after its root; bridge and table go with the last container (docs/design/network.md).
  const name = `teu-${createHash("sha256").update(join(directory, "lib")).digest("hex").slice(0, 8)}`;
  const tables = spawnSync("nft", ["list", "tables"], { encoding: "utf8" }).stdout ?? "";
  const bridge = [
    ...(existsSync(`/sys/class/net/${name}`) ? [`interface ${name}`] : []),
    ...(tables.includes(name) ? [`nft table of ${name}`] : []),
  ];
  return [
    ...linesOf("/proc/self/mountinfo")
      .filter((line) => line.includes(directory))
      .map((line) => `mount ${line.split(" ")[4] ?? ""}`),
    ...commands.filter((line) => line.includes(directory)).map((line) => `process ${line}`),
    ...cgroups.map((path) => `cgroup ${path}`),
    ...bridge,
    ...(existsSync(directory) ? [`directory ${directory}`] : []),
  ];
}

// No shim knows its id, and it is empty or what runs in it has its root in `directory`: not another user's container without a shim.
function isOrphan(cgroup: string, shims: readonly string[], directory: string): boolean {
  const id = /[0-9a-f]{64}$/.exec(cgroup)?.[0] ?? "";
  if (shims.some((line) => line.includes(id))) return false;
  const pids = linesOf(`${cgroup}/cgroup.procs`).filter((line) => line !== "");
  return pids.length === 0 || pids.some((pid) => linesOf(`/proc/${pid}/mountinfo`).join().includes(directory));
}

function commandLines(): string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids
    .map((pid) => linesOf(`/proc/${pid}/cmdline`).join(" ").replaceAll("\0", " ").trim())
    .filter((line) => line !== "");
}

// Files of /proc vanish with their process.
function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}
