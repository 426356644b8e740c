// What a test run must not leave behind: mounts, cgroups, network namespaces, interfaces, nft tables, processes, temp files.
// Only what bears our name is compared, so that other work on the same machine does not disturb.

import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";

const OURS = /teu/;

/** Kind of thing to the names of those that exist. */
export type MachineState = Readonly<Record<string, ReadonlySet<string>>>;

/** Takes stock. Without root, the parts that need it are empty. */
export function machineState(): MachineState {
  return {
    mount: new Set(
      lines("/proc/self/mountinfo")
        .filter((line) => OURS.test(line))
        .map((line) => line.split(" ")[4] ?? ""),
    ),
    cgroup: new Set(output("find", ["/sys/fs/cgroup", "-maxdepth", "6", "-type", "d", "-path", "*teu*"])),
    "network namespace": new Set([...named("/run/netns"), ...processNamespaces()]),
    interface: new Set(
      lines("/proc/net/dev")
        .map((line) => line.split(":")[0]?.trim() ?? "")
        .filter((name) => /^(teu|veth|vteu)/.test(name)),
    ),
    "nft table": new Set(output("nft", ["list", "tables"]).filter((line) => OURS.test(line))),
    process: new Set(processes()),
    "temporary file": new Set(readdirSync(tmpdir()).filter((name) => OURS.test(name))),
  };
}

/** What is in `after` and was not in `before`, one line each. */
export function leftovers(before: MachineState, after: MachineState): string[] {
  return Object.entries(after).flatMap(([kind, names]) =>
    [...names].filter((name) => !before[kind]?.has(name)).map((name) => `${kind} ${name}`),
  );
}

/** `leftovers` now, after waiting up to five seconds for what is on its way out. */
export async function settledLeftovers(before: MachineState): Promise<string[]> {
  let left: string[] = [];
  for (let attempt = 0; attempt < 20; attempt++) {
    left = leftovers(before, machineState());
    if (left.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return left;
}

// Shims and runtimes, by the name of their program.
function processes(): string[] {
  const out: string[] = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const comm = lines(`/proc/${pid}/comm`)[0] ?? "";
    if (/^teu-(runtime|shim)/.test(comm))
      out.push(`${pid} ${readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim()}`);
  }
  return out;
}

// Network namespaces of shims' children show as those of processes in cgroups of ours.
function processNamespaces(): string[] {
  const out: string[] = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (!OURS.test(readText(`/proc/${pid}/cgroup`))) continue;
    try {
      out.push(readlinkSync(`/proc/${pid}/ns/net`));
    } catch {
      // The process ended while we looked.
    }
  }
  const own = readlinkSync("/proc/self/ns/net");
  return out.filter((name) => name !== own);
}

function named(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => OURS.test(name));
  } catch {
    return [];
  }
}

function output(command: string, argv: readonly string[]): string[] {
  const result = spawnSync(command, argv, {
    encoding: "utf8",
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  });
  return (result.stdout ?? "").split("\n").filter((line) => line !== "");
}

function lines(file: string): string[] {
  return readText(file)
    .split("\n")
    .filter((line) => line !== "");
}

// Files of /proc vanish with their process.
function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
