// The mounts of a container, in the order in which they are made: kernel file systems, files of ours, then the user's by depth.
// A user's mount on the same place replaces ours.

import type { Mount } from "@teu/specs/runtime";

import type { ContainerSettings } from "../container-settings.ts";

/** Paths on the host that are not in the settings. */
export interface MountPaths {
  readonly hosts: string;
  readonly hostname: string;
  readonly resolvConf: string;
  /** Directory of a volume. */
  volume(name: string): string;
}

/** The `mounts` of a container. */
export function containerMounts(settings: ContainerSettings, paths: MountPaths): Mount[] {
  const user = settings.mounts
    .map((mount): Mount => {
      if (mount.kind === "tmpfs")
        return { destination: mount.target, type: "tmpfs", source: "tmpfs", options: tmpfsOptions(mount.options) };
      const source = mount.kind === "volume" ? paths.volume(mount.name) : mount.source;
      const propagation = mount.kind === "bind" ? mount.propagation : "rprivate";
      return {
        destination: mount.target,
        type: "bind",
        source,
        options: ["rbind", mount.readOnly ? "ro" : "rw", propagation],
      };
    })
    // Stable: of two on the same path the later one is on top, as given. A parent must be mounted before what is in it.
    .toSorted((a, b) => depth(a.destination) - depth(b.destination));
  const taken = new Set(user.map((mount) => mount.destination));
  return [...kernelMounts(settings), ...fileMounts(settings, paths)]
    .filter((mount) => !taken.has(mount.destination))
    .concat(user);
}

function kernelMounts(settings: ContainerSettings): Mount[] {
  const access = settings.privileged ? "rw" : "ro";
  const ipc: Mount[] =
    settings.ipc === "host"
      ? [
          {
            destination: "/dev/shm",
            type: "bind",
            source: "/dev/shm",
            options: ["rbind", "rprivate", "nosuid", "noexec", "nodev"],
          },
          {
            destination: "/dev/mqueue",
            type: "bind",
            source: "/dev/mqueue",
            options: ["rbind", "rprivate", "nosuid", "noexec", "nodev"],
          },
        ]
      : [
          {
            destination: "/dev/shm",
            type: "tmpfs",
            source: "shm",
            options: ["nosuid", "noexec", "nodev", "mode=1777", `size=${settings.shmSize}`],
          },
          { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
        ];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", access] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", access] },
    ...ipc,
  ];
}

function fileMounts(settings: ContainerSettings, paths: MountPaths): Mount[] {
  const access = settings.readOnly ? "ro" : "rw";
  const file = (destination: string, source: string): Mount => ({
    destination,
    type: "bind",
    source,
    options: ["rbind", "rprivate", access],
  });
  return [
    file("/etc/resolv.conf", paths.resolvConf),
    ...(settings.uts === "host" ? [] : [file("/etc/hostname", paths.hostname)]),
    file("/etc/hosts", paths.hosts),
  ];
}

function tmpfsOptions(wishes: readonly string[]): string[] {
  const defaults = ["noexec", "nosuid", "nodev"].filter((option) => !wishes.includes(option.slice(2)));
  return [
    ...defaults,
    ...wishes.filter((option) => !["exec", "suid", "dev"].includes(option) && !defaults.includes(option)),
  ];
}

function depth(path: string): number {
  return path.split("/").filter((part) => part !== "").length;
}
