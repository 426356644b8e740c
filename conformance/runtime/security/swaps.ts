// Names of a shared volume or root change their meaning while the runtime works: nothing of the host may be made, changed or mounted
// on, and what is mounted must be where it belongs. Each case names the attack.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Mount, Spec } from "@teu/specs/runtime";
import { type Bench, type RuntimeCase, expectEqual, expectOk, withLinux, withProcess } from "../case.ts";
import { consoleSocket, keepSwapping, plant, race, textOf, writable } from "./attack.ts";

const ROUNDS = 60;
const SECONDS = 4;

const addMounts = (spec: Spec, ...mounts: readonly Mount[]): Spec => ({
  ...spec,
  mounts: [...(spec.mounts ?? []), ...mounts],
});
const volumeAt = (destination: string, source: string): Mount => ({
  destination,
  source,
  type: "bind",
  options: ["rbind", "rw"],
});

function directories(bench: Bench, ...names: readonly string[]): string[] {
  return names.map((name) => {
    const path = join(bench.directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  });
}

/** No mount of this (private) mount namespace has the text in its line. */
function expectNoMounts(text: string): void {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  expectEqual(
    lines.filter((line) => line.includes(text)),
    [],
    "mounts on the host",
  );
}

/** /dev as a directory of the host that somebody else can change: with null and the like, and without. */
function sharedDev(bench: Bench): string {
  const [dev = ""] = directories(bench, "dev");
  for (const [name, minor] of Object.entries({ null: 3, zero: 5, full: 7, random: 8, urandom: 9 }))
    expectEqual(spawnSync("mknod", ["-m", "666", join(dev, name), "c", "1", String(minor)]).status, 0, `mknod ${name}`);
  mkdirSync(join(dev, "pts"));
  mkdirSync(join(dev, "shm"));
  symlinkSync("pts/ptmx", join(dev, "ptmx"));
  return dev;
}

const onSharedDev = (spec: Spec, dev: string): Spec => ({
  ...spec,
  mounts: (spec.mounts ?? []).flatMap((mount) =>
    mount.destination === "/dev"
      ? [volumeAt("/dev", dev)]
      : mount.destination === "/dev/pts" || !mount.destination.startsWith("/dev/")
        ? [mount]
        : [],
  ),
});

export const cases: readonly RuntimeCase[] = [
  {
    name: "swap: a mount destination exchanged with a link to the host makes nothing there",
    cve: "CVE-2019-18837, 2021-30465, 2024-45310",
    run: (bench) => {
      const [volume = "", host = ""] = directories(bench, "volume", "host");
      mkdirSync(join(volume, "d"));
      symlinkSync(host, join(volume, "link"));
      const bundle = bench.script("true", (spec) =>
        addMounts(
          writable(spec),
          volumeAt("/volume", volume),
          { destination: "/volume/d", type: "tmpfs", source: "tmpfs" },
          { destination: "/volume/d/made/deeper", type: "tmpfs", source: "tmpfs" },
          volumeAt("/volume/d/made/file/deep", volume),
        ),
      );
      keepSwapping(bench, join(volume, "d"), join(volume, "link"));
      race(ROUNDS, SECONDS, () => bench.run(bundle));
      expectEqual(readdirSync(host), [], "host directory");
      expectNoMounts(bench.directory);
    },
  },
  {
    name: "swap: directories made for a destination are made in the root only",
    cve: "CVE-2024-45310",
    run: (bench) => {
      const [volume = "", host = ""] = directories(bench, "volume", "host");
      mkdirSync(join(volume, "d/e"), { recursive: true });
      symlinkSync("../".repeat(12) + host.slice(1), join(volume, "link"));
      const bundle = bench.script("true", (spec) =>
        addMounts(writable(spec), volumeAt("/volume", volume), {
          destination: "/volume/d/e/f/g/h",
          type: "tmpfs",
          source: "tmpfs",
        }),
      );
      const stop = keepSwapping(bench, join(volume, "d"), join(volume, "link"));
      race(ROUNDS, SECONDS, () => {
        bench.run(bundle);
        rmSync(join(volume, "d/e/f"), { recursive: true, force: true });
      });
      stop();
      expectEqual(readdirSync(host), [], "host directory");
      expectNoMounts(bench.directory);
    },
  },
  ...["proc", "sys"].map((name): RuntimeCase => ({
    name: `swap: /${name} exchanged with a link: its file system is at /${name} or nothing runs`,
    cve: name === "proc" ? "CVE-2019-19921, 2023-27561" : "CVE-2023-28642",
    run: (bench) => {
      // Read-only, the root would be refused as soon as something is to be made in it.
      // What other mounts have made in /bad, through the link and inside the root, is no harm: "fs" and "cgroup" for the one below /sys.
      const bundle = bench.script(`ls -d /bad/self /bad/kernel; grep ' /${name} ' /proc/self/mounts`, writable);
      mkdirSync(join(bundle.rootfs, "bad"));
      symlinkSync("/bad", join(bundle.rootfs, "link"));
      keepSwapping(bench, join(bundle.rootfs, name), join(bundle.rootfs, "link"));
      race(ROUNDS, SECONDS, () => {
        const { code, out } = bench.run(bundle);
        if (code !== 0) return;
        if (!new RegExp(`^(proc|sysfs) /${name} `).test(out)) throw new Error(`/${name} is elsewhere: ${out}`);
      });
    },
  })),
  {
    name: "swap: /proc is a link and the configuration binds the host's there: refused",
    cve: "CVE-2019-19921",
    run: (bench) => {
      const bundle = bench.script("test -e /bad/version && echo exposed; true", (spec) =>
        withLinux(
          {
            ...writable(spec),
            mounts: (spec.mounts ?? []).map((mount) =>
              mount.destination === "/proc" ? volumeAt("/proc", "/proc") : mount,
            ),
          },
          { namespaces: (spec.linux?.namespaces ?? []).filter(({ type }) => type !== "pid") },
        ),
      );
      mkdirSync(join(bundle.rootfs, "bad"));
      plant(bundle, "proc", "/bad");
      const { out } = bench.run(bundle);
      if (out !== "") throw new Error("the host's /proc is at /bad");
    },
  },
  {
    name: "swap: /dev/null exchanged with a link: what is masked is masked, and nothing else is bound",
    cve: "CVE-2025-31133",
    run: (bench) => {
      const dev = sharedDev(bench);
      symlinkSync("/proc/sys/kernel/core_pattern", join(dev, "null2"));
      const [out_ = ""] = directories(bench, "out");
      const bundle = bench.script("cat /proc/version >/out/version; cat /proc/self/mountinfo >/out/mounts", (spec) =>
        withLinux(addMounts(onSharedDev(spec, dev), volumeAt("/out", out_)), { maskedPaths: ["/proc/version"] }),
      );
      keepSwapping(bench, join(dev, "null"), join(dev, "null2"));
      race(ROUNDS, SECONDS, () => {
        for (const name of ["version", "mounts"]) rmSync(join(out_, name), { force: true });
        if (bench.run(bundle).code !== 0) return;
        expectEqual(textOf(join(out_, "version")), "", "/proc/version");
        const bound = textOf(join(out_, "mounts"))
          .split("\n")
          .filter((line) => /core_pattern/.test(line));
        expectEqual(bound, [], "bound");
      });
    },
  },
  {
    name: "swap: without a /dev/null in the image, what is masked is masked all the same",
    cve: "CVE-2025-31133",
    run: (bench) => {
      const dev = sharedDev(bench);
      rmSync(join(dev, "null"));
      const bundle = bench.script("wc -c </proc/version", (spec) =>
        withLinux(onSharedDev(spec, dev), { maskedPaths: ["/proc/version"] }),
      );
      const { code, out } = bench.run(bundle);
      if (code === 0) expectEqual(out.trim(), "0", "bytes of /proc/version");
    },
  },
  ...[
    ["console", "/proc/sysrq-trigger"],
    ["console", "/../../victim"],
    ["pts", "/proc/self/attr"],
  ].map(([name = "", goal = ""]): RuntimeCase => ({
    name: `swap: /dev/${name} exchanged with a link to ${goal}: the terminal is bound on /dev/console or nothing runs`,
    cve: "CVE-2025-52565",
    run: (bench) => {
      const dev = sharedDev(bench);
      if (name === "console") writeFileSync(join(dev, "console"), "");
      symlinkSync(goal, join(dev, `${name}2`));
      const [out = ""] = directories(bench, "out");
      const bundle = bench.script("cat /proc/self/mountinfo >/out/next; mv /out/next /out/mounts", (spec) =>
        withProcess(addMounts(onSharedDev(writable(spec), dev), volumeAt("/out", out)), { terminal: true }),
      );
      symlinkSync("busybox", join(bundle.rootfs, "bin/mv"));
      const socket = consoleSocket(bench);
      keepSwapping(bench, join(dev, name), join(dev, `${name}2`));
      race(ROUNDS, SECONDS, () => {
        const id = bench.id();
        rmSync(join(out, "mounts"), { force: true });
        const flags = ["--bundle", bundle.path, "--console-socket", socket];
        if (bench.call("create", ...flags, id).code === 0 && bench.call("start", id).code === 0)
          bench.until("the container has ended", () => bench.status(id) === "stopped");
        bench.call("delete", "--force", id);
        const terminals = textOf(join(out, "mounts"))
          .split("\n")
          .filter((line) => / (\/\d+) \S+ .* - devpts /.test(line));
        for (const line of terminals)
          // A name that is exchanged later takes the mount with it.
          if (!/ \/dev\/console2? /.test(line)) throw new Error(`the terminal is elsewhere: ${line}`);
      });
      expectNoMounts(bench.directory);
    },
  })),
  {
    name: "terminal: a link in place of /dev/console is not followed",
    cve: "CVE-2025-52565",
    run: (bench) => {
      const dev = sharedDev(bench);
      const [out = ""] = directories(bench, "out");
      const bundle = bench.script("cat /proc/self/mountinfo >/out/next; mv /out/next /out/mounts", (spec) =>
        withProcess(addMounts(onSharedDev(writable(spec), dev), volumeAt("/out", out)), { terminal: true }),
      );
      symlinkSync("busybox", join(bundle.rootfs, "bin/mv"));
      // There is one on the host, and one of the same name in the root.
      const victim = join(bench.directory, "victim");
      writeFileSync(victim, "");
      mkdirSync(join(bundle.rootfs, bench.directory), { recursive: true });
      writeFileSync(join(bundle.rootfs, victim), "");
      symlinkSync(victim, join(dev, "console"));
      const id = bench.id();
      const flags = ["--bundle", bundle.path, "--console-socket", consoleSocket(bench)];
      if (bench.call("create", ...flags, id).code !== 0) return;
      expectOk(bench.call("start", id));
      bench.until("the container has ended", () => bench.status(id) === "stopped");
      const points = textOf(join(out, "mounts"))
        .split("\n")
        .filter((line) => / - devpts /.test(line))
        .map((line) => line.split(" ")[4]);
      expectEqual(points.sort(), ["/dev/console", "/dev/pts"], "where the terminals are");
    },
  },
  {
    name: "sysctl: what a mount hides below /proc/sys is not what is written",
    cve: "CVE-2025-52881",
    run: (bench) => {
      const victim = join(bench.directory, "victim");
      writeFileSync(victim, "mine");
      const bundle = bench.script("true", (spec) => ({
        ...withLinux(spec, { sysctl: { "net.ipv4.ip_forward": "1" }, readonlyPaths: [] }),
        hooks: {
          // Stands for another container's mount that arrives through a shared one.
          createContainer: [
            {
              path: "/bin/busybox",
              args: [
                "busybox",
                "mount",
                "--bind",
                victim,
                join(bench.directory, "bundle0/rootfs/proc/sys/net/ipv4/ip_forward"),
              ],
            },
          ],
        },
      }));
      bench.run(bundle);
      expectEqual(readFileSync(victim, "utf8"), "mine");
    },
  },
  {
    name: "sysctl: /proc/sys as a whole hidden by a directory of somebody's",
    cve: "CVE-2025-52881",
    run: (bench) => {
      const [fake = ""] = directories(bench, "fake/net/ipv4");
      writeFileSync(join(fake, "ip_forward"), "mine");
      const bundle = bench.script("true", (spec) => ({
        ...withLinux(spec, { sysctl: { "net.ipv4.ip_forward": "1" }, readonlyPaths: [] }),
        hooks: {
          createContainer: [
            {
              path: "/bin/busybox",
              args: [
                "busybox",
                "mount",
                "--bind",
                join(bench.directory, "fake"),
                join(bench.directory, "bundle0/rootfs/proc/sys"),
              ],
            },
          ],
        },
      }));
      bench.run(bundle);
      expectEqual(readFileSync(join(fake, "ip_forward"), "utf8"), "mine");
    },
  },
  {
    name: "rootfs: a link in its place leads to its goal only, or is refused",
    run: (bench) => {
      const bundle = bench.script("cat /marker", writable);
      const goal = mkdtempSync(join(bench.directory, "goal-"));
      cpSync(bundle.rootfs, goal, { recursive: true, verbatimSymlinks: true });
      rmSync(bundle.rootfs, { recursive: true });
      writeFileSync(join(goal, "marker"), "goal");
      symlinkSync(goal, bundle.rootfs);
      const { code, out } = bench.run(bundle);
      if (code === 0) expectEqual(out, "goal");
    },
  },
  {
    name: "rootfs: exchanged with a link to another directory, all is made in the one that runs",
    cve: "CVE-2023-27561",
    run: (bench) => {
      const bundle = bench.script("cat /marker; ls -d /made", (spec) =>
        addMounts(writable(spec), { destination: "/made", type: "tmpfs", source: "tmpfs" }),
      );
      writeFileSync(join(bundle.rootfs, "marker"), "right\n");
      const [other = ""] = directories(bench, "other");
      symlinkSync(other, join(bundle.path, "link"));
      keepSwapping(bench, bundle.rootfs, join(bundle.path, "link"));
      race(ROUNDS, SECONDS, () => {
        const { code, out } = bench.run(bundle);
        if (code === 0) expectEqual(out, "right\n/made");
      });
      expectNoMounts(bench.directory);
      // What is there may only be what a container's root gets when it is the other directory that was opened.
      expectEqual(
        readdirSync(other).filter((name) => !["dev", "made", "proc", "sys"].includes(name)),
        [],
        "other directory",
      );
    },
  },
  {
    name: "tmpcopyup: what the image has there is copied without leaving it, and a FIFO is no trap",
    run: (bench) => {
      const victim = join(bench.directory, "victim");
      writeFileSync(victim, "secret");
      const bundle = bench.script("cat /data/link /data/deep/link; ls /data", (spec) =>
        addMounts(writable(spec), { destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] }),
      );
      mkdirSync(join(bundle.rootfs, "data/deep"), { recursive: true });
      symlinkSync(victim, join(bundle.rootfs, "data/link"));
      symlinkSync(`${"../".repeat(20)}${victim.slice(1)}`, join(bundle.rootfs, "data/deep/link"));
      expectOk({ code: spawnSync("mkfifo", [join(bundle.rootfs, "data/fifo")]).status ?? -1, out: "", err: "mkfifo" });
      const { out, code } = bench.run(bundle);
      if (out.includes("secret")) throw new Error("a file of the host was copied");
      if (code === -1) throw new Error("hangs");
    },
  },
];
