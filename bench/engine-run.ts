// How long does `teu run --rm --network none IMAGE true` take, beside podman with the same image, each with its own runtime and with runc?
// How much memory does the monitor of one running container hold, beside conmon?
// Command: npm run bench -- engine-run

import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Contestant, compare, machineLine, printTable } from "./hyperfine.ts";
import { mountHugetlbForCrun, onlyInPrivateMounts } from "./private-mounts.ts";

const teu = join(import.meta.dirname, "../bin/teu");

/** One engine under test: how to run something once, and in the background. */
interface Engine {
  readonly name: string;
  /** Everything up to and including the verb's common flags. */
  readonly run: readonly string[];
  readonly remove: readonly string[];
  /** comm of its per-container monitor. */
  readonly monitor: string;
}

function makeContext(dir: string): string {
  const context = join(dir, "context");
  mkdirSync(join(context, "rootfs/bin"), { recursive: true });
  copyFileSync("/bin/busybox", join(context, "rootfs/bin/busybox"));
  for (const applet of ["true", "sleep"]) symlinkSync("busybox", join(context, "rootfs/bin", applet));
  writeFileSync(join(context, "Dockerfile"), 'FROM scratch\nCOPY rootfs/ /\nCMD ["/bin/true"]\n');
  return context;
}

function prepareTeu(dir: string, context: string): Engine[] {
  const global = [teu, "--root", join(dir, "teu"), "--runroot", join(dir, "r")];
  execFileSync(global[0] ?? teu, [...global.slice(1), "build", "-q", "-t", "bb", context], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const engine = (name: string, extra: readonly string[]): Engine => ({
    name,
    run: [...global, "run", ...extra],
    remove: [...global, "rm", "-f"],
    monitor: "teu-shim",
  });
  return [engine("teu", []), engine("teu + runc", ["--runtime", "runc"])];
}

function preparePodman(dir: string, context: string): Engine[] {
  if (!existsSync("/usr/bin/podman")) return [];
  // podman's own default limits are above this machine's hard limits; without CAP_SYS_RESOURCE no container would start.
  const conf = join(dir, "containers.conf");
  writeFileSync(
    conf,
    '[containers]\ndefault_ulimits = ["nofile=1024:4096","nproc=1024:2048"]\n[engine]\nevents_logger = "none"\ncgroup_manager = "cgroupfs"\n',
  );
  process.env["CONTAINERS_CONF"] = conf;
  const global = [
    "/usr/bin/podman",
    "--root",
    join(dir, "p"),
    "--runroot",
    join(dir, "pr"),
    "--storage-driver",
    "overlay",
  ];
  const tar = join(dir, "bb.tar");
  execFileSync("tar", ["-C", join(context, "rootfs"), "-cf", tar, "."]);
  execFileSync("/usr/bin/podman", [...global.slice(1), "import", tar, "bb"], { stdio: "ignore" });
  const engine = (name: string, runtime: string): Engine => ({
    name,
    run: [...global, "run", "--runtime", runtime],
    remove: [...global, "rm", "-f"],
    monitor: "conmon",
  });
  return [engine("podman + crun", "crun"), engine("podman + runc", "runc")];
}

/** RSS and PSS in KiB of the newest process with this name. */
function monitorMemory(name: string): { rss: number; pss: number } {
  const pids = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .sort((a, b) => b - a);
  const pid = pids.find((each) => commOf(each) === name);
  if (pid === undefined) return { rss: Number.NaN, pss: Number.NaN };
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(rollup)?.[1] ?? Number.NaN);
  return { rss: field("Rss"), pss: field("Pss") };
}

function commOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    // It ended while we looked.
    return "";
  }
}

function printMemory(engines: readonly Engine[]): void {
  console.log("\n| monitor of one running container | RSS KiB | PSS KiB |\n| --- | --- | --- |");
  for (const engine of engines.filter((each) => !each.name.includes("+ runc"))) {
    const [program = "", ...args] = engine.run;
    execFileSync(program, [...args, "-d", "--name", "bench-memory", "--network", "none", "bb", "/bin/sleep", "60"], {
      stdio: "ignore",
    });
    const memory = monitorMemory(engine.monitor);
    console.log(`| ${engine.monitor} | ${memory.rss} | ${memory.pss} |`);
    const [remover = "", ...rest] = engine.remove;
    execFileSync(remover, [...rest, "bench-memory"], { stdio: "ignore" });
  }
}

/** podman leaves its storage mounted on itself inside our mount namespace. */
function unmountBelow(dir: string): void {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  for (const point of points.filter((each) => each.startsWith(`${dir}/`)).reverse())
    execFileSync("umount", ["--lazy", point]);
}

function main(): void {
  onlyInPrivateMounts(import.meta.filename);
  mountHugetlbForCrun();
  const dir = mkdtempSync(join(tmpdir(), "teub-"));
  try {
    const context = makeContext(dir);
    const engines = [...prepareTeu(dir, context), ...preparePodman(dir, context)];
    console.log(machineLine());
    const contestants: Contestant[] = engines.map((engine) => ({
      name: engine.name,
      command: [...engine.run, "--rm", "--network", "none", "bb", "/bin/true"].join(" "),
    }));
    printTable("run --rm --network none bb true", compare(contestants, 8, 4), "podman + crun");
    printMemory(engines);
  } finally {
    unmountBelow(dir);
    rmSync(dir, { recursive: true, force: true });
  }
}

main();
