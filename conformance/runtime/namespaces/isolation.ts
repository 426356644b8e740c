// Namespaces: new ones isolate, given ones are joined, none is shared by accident (runtime-spec, "Namespaces").

import { spawn, spawnSync } from "node:child_process";
import { readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NamespaceType, Spec } from "@teu/specs/runtime";
import { type RuntimeCase, expectEqual, expectFailure, expectMatch, expectOk, withLinux } from "../case.ts";

const add = (spec: Spec, ...types: NamespaceType[]): Spec =>
  withLinux(spec, { namespaces: [...(spec.linux?.namespaces ?? []), ...types.map((type) => ({ type }))] });
const own = (name: string): string => readlinkSync(`/proc/self/ns/${name}`);
const MAPS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

const withHostMounts = (spec: Spec): Spec =>
  withLinux(spec, {
    // runc refuses masks here.
    maskedPaths: [],
    readonlyPaths: [],
    namespaces: (spec.linux?.namespaces ?? []).filter(({ type }) => type !== "mount"),
  });

/** What a runtime has left mounted on a root. */
function unmountAll(rootfs: string): void {
  const below = (): string[] =>
    readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter((point) => point === rootfs || point.startsWith(`${rootfs}/`));
  for (let left = below(); left.length > 0; left = below())
    expectEqual(spawnSync("umount", [left.at(-1) ?? ""]).status, 0, "unmount what was left");
}

