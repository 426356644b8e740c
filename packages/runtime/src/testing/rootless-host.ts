// For tests: a fake host whose user has no privileges, with the rules of the kernel that matter to a container of his.
// portable: no host types here.

import { OPEN_TREE_CLONE } from "@teu/sys/constants/mount";
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER } from "@teu/sys/constants/process";
import { S_IFCHR, S_IFMT } from "@teu/sys/constants/fs";
import type { FakeOptions } from "@teu/sys/fake/fake-kernel";
import type { World } from "@teu/sys/fake/world";
import { defaultSpec } from "@teu/specs/runtime-default";
import type { Spec } from "@teu/specs/runtime";
import { type FakeHost, fakeHost } from "./fake-host.ts";

/** The user's id and that of its group. */
export const OWN = 1000;

/** `spec --rootless` of the user, without a terminal, running a program that goes on. */
export function rootlessSpec(): Spec {
  const spec = defaultSpec({ rootless: { uid: OWN, gid: OWN } });
  return { ...spec, hostname: "box", process: { ...spec.process, cwd: "/", terminal: false, args: ["/bin/daemon"] } };
}

/** The host, with newuidmap and newgidmap that grant everything unless `options.programs` says otherwise. */
export function rootlessHost(options: FakeOptions = {}): FakeHost {
  const programs = new Map<string, number | undefined>([
    ["/usr/bin/newuidmap", 0],
    ["/usr/bin/newgidmap", 0],
    ...(options.programs ?? []),
  ]);
  const host = fakeHost({ uid: OWN, gid: OWN, refuse, ...options, programs });
  for (const name of ["newuidmap", "newgidmap"]) host.writeFile(`/usr/bin/${name}`, "", 0o4755);
  host.configure(rootlessSpec);
  return host;
}

/** The rules, each with its errno. */
function refuse(call: string, args: readonly unknown[], world: World): string {
  const { self } = world;
  const confined = self.namespaces["user"] === undefined;
  const path = String(args[1]);
  switch (call) {
    case "fs.mkdirAt":
      return path.startsWith("/sys/fs/cgroup/") ? "EACCES" : "";
    case "process.clone3": {
      const { flags } = args[0] as { flags: number };
      return confined && (flags & CLONE_NEWNS) !== 0 && (flags & CLONE_NEWUSER) === 0 ? "EPERM" : "";
    }
    case "mount.openTree":
      return confined && (Number(args[2]) & OPEN_TREE_CLONE) !== 0 ? "EPERM" : "";
    case "namespace.setns":
      return confined && (Number(args[1]) & CLONE_NEWUSER) === 0 ? "EPERM" : "";
    case "namespace.unshare":
      return confined && (Number(args[0]) & (CLONE_NEWTIME | CLONE_NEWPID)) !== 0 ? "EPERM" : "";
    case "fs.writeTextAt":
      if (/^\/proc\/\d+\/[ug]id_map$/.test(path)) return String(args[2]).trim().includes("\n") ? "EPERM" : "";
      return path === "/proc/self/oom_score_adj" && !self.dumpable ? "EACCES" : "";
    case "fs.mknodAt":
      return (Number(args[2]) & S_IFMT) === S_IFCHR ? "EPERM" : "";
    case "process.setgroups":
      return self.idMaps.get("setgroups") === "deny" ? "EPERM" : "";
    default:
      return "";
  }
}
