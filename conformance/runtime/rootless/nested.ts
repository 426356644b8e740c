// Containers made from inside a user namespace, where root is root of little, and by root itself with less than all of its power.

import { existsSync, readlinkSync } from "node:fs";
import { spawn } from "node:child_process";
import type { Spec } from "@teu/specs/runtime";
import {
  type Outcome,
  type RuntimeCase,
  type Bench,
  type Bundle,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  withLinux,
  withProcess,
} from "../case.ts";
import { OWN, User, skipFor } from "./user.ts";

const own = (name: string): string => readlinkSync(`/proc/self/ns/${name}`);
const IDS = [{ containerID: 0, hostID: OWN, size: 1 }];

/** In a user namespace of the user's, as its root: with mounts and processes of its own. */
const OUTER = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc"];

function runNested(bench: Bench, user: User, bundle: Bundle, before = "true"): Outcome {
  return user.callWith({ through: [...user.through(before), ...OUTER] }, "run", "--bundle", bundle.path, bench.id());
}

/** No user namespace of the container's own: it is in the outer one. */
function inOuter(spec: Spec): Spec {
  const { uidMappings, gidMappings, ...linux } = spec.linux ?? {};
  void [uidMappings, gidMappings];
  return { ...spec, linux: { ...linux, namespaces: (linux.namespaces ?? []).filter(({ type }) => type !== "user") } };
}

const withMaps = (spec: Spec, maps: readonly { containerID: number; hostID: number; size: number }[]): Spec =>
  withLinux(spec, { uidMappings: [...maps], gidMappings: [...maps] });

