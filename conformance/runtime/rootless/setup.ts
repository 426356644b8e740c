// What a container of a user without privileges is made of: ids, cgroups, devices, file systems, network.

import { mkdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { Mount, NamespaceType, Spec } from "@teu/specs/runtime";
import {
  type RuntimeCase,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  withLinux,
  withProcess,
} from "../case.ts";
import { MANY, OWN, SUBORDINATE, User, skipFor } from "./user.ts";

const add = (spec: Spec, ...types: NamespaceType[]): Spec =>
  withLinux(spec, { namespaces: [...(spec.linux?.namespaces ?? []), ...types.map((type) => ({ type }))] });
const many = (spec: Spec): Spec => withLinux(spec, { uidMappings: [...MANY], gidMappings: [...MANY] });
const withMount = (spec: Spec, destination: string, change: (mount: Mount) => Mount): Spec => ({
  ...spec,
  mounts: (spec.mounts ?? []).map((mount) => (mount.destination === destination ? change(mount) : mount)),
});
const words = (text: string): string[] => text.trim().split(/\s+/);

export const cases: readonly RuntimeCase[] = [
  {
    name: "rootless: root inside is the user outside, and nobody else is mapped",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.script("id -u; cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups");
      const [id, uids, gids, setgroups] = expectOk(user.run(bundle)).out.split("\n");
      expectEqual(id, "0");
      expectEqual(words(uids ?? ""), ["0", String(OWN), "1"]);
      expectEqual(words(gids ?? ""), ["0", String(OWN), "1"]);
      expectEqual(setgroups, "deny");
    },
  },
  {
    name: "rootless: subordinate ids through newuidmap and newgidmap",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.script(
        "id -u; id -g; cat /proc/self/uid_map; cat /proc/self/setgroups; touch /tmp/mine",
        (spec) => many(withProcess({ ...spec, root: { path: "rootfs" } }, { user: { uid: 7, gid: 8 } })),
      );
      // Others than the user have to be able to write there.
      const writable = user.through(`chmod 777 '${bundle.rootfs}/tmp'`);
      const run = user.callWith({ through: writable }, "run", "--bundle", bundle.path, bench.id());
      const [uid, gid, first, second, setgroups] = expectOk(run).out.split("\n");
      expectEqual([uid, gid, setgroups], ["7", "8", "allow"]);
      expectEqual(
        [words(first ?? ""), words(second ?? "")],
        [
          ["0", String(OWN), "1"],
          ["1", String(SUBORDINATE), "65535"],
        ],
      );
    },
  },
  {
    name: "rootless: additional groups where subordinate ids are mapped",
    run: (bench) => {
      skipFor(bench, "runc", "it refuses them for every user but root; podman passes them on");
      const user = new User(bench);
      const bundle = user.script("grep ^Groups: /proc/self/status", (spec) =>
        many(withProcess(spec, { user: { uid: 7, gid: 8, additionalGids: [5, 9] } })),
      );
      expectEqual(words(expectOk(user.run(bundle)).out), ["Groups:", "5", "9"]);
    },
  },
  {
    name: "rootless: error when subordinate ids are not granted",
    run: (bench) => {
      const user = new User(bench);
      const stolen = [...MANY.slice(0, 1), { containerID: 1, hostID: 1, size: 10 }];
      const bundle = user.bundle((spec) => withLinux(spec, { uidMappings: stolen, gidMappings: [...MANY] }));
      expectMatch(expectFailure(user.run(bundle)).err, /newuidmap/);
    },
  },
  {
    name: "rootless: error when the process's user is not mapped",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.bundle((spec) => withProcess(spec, { user: { uid: 7, gid: 0 } }));
      expectFailure(user.run(bundle));
    },
  },
  {
    name: "rootless: a cgroup that cannot be made is done without",
    run: (bench) => {
      const user = new User(bench);
      expectEqual(expectOk(user.run(user.script("echo runs"))).out, "runs");
      expectEqual(
        expectOk(user.callWith({}, "--rootless", "true", "run", "-b", user.script("echo on").path, bench.id())).out,
        "on",
      );
    },
  },
  {
    name: "rootless: error when a limit was asked for and cannot be set",
    run: (bench) => {
      skipFor(bench, "crun", "it drops the limit without a word");
      const user = new User(bench);
      const bundle = user.bundle((spec) => withLinux(spec, { resources: { pids: { limit: 20 } } }));
      expectMatch(
        expectFailure(user.run(bundle)).err,
        /cannot set pids limit|rootless needs no limits|permission denied/,
      );
    },
  },
  {
    name: "rootless: error when a cgroup was named and cannot be made",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.bundle((spec) => withLinux(spec, { cgroupsPath: "/teu-conformance-rootless" }));
      // crun looks for the parent of what it could not make.
      expectMatch(expectFailure(user.run(bundle)).err, /permission denied|creating cgroup directory/i);
    },
  },
  {
    name: "rootless: error without a user namespace",
    run: (bench) => {
      skipFor(bench, "crun", "it makes one by itself");
      const user = new User(bench);
      const bundle = user.bundle((spec) => {
        const { uidMappings, gidMappings, ...linux } = spec.linux ?? {};
        void [uidMappings, gidMappings];
        const namespaces = (linux.namespaces ?? []).filter(({ type }) => type !== "user");
        return { ...spec, linux: { ...linux, namespaces } };
      });
      expectMatch(expectFailure(user.run(bundle)).err, /rootless container requires user namespaces/);
    },
  },
  {
    name: "rootless: cgroups are shown read-only, with and without a cgroup namespace",
    cve: "CVE-2023-25809",
    run: (bench) => {
      const user = new User(bench);
      for (const types of [[], ["cgroup"]] as const) {
        const bundle = user.script(
          "grep -E ' - cgroup2? ' /proc/self/mountinfo | tail -n 8; ls /sys/fs/cgroup/*/tasks /sys/fs/cgroup/cgroup.procs | wc -l",
          (spec) => add(spec, ...types),
        );
        const lines = expectOk(user.run(bundle)).out.split("\n");
        expectMatch(lines.pop() ?? "", /^[1-9]/);
        // Of mounts that lie on one another the last one is seen.
        const seen = new Map(lines.map((line) => [line.split(" ")[4] ?? "", line]));
        for (const line of seen.values()) expectMatch(line, / \/sys\/fs\/cgroup\S* ro,/);
      }
    },
  },
  {
    name: "rootless: the host's network without a network namespace, only lo in a new one",
    run: (bench) => {
      const user = new User(bench);
      const outside = user.script("readlink /proc/self/ns/net");
      const inside = user.script("ip link | grep -E '^1: lo: <[^>]*UP'", (spec) => add(spec, "network"));
      expectEqual(expectOk(user.run(outside)).out, readlinkSync("/proc/self/ns/net"));
      expectMatch(expectOk(user.run(inside)).out, /^1: lo/);
    },
  },
  {
    name: "rootless: a sysfs of its own in a new network namespace",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.script(
        "ls /sys/class/net | grep -v -E '^(lo|ifb|sit|tun|gre|ip|erspan|tap|bonding)' | wc -l; ls -d /sys/class/net/lo",
        (spec) =>
          withMount(add(spec, "network"), "/sys", () => ({ destination: "/sys", type: "sysfs", source: "sysfs" })),
      );
      expectMatch(expectOk(user.run(bundle)).out, /\/sys\/class\/net\/lo$/);
    },
  },
  {
    name: "rootless: the host's /sys, read-only, for a sysfs that shows the host's network",
    run: (bench) => {
      skipFor(bench, "runc", "it refuses such a configuration");
      const user = new User(bench);
      const bundle = user.script("ls -d /sys/class/net/lo; touch /sys/class/x || echo refused", (spec) =>
        withMount(spec, "/sys", () => ({ destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] })),
      );
      expectMatch(expectOk(user.run(bundle)).out, /lo\nrefused$/);
    },
  },
  {
    name: "rootless: devices are the host's, and no other can be made",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.script(
        "for d in null zero full random urandom tty; do stat -c %t:%T /dev/$d; done; echo x > /dev/null; mknod /dev/disk b 8 0 || echo refused; readlink /dev/ptmx",
      );
      expectEqual(expectOk(user.run(bundle)).out.split("\n"), [
        "1:3",
        "1:5",
        "1:7",
        "1:8",
        "1:9",
        "5:0",
        "refused",
        "pts/ptmx",
      ]);
    },
  },
  {
    name: "rootless: terminals belong to a group that is mapped when tty is not",
    run: (bench) => {
      skipFor(bench, "runc", "it refuses the option");
      skipFor(bench, "crun", "1.8 passes the option on, and the kernel refuses it");
      const user = new User(bench);
      const bundle = user.script("grep -c ' /dev/pts ' /proc/self/mountinfo", (spec) =>
        withMount(spec, "/dev/pts", (mount) => ({ ...mount, options: [...(mount.options ?? []), "gid=5"] })),
      );
      expectEqual(expectOk(user.run(bundle)).out, "1");
    },
  },
  {
    name: "rootless: error when a tmpfs is to belong to a group that is not mapped",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.bundle((spec) =>
        withMount(spec, "/dev/shm", (mount) => ({ ...mount, options: [...(mount.options ?? []), "gid=5"] })),
      );
      expectFailure(user.run(bundle));
    },
  },
  {
    name: "rootless: bind mounts of what the user may see, and an error for what it may not",
    run: (bench) => {
      const user = new User(bench);
      const bind =
        (source: string) =>
        (spec: Spec): Spec => ({
          ...spec,
          mounts: [...(spec.mounts ?? []), { destination: "/tmp", type: "bind", source, options: ["rbind", "ro"] }],
        });
      expectMatch(
        expectOk(user.run(user.script("ls /tmp", bind(user.runtimeDirectory.replace(/run$/, "etc"))))).out,
        /subuid/,
      );
      mkdirSync(join(bench.directory, "secret/inner"), { recursive: true, mode: 0o700 });
      expectFailure(user.run(user.bundle(bind(join(bench.directory, "secret/inner")))));
    },
  },
  {
    name: "rootless: masked and read-only paths, read-only root",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.script(
        "grep -c ' /proc/timer_list ' /proc/self/mountinfo; wc -c < /proc/timer_list; touch /proc/sys/x || echo sys refused; touch /x || echo root refused",
      );
      expectEqual(expectOk(user.run(bundle)).out.split("\n"), ["1", "0", "sys refused", "root refused"]);
    },
  },
  {
    name: "rootless: OOM score raised, and an error when it is lowered",
    run: (bench) => {
      const user = new User(bench);
      const script = (oomScoreAdj: number) =>
        user.script("cat /proc/self/oom_score_adj", (spec) => withProcess(spec, { oomScoreAdj }));
      expectEqual(expectOk(user.run(script(700))).out, "700");
      expectFailure(user.run(script(-900)));
    },
  },
  {
    name: "rootless: error when a hard limit is raised",
    run: (bench) => {
      const user = new User(bench);
      const type = "RLIMIT_NOFILE";
      expectFailure(
        user.run(user.bundle((spec) => withProcess(spec, { rlimits: [{ type, soft: 100, hard: 1_000_000_000 }] }))),
      );
    },
  },
  {
    name: "rootless: sysctl of its own network namespace",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.script("cat /proc/sys/net/ipv4/ip_default_ttl", (spec) =>
        withLinux(add(spec, "network"), { sysctl: { "net.ipv4.ip_default_ttl": "77" } }),
      );
      expectEqual(expectOk(user.run(bundle)).out, "77");
    },
  },
];
