// How long does one `run true` of a standard bundle take, and how much memory, beside crun and runc? And how long under Docker's default
// seccomp profile, with its filter in the runtime's cache and without?
// Command: npm run bench -- runtime-run

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type Contestant, compare, machineLine, printTable } from "./hyperfine.ts";
import { mountHugetlbForCrun, onlyInPrivateMounts } from "./private-mounts.ts";
import { makeBundle, onTmpfs, type Peer, peers } from "./runtime-bundle.ts";

/**
 * Peak resident set of one command in KiB, its children included. busybox measures, since what measures must be smaller than what is
 * measured (execve carries the maximum over); it takes the kernel's KiB for pages and multiplies them by four.
 */
function peakKiB(command: readonly string[]): number {
  const result = spawnSync("/bin/busybox", ["time", "-v", ...command], { encoding: "utf8" });
  return Number(/Maximum resident set size \(kbytes\): (\d+)/.exec(result.stderr)?.[1] ?? Number.NaN) / 4;
}

onlyInPrivateMounts(import.meta.filename);
mountHugetlbForCrun();
onTmpfs((dir) => {
  const bundle = makeBundle(dir, ["/bin/true"]);
  const filtered = makeBundle(dir, ["/bin/true"], true);
  const commandOf = ({ name, path }: Peer, from: string): string[] =>
    `${path} --root ${join(dir, name)} run --bundle ${from} bench-${name}`.split(" ");
  const running = (from: string): Contestant[] =>
    peers().map((peer) => ({ name: peer.name, command: commandOf(peer, from).join(" ") }));
  console.log(machineLine());
  // Many short rounds: a neighbour's noise hits all alike.
  printTable("run true", compare(running(bundle), 15, 10), "crun");
  printTable("run true, Docker's default seccomp profile, cache warm", compare(running(filtered), 15, 10), "crun");
  // A cache is below the root, if there is one: Debian 12's crun makes its filter anew for each container, and so does runc.
  const cold = running(filtered).map((each) => ({ ...each, prepare: `rm -rf ${join(dir, each.name)}/.cache` }));
  printTable("run true, Docker's default seccomp profile, cache cold", compare(cold, 15, 10), "crun");
  const versions = peers().map(({ name, path }) => ({ name, command: `${path} --version` }));
  printTable("--version (process start alone)", compare(versions, 20, 5), "crun");
  console.log("\n| peak RSS of one run | KiB |\n| --- | --- |");
  for (const peer of peers()) console.log(`| ${peer.name} | ${peakKiB(commandOf(peer, bundle))} |`);
});
