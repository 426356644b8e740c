// Debian's stock kernel, unpacked aside: nothing of it is installed. (The "cloud" flavour has no 9p.)

import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";

/** A kernel and where its modules are. */
export interface GuestKernel {
  /** "6.1.0-56-amd64" */
  readonly version: string;
  readonly image: string;
  /** Directory below which the .ko files are. */
  readonly modules: string;
}

/** Fetches it into `cache` unless it is there. Throws with the tool's words when it cannot. */
export function guestKernel(cache: string): GuestKernel {
  mkdirSync(cache, { recursive: true });
  const unpacked = join(cache, "kernel");
  if (!existsSync(unpacked)) fetchKernel(cache, unpacked);
  const image = globSync(join(unpacked, "boot/vmlinuz-*"))[0] ?? "";
  const version = basename(image).slice("vmlinuz-".length);
  return { version, image, modules: join(unpacked, "lib/modules", version) };
}

function fetchKernel(cache: string, unpacked: string): void {
  const meta = process.arch === "arm64" ? "linux-image-arm64" : "linux-image-amd64";
  const depends = output("apt-cache", ["depends", "--no-recommends", meta], cache);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`apt-cache knows no kernel behind ${meta}: run apt-get update`);
  output("apt-get", ["download", name], cache);
  const archive = readdirSync(cache).find((file) => file.startsWith(`${name}_`) && file.endsWith(".deb"));
  if (archive === undefined) throw new Error(`apt-get download ${name} left no package in ${cache}`);
  // Whole or not at all: an interrupted run begins again.
  const partial = `${unpacked}.partial`;
  rmSync(partial, { recursive: true, force: true });
  output("dpkg-deb", ["-x", archive, partial], cache);
  rmSync(join(cache, archive));
  renameSync(partial, unpacked);
}

function output(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout;
}

/** Paths of the modules' files in an order in which they can be loaded: each after what it depends on. Built-in ones are left out. */
export function moduleFiles(kernel: GuestKernel, names: readonly string[]): string[] {
  const files = new Map(
    globSync(join(kernel.modules, "kernel/**/*.ko")).map((file) => [basename(file, ".ko").replaceAll("-", "_"), file]),
  );
  const ordered = new Set<string>();
  const add = (name: string): void => {
    const file = files.get(name);
    if (file === undefined || ordered.has(file)) return;
    for (const other of dependencies(file)) add(other);
    ordered.add(file);
  };
  for (const name of names) add(name);
  return [...ordered];
}

/** The section .modinfo is a list of NUL-terminated "key=value"; looking for the key saves reading ELF. */
function dependencies(file: string): string[] {
  const text = readFileSync(file, "latin1");
  const list = /\0depends=([^\0]*)\0/.exec(text)?.[1] ?? "";
  return list.split(",").filter((name) => name !== "");
}
