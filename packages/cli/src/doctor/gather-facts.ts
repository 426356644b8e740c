// Reads what the checks of `teu doctor` look at. Nothing is changed and nothing is started.

import { readdir, readFile, statfs } from "node:fs/promises";
import { release } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { findProgram } from "@teu/engine/programs";
import type { Environment } from "../environment.ts";
import type { HostFacts } from "./check.ts";

/** Facts of this host. */
export async function gatherFacts(environment: Environment, root: string): Promise<HostFacts> {
  const kernel = release();
  const mountinfo = await text("/proc/self/mountinfo");
  const unified = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(mountinfo)?.[1];
  const names = ["teu-runtime", "runc", "crun", "criu"];
  const programs = Object.fromEntries(
    names.flatMap((name) => [[name, findProgram(name)] as const]).filter(([, path]) => path !== null),
  ) as Record<string, string>;
  return {
    uid: process.getuid?.() ?? -1,
    release: kernel,
    arch: process.arch,
    mountinfo,
    programs,
    root,
    namespaces: await namesIn("/proc/self/ns"),
    status: await text("/proc/self/status"),
    filesystems: await text("/proc/filesystems"),
    cgroups: await text("/proc/cgroups"),
    unifiedControllers: unified === undefined ? "" : await text(join(unified, "cgroup.controllers")),
    maxUserNamespaces: await text("/proc/sys/user/max_user_namespaces"),
    seccompActions: await text("/proc/sys/kernel/seccomp/actions_avail"),
    lsm: await text("/sys/kernel/security/lsm"),
    modules: await namesIn("/sys/module"),
    kernelConfig: (await configOf("/proc/config.gz")) + (await text(`/boot/config-${kernel}`)),
    shim: environment.shim ?? findProgram("teu-shim"),
    disk: await space(root),
  };
}

async function text(path: string): Promise<string> {
  // A file that is not there is an answer too.
  return await readFile(path, "utf8").catch(() => "");
}

async function namesIn(path: string): Promise<string[]> {
  return await readdir(path).catch(() => []);
}

async function configOf(path: string): Promise<string> {
  const packed = await readFile(path).catch(() => null);
  return packed === null ? "" : gunzipSync(packed).toString("latin1");
}

async function space(path: string): Promise<HostFacts["disk"]> {
  try {
    const { bavail, blocks, bsize } = await statfs(path);
    return { free: bavail * bsize, total: blocks * bsize };
  } catch {
    // Not made yet: where it would be.
    return path === "/" ? null : await space(dirname(path));
  }
}