export const cases: readonly RuntimeCase[] = [
  {
    name: "rootless: root of an outer user namespace makes a container in it",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.script("id -u; echo x > /dev/null && stat -c %t:%T /dev/null; hostname", inOuter);
      expectEqual(expectOk(runNested(bench, user, bundle)).out.split("\n"), ["0", "1:3", "box"]);
    },
  },
  {
    name: "rootless: root of an outer user namespace makes a container with a user namespace of its own",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.script("id -u; cat /proc/self/uid_map", (spec) =>
        withMaps(spec, [{ containerID: 0, hostID: 0, size: 1 }]),
      );
      expectMatch(expectOk(runNested(bench, user, bundle)).out, /^0\n\s+0\s+\d+\s+1$/);
    },
  },
  {
    name: "rootless: OOM score in an outer user namespace",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.script("cat /proc/self/oom_score_adj", (spec) =>
        inOuter(withProcess(spec, { oomScoreAdj: 600 })),
      );
      expectEqual(expectOk(runNested(bench, user, bundle)).out, "600");
    },
  },
  {
    name: "rootless: terminals in an outer user namespace where the group tty is not mapped",
    run: (bench) => {
      skipFor(bench, "runc", "it passes the option on, and the kernel refuses it");
      skipFor(bench, "crun", "1.8 does so too");
      const user = new User(bench);
      const bundle = user.script("ls -d /dev/pts/ptmx", (spec) =>
        inOuter({
          ...spec,
          mounts: (spec.mounts ?? []).map((mount) =>
            mount.destination === "/dev/pts" ? { ...mount, options: [...(mount.options ?? []), "gid=5"] } : mount,
          ),
        }),
      );
      expectEqual(expectOk(runNested(bench, user, bundle)).out, "/dev/pts/ptmx");
    },
  },
  {
    name: "rootless: the configuration binds a default device in an outer user namespace",
    run: (bench) => {
      const user = new User(bench);
      const bind = { destination: "/dev/null", type: "bind", source: "/dev/null", options: ["bind"] };
      const bundle = user.script("stat -c %t:%T /dev/null; echo x >/dev/null && echo written", (spec) =>
        inOuter({ ...spec, mounts: [...(spec.mounts ?? []), bind] }),
      );
      expectEqual(expectOk(runNested(bench, user, bundle)).out, "1:3\nwritten");
    },
  },
  {
    name: "rootless: a clear error where the outer /proc is masked, so that no new one can be mounted",
    run: (bench) => {
      const user = new User(bench);
      const through = user.through("mount --bind /dev/null /proc/timer_list");
      const outcome = user.callWith({ through }, "run", "--bundle", user.bundle().path, bench.id());
      expectMatch(expectFailure(outcome).err, /proc.*not permitted/is);
    },
  },
  {
    name: "user: root with a user namespace joins a network namespace of the host's",
    run: (bench) => {
      const holder = spawn("unshare", ["--net", "sleep", "30"], { stdio: "ignore" });
      bench.defer(() => void holder.kill("SIGKILL"));
      const path = `/proc/${holder.pid}/ns/net`;
      bench.until("namespace is there", () => existsSync(path) && readlinkSync(path) !== own("net"));
      const user = new User(bench);
      const bundle = user.script("readlink /proc/self/ns/net", (spec) =>
        withLinux(withMaps(spec, IDS), { namespaces: [...(spec.linux?.namespaces ?? []), { type: "network", path }] }),
      );
      expectEqual(expectOk(bench.run(bundle)).out, readlinkSync(path));
    },
  },
  {
    name: "user: root with a user namespace, every command on the container",
    run: (bench) => {
      const user = new User(bench);
      const maps = [
        { containerID: 0, hostID: OWN, size: 1 },
        { containerID: 1, hostID: 300_000, size: 65_535 },
      ];
      const id = bench.id();
      const bundle = user.script("exec sleep 60", (spec) =>
        withLinux(withProcess(withMaps(spec, maps), { oomScoreAdj: 300 }), { resources: { pids: { limit: 50 } } }),
      );
      expectOk(bench.call("create", "--bundle", bundle.path, id));
      expectOk(bench.call("start", id));
      const exec = (...words: string[]): string => expectOk(bench.call("exec", id, ...words)).out;
      expectEqual(exec("/bin/cat", "/proc/1/oom_score_adj"), "300");
      expectEqual(exec("/bin/readlink", "/proc/self/ns/user"), exec("/bin/readlink", "/proc/1/ns/user"));
      expectEqual(expectOk(bench.call("exec", "--user", "5:6", id, "/bin/id", "-u")).out, "5");
      expectOk(bench.call("pause", id));
      expectEqual(bench.status(id), "paused");
      expectOk(bench.call("resume", id));
      expectOk(bench.call("update", "--pids-limit", "60", id));
      expectEqual((JSON.parse(expectOk(bench.call("ps", "--format", "json", id)).out) as number[]).length, 1);
      expectOk(bench.call("kill", id, "KILL"));
      bench.until("it is stopped", () => bench.status(id) === "stopped");
      expectOk(bench.call("delete", id));
    },
  },
  {
    name: "user: root with a user namespace that does not map 0",
    run: (bench) => {
      skipFor(bench, "runc", "it needs to become root inside");
      const user = new User(bench);
      const bundle = user.script("id -u", (spec) =>
        withProcess(withMaps(spec, [{ containerID: 7, hostID: OWN, size: 1 }]), { user: { uid: 7, gid: 7 } }),
      );
      expectEqual(expectOk(bench.run(bundle)).out, "7");
    },
  },
  {
    name: "user: root with a time namespace and a user namespace",
    run: (bench) => {
      skipFor(bench, "runc", "1.1 knows no time namespaces");
      skipFor(bench, "crun", "1.8 makes none");
      const user = new User(bench);
      const bundle = user.script("cat /proc/uptime", (spec) =>
        withLinux(withMaps(spec, IDS), {
          namespaces: [...(spec.linux?.namespaces ?? []), { type: "time" }],
          timeOffsets: { boottime: { secs: 500_000_000 } },
        }),
      );
      expectMatch(expectOk(bench.run(bundle)).out, /^5\d{8}\./);
      expectMatch(expectOk(user.run(bundle)).out, /^5\d{8}\./);
    },
  },
  {
    name: "user: root without CAP_SYS_ADMIN makes a container with a user namespace",
    run: (bench) => {
      skipFor(bench, "runc", "1.1 enters the host's mount namespace for bind mounts");
      const user = new User(bench);
      const bundle = user.script("id -u", (spec) => withMaps(spec, [{ containerID: 0, hostID: 0, size: 1 }]));
      const through = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
      const outcome = bench.callWith({ through }, "run", "--bundle", bundle.path, bench.id());
      expectEqual(expectOk(outcome).out, "0");
    },
  },
  {
    name: "user: root without CAP_SYS_ADMIN and without a user namespace gets a clear error",
    run: (bench) => {
      const through = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
      const outcome = bench.callWith({ through }, "run", "--bundle", bench.bundle().path, bench.id());
      expectMatch(expectFailure(outcome).err, /not permitted/i);
    },
  },
];
