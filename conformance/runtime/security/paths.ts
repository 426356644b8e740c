// A hostile root file system must not lead the runtime out of itself. Each case names the attack.

import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Mount, Spec } from "@teu/specs/runtime";
import { type Bench, type Bundle, type RuntimeCase, expectEqual, expectFailure, expectOk } from "../case.ts";

const addMount = (spec: Spec, mount: Mount): Spec => ({ ...spec, mounts: [...(spec.mounts ?? []), mount] });
const writable = (spec: Spec): Spec => ({ ...spec, root: { path: "rootfs" } });

/** In `volume`, `name` is a directory and a symlink to `goal` by turns, as fast as a shell can, until the case ends. */
function flip(bench: Bench, volume: string, name: string, goal: string): void {
  const script = 'while :; do rm -rf "$1"; ln -s "$2" "$1"; rm -f "$1"; mkdir "$1"; done';
  const loop = spawn("/bin/busybox", ["sh", "-c", script, "sh", join(volume, name), goal], { stdio: "ignore" });
  bench.defer(() => void loop.kill("SIGKILL"));
}

/** Puts a symlink where the image has a directory. */
function plant(bundle: Bundle, name: string, goal: string): void {
  rmdirSync(join(bundle.rootfs, name));
  symlinkSync(goal, join(bundle.rootfs, name));
}

