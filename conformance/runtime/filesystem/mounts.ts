// The container's file system: mounts and their options, devices, masked and read-only paths (runtime-spec, "Mounts", "Linux").

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Mount, Spec } from "@teu/specs/runtime";
import {
  type RuntimeCase,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  withLinux,
  withProcess,
} from "../case.ts";

const addMount = (spec: Spec, mount: Mount): Spec => ({ ...spec, mounts: [...(spec.mounts ?? []), mount] });

export const cases: readonly RuntimeCase[] = [
  {
    name: "root: read-only when asked for",
    run: (bench) => void expectFailure(bench.run(bench.script("touch /x"))),
  },
  {
    name: "root: nothing of the host's tree is mounted inside",
    run: (bench) => {
      const { out } = expectOk(bench.run(bench.script("cat /proc/self/mountinfo")));
      const points = out.split("\n").map((line) => line.split(" ")[4] ?? "");
      expectEqual(
        points.filter((point) => !/^\/($|proc|sys|dev)/.test(point) || point.includes("teu-conformance")),
        [],
        "mounts",
      );
      expectEqual(points.filter((point) => point === "/").length, 1, "mounts on /");
    },
  },
  {
    name: "root: writable else",
    run: (bench) =>
      void expectOk(bench.run(bench.script("touch /x", (spec) => ({ ...spec, root: { path: "rootfs" } })))),
  },
  {
    name: "mounts: bind of a file and of a directory, targets made",
    run: (bench) => {
      mkdirSync(join(bench.directory, "data"));
      writeFileSync(join(bench.directory, "data/f"), "hello");
      const bundle = bench.script("cat /a/b/f /c/f", (spec) =>
        addMount(
          addMount(
            { ...spec, root: { path: "rootfs" } },
            { destination: "/a/b", type: "bind", source: join(bench.directory, "data"), options: ["bind"] },
          ),
          { destination: "/c/f", type: "bind", source: join(bench.directory, "data/f"), options: ["bind", "ro"] },
        ),
      );
      expectEqual(expectOk(bench.run(bundle)).out, "hellohello");
    },
  },
  {
    name: "mounts: ro bind cannot be written",
    run: (bench) => {
      mkdirSync(join(bench.directory, "data"));
      const bundle = bench.script("touch /data/x", (spec) =>
        addMount(
          { ...spec, root: { path: "rootfs" } },
          {
            destination: "/data",
            type: "bind",
            source: join(bench.directory, "data"),
            options: ["rbind", "ro", "nosuid", "nodev"],
          },
        ),
      );
      expectFailure(bench.run(bundle));
    },
  },
  {
    name: "mounts: tmpfs with size and mode",
    run: (bench) => {
      const bundle = bench.script("stat -c %a /scratch; mount | grep /scratch", (spec) =>
        addMount(
          { ...spec, root: { path: "rootfs" } },
          {
            destination: "/scratch",
            type: "tmpfs",
            source: "tmpfs",
            options: ["nosuid", "noexec", "size=1m", "mode=1770"],
          },
        ),
      );
      const { out } = expectOk(bench.run(bundle));
      expectMatch(out, /^1770\n/);
      expectMatch(out, /nosuid.*noexec.*size=1024k/);
    },
  },
  {
    name: "mounts: tmpfs on a new directory is for everybody, with tmpcopyup too, unless a mode is given",
    run: (bench) => {
      const tmpfs = (destination: string, ...options: string[]): Mount => ({
        destination,
        type: "tmpfs",
        source: "tmpfs",
        options,
      });
      const bundle = bench.script("stat -c '%n %a' /a/b /copied /given", (spec) => ({
        ...spec,
        root: { path: "rootfs" },
        mounts: [
          ...(spec.mounts ?? []),
          tmpfs("/a/b", "nosuid"),
          tmpfs("/copied", "tmpcopyup"),
          tmpfs("/given", "tmpcopyup", "mode=700"),
        ],
      }));
      expectEqual(expectOk(bench.run(bundle)).out, "/a/b 1777\n/copied 1777\n/given 700");
    },
  },
  {
    // crun 1.8.1 does not.
    name: "mounts: tmpfs on a directory that is there takes its mode",
    run: (bench) => {
      const bundle = bench.script("stat -c %a /there", (spec) =>
        addMount(spec, { destination: "/there", type: "tmpfs", source: "tmpfs" }),
      );
      mkdirSync(join(bundle.rootfs, "there"));
      chmodSync(join(bundle.rootfs, "there"), 0o711);
      expectEqual(expectOk(bench.run(bundle)).out, "711");
    },
  },
  {
    name: "mounts: a later one covers an earlier one, in order",
    run: (bench) => {
      mkdirSync(join(bench.directory, "data"));
      writeFileSync(join(bench.directory, "data/f"), "below");
      const bundle = bench.script("ls /m", (spec) =>
        addMount(
          addMount(
            { ...spec, root: { path: "rootfs" } },
            { destination: "/m", type: "bind", source: join(bench.directory, "data"), options: ["bind"] },
          ),
          { destination: "/m", type: "tmpfs", source: "tmpfs" },
        ),
      );
      expectEqual(expectOk(bench.run(bundle)).out, "");
    },
  },
  {
    name: "devices: the default ones work, and have their numbers",
    run: (bench) => {
      const { out } = expectOk(
        bench.run(
          bench.script(
            "for d in null zero full random urandom tty; do stat -c '%t:%T' /dev/$d; done; echo x >/dev/null; for l in ptmx fd stdin; do readlink /dev/$l; done",
          ),
        ),
      );
      expectEqual(out.split("\n"), [
        "1:3",
        "1:5",
        "1:7",
        "1:8",
        "1:9",
        "5:0",
        "pts/ptmx",
        "/proc/self/fd",
        "/proc/self/fd/0",
      ]);
    },
  },
  {
    name: "devices: own device with mode and owner",
    run: (bench) => {
      const bundle = bench.script("stat -c '%t:%T %a %u' /dev/mine", (spec) =>
        withLinux(spec, {
          devices: [{ type: "c", path: "/dev/mine", major: 1, minor: 3, fileMode: 0o640, uid: 7, gid: 8 }],
        }),
      );
      expectEqual(expectOk(bench.run(bundle)).out, "1:3 640 7");
    },
  },
  {
    name: "maskedPaths: a file reads as empty, a directory is empty",
    run: (bench) =>
      expectEqual(
        expectOk(bench.run(bench.script("cat /proc/timer_list /proc/keys | wc -c; ls /sys/firmware | wc -l")))
          .out.split("\n")
          .map((line) => line.trim()),
        ["0", "0"],
      ),
  },
  {
    name: "readonlyPaths: cannot be written",
    run: (bench) => {
      // With the right to change it, were it not read-only.
      const names = ["CAP_NET_ADMIN"] as const;
      const outcome = bench.run(
        bench.script("echo 1 > /proc/sys/net/ipv4/ip_forward", (spec) =>
          withProcess(spec, { capabilities: { bounding: [...names], effective: [...names], permitted: [...names] } }),
        ),
      );
      expectMatch(expectFailure(outcome).err, /Read-only file system/);
    },
  },
  {
    name: "sysctl: set in the container's namespace",
    run: (bench) =>
      expectEqual(
        expectOk(
          bench.run(
            bench.script("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni", (spec) =>
              withLinux(spec, { sysctl: { "net.ipv4.ip_forward": "1", "kernel.shmmni": "77" } }),
            ),
          ),
        ).out.split("\n"),
        ["1", "77"],
      ),
  },
  {
    name: "sysctl: error for one that is not namespaced",
    run: (bench) =>
      void expectFailure(
        bench.run(bench.script("true", (spec) => withLinux(spec, { sysctl: { "vm.swappiness": "1" } }))),
      ),
  },
];
