// procfs and cgroup file systems of the fake kernel: the files that the runtime and the shim read and write.
// portable: no host types here.

import { CGROUP2_SUPER_MAGIC, CGROUP_SUPER_MAGIC, PROC_SUPER_MAGIC } from "../constants/fs.ts";
import { SIGKILL } from "../constants/process.ts";
import { sysError } from "../sys-error.ts";
import { type Inode, directory, file, magicLink, symlink, window } from "./inode.ts";
import { pathOf } from "./lookup.ts";
import { NAMESPACE_FILES } from "./process-calls.ts";
import type { FakeProcess, World } from "./world.ts";

/** Root of a procfs. `static` are the files that every host has, by path. */
export function procRoot(world: World, statics: readonly string[]): Inode {
  const root = directory(PROC_SUPER_MAGIC, {
    lookup: (name) => {
      if (name === "self") return null;
      const process = world.processes.get(Number(name));
      return process === undefined ? null : processDirectory(world, process);
    },
    names: () => [...world.processes.keys()].map(String),
  });
  // PROC_ROOT_INO.
  Object.assign(root, { number: 1 });
  // Not a link, so that it is that of whoever asks at the moment.
  root.entries.set(
    "self",
    directory(PROC_SUPER_MAGIC, { lookup: (name) => processDirectory(world, world.self).child(name) }),
  );
  const self = root.entries.get("self");
  if (self !== undefined) {
    self.parent = root;
    self.entries.set = () => self.entries;
  }
  for (const path of statics) addPath(root, path);
  return root;
}

/** Makes the directories of a path; a last part with an extension or in lower case after "=" is a file: "kcore=". */
export function addPath(root: Inode, path: string): void {
  let at = root;
  for (const part of path.split("/")) {
    const name = part.replace(/=$/, "");
    at = at.entries.get(name) ?? at.add(name, part.endsWith("=") ? file(root.magic, 0o644, "") : directory(root.magic));
  }
}

function processDirectory(world: World, process: FakeProcess): Inode {
  const { pid } = process;
  const alive = (): FakeProcess => world.process(pid, "read");
  const made = directory(PROC_SUPER_MAGIC);
  const map = (name: string): Inode =>
    window(
      PROC_SUPER_MAGIC,
      () => alive().idMaps.get(name) ?? "",
      (text) => void alive().idMaps.set(name, text),
    );
  made.add(
    "stat",
    window(PROC_SUPER_MAGIC, () => {
      const { ppid, startTime, ignored } = alive();
      const mask = [...ignored].filter((one) => one < 32).reduce((bits, one) => bits + 2 ** (one - 1), 0);
      return `${pid} (a) b) ${world.letterOf(alive())} ${ppid} ${Array.from({ length: 17 }, () => 0).join(" ")} ${startTime}${" 0".repeat(10)} ${mask} 0\n`;
    }),
  );
  made.add(
    "cgroup",
    window(PROC_SUPER_MAGIC, () =>
      [...alive().cgroups]
        .map(([controllers, path], index) => `${controllers === "" ? 0 : index + 1}:${controllers}:${path}\n`)
        .join(""),
    ),
  );
  made.add(
    "mountinfo",
    window(PROC_SUPER_MAGIC, () => ""),
  );
  made.add(
    "oom_score_adj",
    window(
      PROC_SUPER_MAGIC,
      () => `${alive().oomScoreAdj}\n`,
      (text) => {
        if (Number(text) < alive().oomScoreAdj) throw sysError("EACCES", "write", "oom_score_adj");
        alive().oomScoreAdj = Number(text);
      },
    ),
  );
  for (const name of ["uid_map", "gid_map", "setgroups", "timens_offsets"]) made.add(name, map(name));
  const attributes = made.add("attr", directory(PROC_SUPER_MAGIC));
  attributes.add("exec", map("attr/exec"));
  attributes.add("apparmor", directory(PROC_SUPER_MAGIC)).add("exec", map("attr/apparmor/exec"));
  // Each look finds the namespace of the moment; what was opened stays that one.
  const namespace = (name: string): Inode | null => {
    const kind = name === "time_for_children" ? "time" : name;
    return NAMESPACE_FILES.includes(kind)
      ? symlink(PROC_SUPER_MAGIC, `${kind}:[${process.namespaces[kind] ?? 0}]`)
      : null;
  };
  made.add("ns", directory(PROC_SUPER_MAGIC, { lookup: namespace }));
  made.add(
    "root",
    magicLink(
      PROC_SUPER_MAGIC,
      () => alive().root,
      () => pathOf(world.self.root, alive().root),
    ),
  );
  return made;
}

