// Registries for benchmarks, ours and docker-registry, and what their processes took of CPU time and memory.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { DockerRegistry } from "@teu/testkit/docker-registry";

/** The command line. */
export const TEU: string = join(import.meta.dirname, "../bin/teu");
const TICKS_PER_SECOND = 100;

/** A registry; stopped when disposed. */
export interface Place extends AsyncDisposable {
  readonly name: string;
  readonly host: string;
  readonly url: string;
  readonly pid: number;
}

/** Ours, run as users run it, from the bundle. Its data is kept in `directory`/registry unless `argv` says other things than that. */
export async function ours(
  directory: string,
  argv: readonly string[] = ["--addr", "127.0.0.1:0", "--root", join(directory, "registry")],
  name: string = "our registry",
): Promise<Place> {
  const child = spawn(TEU, ["registry", "serve", ...argv], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const url = line.toString().replace("listening on ", "").trim();
  const { host } = new URL(url);
  return { name, host, url, pid: child.pid ?? 0, [Symbol.asyncDispose]: () => ended(child) };
}

/** docker-registry. */
export async function theirs(directory: string): Promise<Place> {
  const registry = await DockerRegistry.start({ parent: directory });
  const { url, pid } = registry;
  return {
    name: "docker-registry",
    host: new URL(url).host,
    url,
    pid,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/** Stops a program of ours. */
export async function ended(child: ReturnType<typeof spawn>): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
}

/** CPU time of all threads of a process so far. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Memory that a process has in use, or had at most, in MB. */
export function residentMemory(pid: number, key: "VmRSS" | "VmHWM"): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(new RegExp(`${key}:\\s+(\\d+)`).exec(text)?.[1] ?? "0") / 1024);
}

/** CPU and wall seconds that something took a process. */
export async function cost(pid: number, body: () => unknown): Promise<{ cpu: number; wall: number }> {
  const [cpu, wall] = [cpuSeconds(pid), performance.now()];
  await body();
  return { cpu: cpuSeconds(pid) - cpu, wall: (performance.now() - wall) / 1000 };
}
