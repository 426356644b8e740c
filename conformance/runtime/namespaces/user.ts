// User namespaces by path, as containers of a pod have them, and other namespaces joined beside one (runtime-spec, "Namespaces").

import { spawn, spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import type { Namespace, NamespaceType, Spec } from "@teu/specs/runtime";
import { type Bench, type Bundle, type RuntimeCase, expectEqual, expectFailure, expectOk, withLinux } from "../case.ts";

const MAPS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const MAPPED = { uidMappings: MAPS, gidMappings: MAPS };
const FILES: Readonly<Partial<Record<NamespaceType, string>>> = { network: "net", mount: "mnt" };
const file = (pid: number, type: NamespaceType): string => `/proc/${pid}/ns/${FILES[type] ?? type}`;

/** A bundle that ids from 100000 up can use, without the mount that needs a network namespace of the user namespace's own. */
function bundle(bench: Bench, script: string, linux: NonNullable<Spec["linux"]>): Bundle {
  const made = bench.script(script, (spec) => {
    const mounts = (spec.mounts ?? []).filter(({ type }) => type !== "sysfs");
    return withLinux(
      { ...spec, mounts, root: { path: "rootfs" } },
      { maskedPaths: [], readonlyPaths: [], ...MAPPED, ...linux },
    );
  });
  spawnSync("chmod", ["a+rx", bench.directory, made.path]);
  spawnSync("chown", ["-R", "100000:100000", made.rootfs]);
  return made;
}

const fresh = (...types: NamespaceType[]): readonly Namespace[] => types.map((type) => ({ type }));

/** The pid of a container with a user namespace and whatever else pods share. */
function sandbox(bench: Bench): number {
  const namespaces = fresh("user", "pid", "network", "ipc", "uts", "mount");
  const id = bench.started(bundle(bench, "sleep 30", { namespaces }));
  return (JSON.parse(bench.call("state", id).out) as { pid: number }).pid;
}

const SHOW = "for n in user net ipc uts pid; do readlink /proc/self/ns/$n; done; id -u; cat /proc/self/uid_map";

export const cases: readonly RuntimeCase[] = [
  {
    name: "user: joined by path with the network, ipc and uts namespaces of a pod; pid and mount of its own",
    run: (bench) => {
      const pid = sandbox(bench);
      const shared = (["user", "network", "ipc"] as const).map((type) => ({ type, path: file(pid, type) }));
      const { out } = expectOk(
        bench.run(bundle(bench, SHOW, { namespaces: [...shared, ...fresh("pid", "uts", "mount")] })),
      );
      const [user, net, ipc, uts, pidns, id, map] = out.split("\n");
      expectEqual(
        [user, net, ipc],
        [readlinkSync(file(pid, "user")), readlinkSync(file(pid, "network")), readlinkSync(file(pid, "ipc"))],
      );
      if (uts === readlinkSync(file(pid, "uts")) || pidns === readlinkSync(file(pid, "pid")))
        throw new Error("a namespace that should be new is the other container's");
      expectEqual([id, map?.trim().split(/\s+/)], ["0", ["0", "100000", "65536"]]);
    },
  },
  {
    name: "user: joined by path together with the pid namespace",
    run: (bench) => {
      const pid = sandbox(bench);
      const shared = (["user", "network", "ipc", "pid"] as const).map((type) => ({ type, path: file(pid, type) }));
      const made = bundle(bench, "readlink /proc/self/ns/pid; hostname", {
        namespaces: [...shared, ...fresh("uts", "mount")],
      });
      expectEqual(expectOk(bench.run(made)).out.split("\n"), [readlinkSync(file(pid, "pid")), "box"]);
    },
  },
  {
    name: "user: new namespaces belong to the joined one",
    run: (bench) => {
      const pid = sandbox(bench);
      // Raising lo, setting the host name and mounting inside all need it; so does a tmpfs.
      const made = bundle(bench, "ip link show lo | grep -q UP && hostname && mount -t tmpfs t /tmp && echo mounted", {
        namespaces: [{ type: "user", path: file(pid, "user") }, ...fresh("network", "pid", "uts", "mount", "ipc")],
      });
      const id = bench.id();
      const outcome = bench.call("run", "--bundle", made.path, id);
      expectEqual(outcome.out.split("\n")[0], "box");
    },
  },
  {
    name: "user: exec into a container that joined one",
    run: (bench) => {
      const pid = sandbox(bench);
      const namespaces = [
        { type: "user", path: file(pid, "user") } as const,
        ...fresh("network", "pid", "uts", "mount", "ipc"),
      ];
      const id = bench.started(bundle(bench, "sleep 30", { namespaces }));
      const { out } = expectOk(bench.call("exec", id, "/bin/sh", "-c", "id -u; readlink /proc/self/ns/user"));
      expectEqual(out.split("\n"), ["0", readlinkSync(file(pid, "user"))]);
    },
  },
  {
    name: "user: joined by path without mappings in the configuration",
    run: (bench) => {
      const pid = sandbox(bench);
      const namespaces = [{ type: "user", path: file(pid, "user") } as const, ...fresh("pid", "uts", "mount", "ipc")];
      expectOk(bench.run(bundle(bench, "true", { namespaces, uidMappings: [], gidMappings: [] })));
    },
  },
  {
    name: "user: a new one beside a network namespace that is the host's root's",
    run: (bench) => {
      const holder = spawn("unshare", ["--net", "sleep", "30"], { stdio: "ignore" });
      bench.defer(() => void holder.kill("SIGKILL"));
      const path = `/proc/${holder.pid}/ns/net`;
      bench.until("namespace is there", () => readlinkSync(path) !== readlinkSync("/proc/self/ns/net"));
      const made = bundle(bench, "readlink /proc/self/ns/net; id -u", {
        namespaces: [{ type: "network", path }, ...fresh("user", "pid", "uts", "mount", "ipc")],
      });
      const { out } = expectOk(bench.run(made));
      expectEqual(out.split("\n"), [readlinkSync(path), "0"]);
    },
  },
  {
    name: "user: error when the mappings are others than the joined one's",
    run: (bench) => {
      const pid = sandbox(bench);
      const namespaces = [{ type: "user", path: file(pid, "user") } as const, ...fresh("pid", "uts", "mount", "ipc")];
      const uidMappings = [{ containerID: 0, hostID: 200_000, size: 65_536 }];
      expectFailure(bench.run(bundle(bench, "true", { namespaces, uidMappings })));
    },
  },
  {
    name: "user: error when the path is no user namespace",
    run: (bench) =>
      void expectFailure(
        bench.run(
          bundle(bench, "true", {
            namespaces: [{ type: "user", path: "/proc/self/ns/net" }, ...fresh("pid", "uts", "mount", "ipc")],
          }),
        ),
      ),
  },
];