/** Root of a cgroup hierarchy; "" is v2. */
export function cgroupRoot(world: World, controllers: string): Inode {
  return cgroupDirectory(world, controllers, "/");
}

function cgroupDirectory(world: World, controllers: string, path: string): Inode {
  const unified = controllers === "";
  const magic = unified ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC;
  const members = (): FakeProcess[] =>
    [...world.processes.values()].filter((one) => one.state === "running" && one.cgroups.get(controllers) === path);
  const made: Inode = directory(magic, {
    mkdir: (name) => cgroupDirectory(world, controllers, path === "/" ? `/${name}` : `${path}/${name}`),
    rmdir: () => (members().length > 0 || [...made.entries.values()].some((child) => child.isDirectory) ? "EBUSY" : ""),
  });
  const join = (text: string): void => {
    const pid = Number(text.trim());
    world.process(pid, "write").cgroups.set(controllers, path);
  };
  const list = (): string =>
    members()
      .map(({ pid }) => `${pid}\n`)
      .join("");
  made.add("cgroup.procs", window(magic, list, join));
  if (unified) addUnifiedFiles(made, members, world);
  else addLegacyFiles(world, made, controllers, path, list, join);
  return made;
}

function addUnifiedFiles(made: Inode, members: () => FakeProcess[], world: World): void {
  let frozen = "0";
  const all = "cpuset cpu io memory hugetlb pids rdma misc\n";
  made.add(
    "cgroup.controllers",
    window(made.magic, () => all),
  );
  made.add(
    "cgroup.subtree_control",
    window(
      made.magic,
      () => all,
      () => {},
    ),
  );
  made.add(
    "cgroup.kill",
    window(
      made.magic,
      () => "",
      () => {
        for (const process of members()) world.end(process, 0, SIGKILL);
      },
    ),
  );
  made.add(
    "cgroup.freeze",
    window(
      made.magic,
      () => `${frozen}\n`,
      (text) => void (frozen = text.trim()),
    ),
  );
  made.add(
    "cgroup.events",
    window(made.magic, () => `populated ${members().length > 0 ? 1 : 0}\nfrozen ${frozen}\n`),
  );
  for (const name of [
    "memory.max",
    "memory.low",
    "memory.swap.max",
    "cpu.weight",
    "cpu.max",
    "cpu.idle",
    "pids.max",
    "cpuset.cpus",
    "cpuset.mems",
    "io.max",
    "io.weight",
  ]) {
    made.add(name, file(made.magic, 0o644));
  }
}

const LEGACY_FILES: Readonly<Record<string, readonly string[]>> = {
  memory: [
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.soft_limit_in_bytes",
    "memory.swappiness",
    "memory.oom_control",
  ],
  cpu: ["cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us"],
  pids: ["pids.max"],
  devices: ["devices.allow", "devices.deny", "devices.list"],
  blkio: ["blkio.weight", "blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device"],
};

function addLegacyFiles(
  world: World,
  made: Inode,
  controllers: string,
  path: string,
  list: () => string,
  join: (text: string) => void,
): void {
  made.add("tasks", window(made.magic, list, join));
  for (const controller of controllers.split(",")) {
    for (const name of LEGACY_FILES[controller] ?? []) made.add(name, file(made.magic, 0o644));
    if (controller === "cpuset") {
      made.add("cpuset.cpus", file(made.magic, 0o644, path === "/" ? "0-1\n" : "\n"));
      made.add("cpuset.mems", file(made.magic, 0o644, path === "/" ? "0\n" : "\n"));
    }
    if (controller === "freezer") {
      let state = "THAWED";
      made.add(
        "freezer.state",
        window(
          made.magic,
          () => `${state}\n`,
          (text) => {
            state = text.trim();
            if (state === "FROZEN") world.frozen.add(path);
            else world.frozen.delete(path);
          },
        ),
      );
    }
  }
}
