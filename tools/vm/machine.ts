// One boot of the virtual machine: QEMU in software emulation, which needs nothing of the host, and what the guest says.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { guestKernel, moduleFiles } from "./kernel.ts";
import { writeInitramfs } from "./initramfs.ts";

const ROOT = join(import.meta.dirname, "../..");
const CACHE = join(ROOT, ".cache/vm");
const QEMU = "/usr/bin/qemu-system-x86_64";

// The file systems that the guest's root is made of, and what containers there want: network devices, a block device.
const MODULES = ["9p", "9pnet_virtio", "virtio_pci", "overlay", "veth", "bridge", "loop"];

/** Why no machine can be started here; false when one can. */
export function noMachine(): string | false {
  if (process.arch !== "x64") return "the virtual machine is for x86_64";
  if (process.getuid?.() !== 0) return "needs root, to show the guest all of the host's files";
  return existsSync(QEMU) ? false : "qemu-system-x86 is not installed";
}

/** What a boot is to do. */
export interface Boot {
  /** Runs in the guest under bash, in the host's tree, with cgroup v2; what it prints is the result. */
  readonly script: string;
  readonly timeoutMs: number;
  /** Each line as it comes. */
  readonly onLine: (line: string) => void;
}

/** Boots, runs, ends. Throws when the time is over or the guest ended before the script, with the end of its console. */
export async function boot({ script, timeoutMs, onLine }: Boot): Promise<void> {
  const kernel = guestKernel(CACHE);
  const initramfs = join(CACHE, "initramfs.gz");
  writeInitramfs(initramfs, moduleFiles(kernel, MODULES));
  const scripts = join(CACHE, "script");
  mkdirSync(scripts, { recursive: true });
  const guestScript = join(scripts, "guest.sh");
  const end = "teu: script ended";
  writeFileSync(guestScript, `cd ${ROOT}\n${script}\necho "${end}"\n`);
  const console_ = join(CACHE, "console.log");
  const guest = spawn(QEMU, machineArguments(kernel.image, initramfs, console_, guestScript), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    guest.kill("SIGKILL");
  }, timeoutMs);
  const closed = new Promise<void>((resolve, reject) => {
    guest.on("error", reject);
    guest.on("close", () => resolve());
  });
  let ended = false;
  try {
    for await (const line of createInterface({ input: guest.stdout })) {
      if (line === end) ended = true;
      else onLine(line);
    }
    await closed;
  } finally {
    clearTimeout(timer);
    guest.kill("SIGKILL");
  }
  if (ended) return;
  const tail = readFileSync(console_, "latin1").split("\n").slice(-15).join("\n");
  const what = late ? `did not finish within ${timeoutMs / 1000} s` : "ended before its script";
  throw new Error(`the guest ${what}; the end of ${console_}:\n${tail}`);
}

function machineArguments(image: string, initramfs: string, console_: string, script: string): string[] {
  return [
    ...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "4096"],
    ...["-display", "none", "-no-reboot", "-nodefaults"],
    ...["-kernel", image, "-initrd", initramfs],
    ...["-append", `console=ttyS0 quiet panic=-1 teu.script=${script}`],
    ...["-serial", `file:${console_}`, "-serial", "stdio"],
    ...["-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"],
  ];
}
