// linux.sysctl: only namespaced settings, and written through a private, detached procfs, so that nothing the container has mounted
// over /proc/sys can turn the write elsewhere (CVE-2025-52881).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, O_WRONLY, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import type { NamespaceType, Spec } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";
import { newFilesystem } from "./mount-tree.ts";
import type { OpenJoin } from "./namespace-files.ts";
import { NAMESPACE_FILES, type NamespacePlan } from "./namespaces.ts";
import { openScoped } from "./scoped-open.ts";

/** One setting: path below /proc/sys, and value. */
export interface SysctlStep {
  readonly path: string;
  /** Whose setting it is. */
  readonly namespace: NamespaceType;
  readonly value: string;
}

const IPC: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** Checks each name against the namespaces that the container has for itself. Throws TeuError `invalid`. */
export function planSysctl(spec: Spec, namespaces: NamespacePlan): SysctlStep[] {
  return Object.entries(spec.linux?.sysctl ?? {}).map(([key, value]) => {
    // Both spellings are used: "net.ipv4.conf.eth0/1.x" and "net/ipv4/conf/eth0.1/x".
    const firstSeparator = /[./]/.exec(key)?.[0];
    const path =
      firstSeparator === "/"
        ? key
        : key
            .split("")
            .map((c) => (c === "." ? "/" : c === "/" ? "." : c))
            .join("");
    if (path.split("/").some((part) => part === "" || part === "." || part === ".."))
      throw invalidConfig(`linux.sysctl.${key}`, "is not the name of a setting");
    return { path, value, namespace: checkNamespaced(key, path.replaceAll("/", "."), namespaces, spec) };
  });
}

function checkNamespaced(key: string, name: string, { has }: NamespacePlan, spec: Spec): NamespaceType {
  const refuse = (what: string): never => {
    throw invalidConfig(`linux.sysctl.${key}`, `sysctl ${JSON.stringify(key)} ${what}`);
  };
  if (IPC.has(name) || name.startsWith("fs.mqueue.")) {
    if (!has.has("ipc")) refuse("is not allowed in the hosts ipc namespace");
    return "ipc";
  } else if (name.startsWith("net.")) {
    if (!has.has("network")) refuse("is not allowed in the hosts network namespace");
    return "network";
  } else if (name === "kernel.domainname" || name === "kernel.hostname") {
    if (!has.has("uts")) refuse("is not allowed in the hosts uts namespace");
    const field = name === "kernel.hostname" ? spec.hostname : spec.domainname;
    if ((field ?? "") !== "") refuse(`conflicts with ${name.slice("kernel.".length)}`);
    return "uts";
  } else if (name.startsWith("user.")) {
    if (!has.has("user")) refuse("is not allowed without a user namespace");
    return "user";
  }
  return refuse("is not in a separate kernel namespace");
}

/** A namespace that is joined may be the host's own: its settings are the host's. Throws TeuError `invalid`. */
export function refuseHostSysctl(kernel: Kernel, steps: readonly SysctlStep[], joins: readonly OpenJoin[]): void {
  for (const { type, fd } of joins) {
    if (!steps.some(({ namespace }) => namespace === type)) continue;
    const own = kernel.fs.statAt(AT_FDCWD, `/proc/self/ns/${NAMESPACE_FILES[type]}`, 0);
    const joined = kernel.fs.fstat(fd);
    if (own.ino === joined.ino && own.devMinor === joined.devMinor)
      throw invalidConfig(
        "linux.sysctl",
        `settings are not allowed in the hosts ${type} namespace, which is joined by path`,
      );
  }
}

/** Writes the settings from inside the container's namespaces. */
export function applySysctl(kernel: Kernel, steps: readonly SysctlStep[]): void {
  if (steps.length === 0) return;
  const { fs } = kernel;
  const proc = newFilesystem(kernel, "proc", "proc", [], [], 0);
  try {
    for (const { path, value } of steps) {
      try {
        const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
        const fd = openScoped(kernel, proc, `sys/${path}`, O_WRONLY, resolve);
        try {
          fs.write(fd, value);
        } finally {
          fs.close(fd);
        }
      } catch (error) {
        throw new TeuError({
          code: "invalid",
          op: "set sysctl",
          subject: path,
          message: `value ${JSON.stringify(value)} is refused`,
          cause: error,
        });
      }
    }
  } finally {
    fs.close(proc);
  }
}