export const cases: readonly RuntimeCase[] = [
  {
    name: "namespaces: the listed ones are new, the others the host's",
    run: (bench) => {
      const { out } = expectOk(
        bench.run(bench.script("for n in pid net ipc uts mnt user; do readlink /proc/self/ns/$n; done")),
      );
      const [pid, net, ipc, uts, mnt, user] = out.split("\n");
      for (const [name, value] of Object.entries({ pid, net, ipc, uts, mnt }))
        if (value === own(name)) throw new Error(`${name} namespace is the host's`);
      expectEqual(user, own("user"));
    },
  },
  {
    name: "pid: first process is 1 and sees only its own",
    run: (bench) =>
      expectEqual(
        expectOk(bench.run(bench.script("echo $$; ls -d /proc/[0-9]* | wc -l")))
          .out.split("\n")
          .map((line) => line.trim())[0],
        "1",
      ),
  },
  { name: "uts: hostname", run: (bench) => expectEqual(expectOk(bench.run(bench.script("hostname"))).out, "box") },
  {
    name: "network: only lo, and it is up",
    run: (bench) =>
      expectMatch(
        expectOk(bench.run(bench.script("ip link | grep -E '^[0-9]+: (lo|eth|ens|veth)'"))).out,
        /^1: lo: <[^>]*UP[^>]*>.*$/,
      ),
  },
  {
    name: "cgroup: the container's cgroup is the root",
    run: (bench) => {
      const { out } = expectOk(
        bench.run(bench.script("grep -E ':(memory|pids|):' /proc/self/cgroup", (spec) => add(spec, "cgroup"))),
      );
      for (const line of out.split("\n")) expectMatch(line, /:\/$/);
    },
  },
  {
    name: "user: root inside is another user outside, and owns what it makes",
    run: (bench) => {
      spawnSync("chown", ["-R", "100000:100000", bench.directory]);
      const bundle = bench.script("id -u; cat /proc/self/uid_map; touch /tmp/x; stat -c %u /tmp/x /dev/null", (spec) =>
        withLinux(add({ ...spec, root: { path: "rootfs" } }, "user"), { uidMappings: MAPS, gidMappings: MAPS }),
      );
      spawnSync("chmod", ["-R", "a+rwX", bench.directory]);
      const lines = expectOk(bench.run(bundle)).out.split("\n");
      expectEqual(lines[0], "0");
      expectMatch(lines[1] ?? "", /^\s*0\s+100000\s+65536$/);
    },
  },
  {
    name: "user: the queues of its ipc namespace are root's",
    run: (bench) => {
      const bundle = bench.script("stat -c %u /dev/mqueue", (spec) =>
        withLinux(add(spec, "user"), { uidMappings: MAPS, gidMappings: MAPS }),
      );
      spawnSync("chmod", ["-R", "a+rX", bench.directory]);
      expectEqual(expectOk(bench.run(bundle)).out, "0");
    },
  },
  {
    name: "network: joined by path",
    run: (bench) => {
      const holder = spawn("unshare", ["--net", "sleep", "30"], { stdio: "ignore" });
      bench.defer(() => void holder.kill("SIGKILL"));
      const path = `/proc/${holder.pid}/ns/net`;
      bench.until("namespace is there", () => readlinkSync(path) !== own("net"));
      const bundle = bench.script("readlink /proc/self/ns/net", (spec) =>
        withLinux(spec, {
          namespaces: (spec.linux?.namespaces ?? []).map((one) => (one.type === "network" ? { ...one, path } : one)),
        }),
      );
      expectEqual(expectOk(bench.run(bundle)).out, readlinkSync(path));
    },
  },
  {
    name: "mount: not listed, the container is in the host's, whose mounts stay as they are",
    run: (bench) => {
      const bundle = bench.script("exec sleep 30", withHostMounts);
      bench.defer(() => unmountAll(bundle.rootfs));
      const before = readFileSync("/proc/self/mountinfo", "utf8");
      const id = bench.id();
      expectOk(bench.call("create", "--bundle", bundle.path, id));
      const { pid } = JSON.parse(expectOk(bench.call("state", id)).out) as { pid: number };
      expectEqual(readlinkSync(`/proc/${pid}/ns/mnt`), own("mnt"), "mount namespace");
      expectOk(bench.call("start", id));
      const exec = expectOk(bench.call("exec", id, "/bin/sh", "-c", "ls -d /bin/busybox /proc/1/ns /dev/null; pwd"));
      expectEqual(exec.out, "/bin/busybox\n/dev/null\n/proc/1/ns\n/");
      expectEqual(readFileSync("/proc/self/mountinfo", "utf8"), before, "mounts of the host while it runs");
      expectOk(bench.call("delete", "--force", id));
      expectEqual(readFileSync("/proc/self/mountinfo", "utf8"), before, "mounts of the host after it");
    },
  },
  {
    name: "mount: not listed, the host's tree is out of reach",
    run: (bench) => {
      const marker = join(bench.directory, "outside");
      writeFileSync(marker, "");
      const script = `ls -d ${marker} ../../../..${marker} /proc/1/root${marker}; cd /proc/1/cwd && ls -d ..${marker}; pwd -P`;
      const bundle = bench.script(`(${script}) 2>/dev/null; exec sleep 30`, withHostMounts);
      bench.defer(() => unmountAll(bundle.rootfs));
      const id = bench.started(bundle);
      expectEqual(expectOk(bench.call("exec", id, "/bin/sh", "-c", `(${script}) 2>/dev/null`)).out, "/");
    },
  },
  {
    name: "namespaces: error when one is given twice",
    run: (bench) => void expectFailure(bench.run(bench.script("true", (spec) => add(spec, "pid")))),
  },
  {
    name: "hostname: error without a uts namespace of its own",
    run: (bench) =>
      void expectFailure(
        bench.run(
          bench.script("true", (spec) =>
            withLinux(spec, { namespaces: (spec.linux?.namespaces ?? []).filter(({ type }) => type !== "uts") }),
          ),
        ),
      ),
  },
  {
    name: "exec: is in every namespace of the container",
    run: (bench) => {
      const id = bench.started(bench.script("sleep 30"));
      const { out } = expectOk(
        bench.call(
          "exec",
          id,
          "/bin/sh",
          "-c",
          "for n in pid net ipc uts mnt; do [ $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) ] || echo $n; done",
        ),
      );
      expectEqual(out, "");
    },
  },
];