export const cases: readonly RuntimeCase[] = [
  ...["proc", "sys"].map((name): RuntimeCase => ({
    name: `/${name}: a symlink in its place is refused`,
    cve: name === "proc" ? "CVE-2019-19921, 2023-27561" : "CVE-2023-28642",
    run: (bench) => {
      const bundle = bench.script("true");
      mkdirSync(join(bundle.rootfs, "bad"));
      plant(bundle, name, "/bad");
      expectFailure(bench.run(bundle));
    },
  })),
  ...[
    "/proc",
    "/proc/self/attr",
    "/proc/sys/kernel",
    "/proc/self",
    "proc/self",
    "//proc//sys",
    "/dev/../proc/sys",
    "/proc/./../proc/1/..//self/attr",
  ].map((destination): RuntimeCase => ({
    name: `mounts: tmpfs on ${destination} is refused`,
    cve: "CVE-2019-16884",
    run: (bench) =>
      void expectFailure(
        bench.run(bench.script("true", (spec) => addMount(spec, { destination, type: "tmpfs", source: "tmpfs" }))),
      ),
  })),
  ...["/proc", "/proc/sys", "/proc/self/exe", "/proc/1/attr/exec"].map((destination): RuntimeCase => ({
    name: `mounts: bind on ${destination} is refused`,
    cve: "CVE-2019-16884",
    run: (bench) => {
      const source = join(bench.directory, "source");
      if (/exe/.test(destination)) writeFileSync(source, "");
      else mkdirSync(source);
      const mount: Mount = { destination, source, type: "bind", options: ["bind"] };
      expectFailure(bench.run(bench.script("true", (spec) => addMount(spec, mount))));
    },
  })),
  {
    name: "mounts: a destination that is swapped for a symlink to the host meanwhile makes nothing there",
    cve: "CVE-2019-18837, 2021-30465, 2024-45310",
    run: (bench) => {
      const volume = join(bench.directory, "volume");
      const host = join(bench.directory, "host");
      for (const directory of [volume, host]) mkdirSync(directory);
      const bundle = bench.script("true", (spec) =>
        [
          { destination: "/volume", type: "bind", source: volume, options: ["rbind", "rw"] },
          { destination: "/volume/d", type: "tmpfs", source: "tmpfs" },
          { destination: "/volume/d/made/deeper", type: "tmpfs", source: "tmpfs" },
        ].reduce<Spec>(addMount, writable(spec)),
      );
      flip(bench, volume, "d", host);
      // Each may fail or succeed, as the race goes.
      for (let round = 0; round < 40; round++) bench.run(bundle);
      expectEqual(readdirSync(host), [], "host directory");
      const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
      expectEqual(
        mounts.filter((line) => line.includes(bench.directory)),
        [],
        "mounts on the host",
      );
    },
  },
  {
    name: "mounts: a destination through a symlink into /proc is refused",
    cve: "CVE-2019-16884",
    run: (bench) => {
      const bundle = bench.script("true", (spec) =>
        addMount(writable(spec), { destination: "/vol/attr", type: "tmpfs", source: "tmpfs" }),
      );
      symlinkSync("/proc/self", join(bundle.rootfs, "vol"));
      expectFailure(bench.run(bundle));
    },
  },
  {
    name: "mounts: /proc/meminfo may be covered, as lxcfs does",
    run: (bench) => {
      writeFileSync(join(bench.directory, "meminfo"), "fake\n");
      expectEqual(
        expectOk(
          bench.run(
            bench.script("cat /proc/meminfo", (spec) =>
              addMount(spec, {
                destination: "/proc/meminfo",
                type: "bind",
                source: join(bench.directory, "meminfo"),
                options: ["bind"],
              }),
            ),
          ),
        ).out,
        "fake",
      );
    },
  },
  {
    name: "mounts: an absolute symlink in the image stays in the image",
    cve: "CVE-2019-18837, 2021-30465",
    run: (bench) => {
      const outside = join(bench.directory, "outside");
      mkdirSync(outside);
      const bundle = bench.script("ls /vol/sub >/dev/null", (spec) =>
        addMount(writable(spec), { destination: "/vol/sub/deep", type: "tmpfs", source: "tmpfs" }),
      );
      symlinkSync(outside, join(bundle.rootfs, "vol"));
      bench.run(bundle);
      expectEqual(readdirSync(outside), []);
    },
  },
  {
    name: "mounts: '..' in a destination stays in the image",
    cve: "CVE-2024-45310",
    run: (bench) => {
      const bundle = bench.script("true", (spec) =>
        addMount(writable(spec), { destination: "/../../../../escaped", type: "tmpfs", source: "tmpfs" }),
      );
      bench.run(bundle);
      expectEqual(existsSync("/escaped"), false);
      expectEqual(existsSync(join(bundle.path, "escaped")), false);
    },
  },
  {
    name: "/dev: a symlink to the host is not written through",
    cve: "CVE-2026-41579, 2026-47766",
    run: (bench) => {
      const outside = join(bench.directory, "outside");
      mkdirSync(outside);
      writeFileSync(join(outside, "ptmx"), "mine");
      const bundle = bench.script("true", (spec) => ({
        ...writable(spec),
        mounts: (spec.mounts ?? []).filter(({ destination }) => !destination.startsWith("/dev")),
      }));
      plant(bundle, "dev", outside);
      bench.run(bundle);
      expectEqual(readdirSync(outside), ["ptmx"]);
      expectEqual(readFileSync(join(outside, "ptmx"), "utf8"), "mine");
    },
  },
  {
    name: "maskedPaths: /dev/null of the image is not what masks",
    cve: "CVE-2025-31133",
    run: (bench) => {
      const volume = join(bench.directory, "dev");
      mkdirSync(volume);
      symlinkSync("/proc/sys/kernel/core_pattern", join(volume, "null"));
      const bundle = bench.script("wc -c </proc/timer_list", (spec) => ({
        ...spec,
        mounts: [
          ...(spec.mounts ?? []).filter(({ destination }) => !destination.startsWith("/dev")),
          { destination: "/dev", type: "bind", source: volume, options: ["bind"] },
        ],
      }));
      const outcome = bench.run(bundle);
      if (outcome.code === 0) expectEqual(outcome.out, "0");
    },
  },
  {
    name: "files: what the runtime makes is not written through planted symlinks",
    cve: "CVE-2025-24965",
    run: (bench) => {
      const outside = join(bench.directory, "victim");
      writeFileSync(outside, "mine");
      mkdirSync(join(bench.directory, "data"));
      writeFileSync(join(bench.directory, "data/f"), "");
      const bundle = bench.script("true", (spec) =>
        addMount(writable(spec), {
          destination: "/etc/hosts",
          type: "bind",
          source: join(bench.directory, "data/f"),
          options: ["bind"],
        }),
      );
      symlinkSync(outside, join(bundle.rootfs, "etc/hosts"));
      bench.run(bundle);
      expectEqual(readFileSync(outside, "utf8"), "mine");
      rmSync(outside);
    },
  },
  {
    name: "mounts: a source of 70,000 bytes is a clean error",
    cve: "CVE-2021-43784",
    run: (bench) => {
      const outcome = expectFailure(
        bench.run(
          bench.script("true", (spec) =>
            addMount(writable(spec), {
              destination: "/x",
              type: "bind",
              source: `/${"a".repeat(70_000)}`,
              options: ["bind"],
            }),
          ),
        ),
      );
      if (outcome.code > 127) throw new Error(`exit ${outcome.code}: not a clean error`);
    },
  },
];
