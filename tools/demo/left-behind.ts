// What the demonstration has left behind, if anything. Only its own things: other containers on this machine are none of its business.

import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";

/** Things of the run in `directory` that are still there, one line each, after waiting up to five seconds for what is on its way out. */
export async function leftBehind(directory: string): Promise<string[]> {
  let left: string[] = [];
  for (let attempt = 0; attempt < 25; attempt++) {
    left = look(directory);
    if (left.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return left;
}

function look(directory: string): string[] {
  const commands = commandLines();
  const shims = commands.filter((line) => line.includes("teu-shim"));
  // A container's cgroup with no shim that knows its id is nobody's.
  const cgroups = globSync("/sys/fs/cgroup/{teu,*/teu}/*").filter((path) => {
    const id = /[0-9a-f]{64}$/.exec(path)?.[0];
    return id !== undefined && !shims.some((line) => line.includes(id));
  });
  // The bridge and its table are shared by all containers: they go with the last one.
  const bridge = shims.length === 0 && existsSync("/sys/class/net/teu0") ? ["interface teu0"] : [];
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
