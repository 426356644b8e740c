// The id maps of a new user namespace: written by ourselves where the kernel lets us, else by newuidmap and newgidmap, which may
// grant what /etc/subuid and /etc/subgid say (user_namespaces(7), newuidmap(1)).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, O_CLOEXEC, X_OK } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { IdMapping, Linux } from "@teu/specs/runtime";
import { environmentValue } from "../cli/environment.ts";
import { invalidConfig } from "../failure.ts";

type Kind = "uid" | "gid";

const OUTPUT_LIMIT = 4096;
const USUAL_DIRECTORIES = "/usr/bin:/bin:/usr/sbin:/sbin";

/** Is this id of the container one of the mapped? */
export function isMapped(maps: readonly IdMapping[] | undefined, id: number): boolean {
  return (maps ?? []).some(({ containerID, size }) => id >= containerID && id < containerID + size);
}

/** Whom to become first in the container's user namespace: its root, or where that is not mapped the process's own id. */
export function firstId(maps: readonly IdMapping[] | undefined, own: number): number {
  return maps === undefined || maps.length === 0 || isMapped(maps, 0) ? 0 : own;
}

/** Writes the maps of a new user namespace whose first process is `pid`. Throws `denied` with what the kernel or the helper said. */
export function writeIdMaps(kernel: Kernel, pid: number, linux: Pick<Linux, "uidMappings" | "gidMappings">): void {
  // Groups first: a helper that writes them may have to give up setgroups, which only goes before.
  writeMap(kernel, pid, "gid", linux.gidMappings ?? [], kernel.process.getegid());
  writeMap(kernel, pid, "uid", linux.uidMappings ?? [], kernel.process.geteuid());
}

function writeMap(kernel: Kernel, pid: number, kind: Kind, maps: readonly IdMapping[], own: number): void {
  const [first] = maps;
  const onlyOwn = maps.length === 1 && first?.size === 1 && first.hostID === own;
  const text = maps.map((map) => `${map.containerID} ${map.hostID} ${map.size}\n`).join("");
  const write = (): void => kernel.fs.writeTextAt(AT_FDCWD, `/proc/${pid}/${kind}_map`, text);
  try {
    // The own group can be mapped without privilege, but only once setgroups is given up (CVE-2014-8989).
    if (kind === "gid" && onlyOwn && own !== 0) denySetgroups(kernel, pid);
    write();
  } catch (error) {
    if (!isSysError(error, "EPERM")) throw refused(kind, pid, "the kernel refuses them", error);
    if (!onlyOwn) return callHelper(kernel, pid, kind, maps);
    // Root without CAP_SETGID, or of a user namespace without it.
    if (kind === "uid") throw refused(kind, pid, "the kernel refuses them", error);
    denySetgroups(kernel, pid);
    write();
  }
}

function denySetgroups(kernel: Kernel, pid: number): void {
  kernel.fs.writeTextAt(AT_FDCWD, `/proc/${pid}/setgroups`, "deny");
}

function callHelper(kernel: Kernel, pid: number, kind: Kind, maps: readonly IdMapping[]): void {
  const { fs, process } = kernel;
  const name = `new${kind}map`;
  const path = `${environmentValue(kernel, "PATH")}:${USUAL_DIRECTORIES}`
    .split(":")
    .map((directory) => `${directory}/${name}`)
    .find((candidate) => candidate.startsWith("/") && fs.accessAt(AT_FDCWD, candidate, X_OK));
  if (path === undefined) {
    throw new TeuError({
      code: "denied",
      op: `map ${kind}s`,
      message: `they are more than your own ${kind}, and ${name} is not installed`,
      hint: `Install the package uidmap, or map only your own ${kind} with size 1.`,
    });
  }
  const [outRead, outWrite] = fs.pipe2(O_CLOEXEC);
  const numbers = maps.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size]);
  const child = process.spawn({
    path,
    argv: [name, ...[pid, ...numbers].map(String)],
    env: [],
    fds: [-1, outWrite, outWrite],
  });
  fs.close(outWrite);
  const output = kernel.host.utf8Decode(fs.read(outRead, OUTPUT_LIMIT)).trim();
  const status = process.waitpid(child.pid, 0);
  for (const fd of [outRead, child.pidfd]) fs.close(fd);
  if (status?.kind === "exited" && status.code === 0) return;
  throw new TeuError({
    code: "denied",
    op: `map ${kind}s`,
    subject: maps.map((map) => `${map.containerID} ${map.hostID} ${map.size}`).join(", "),
    message: output === "" ? `${path} failed` : output,
    hint: `Each range must be your own ${kind} or lie in your lines of /etc/sub${kind}.`,
  });
}

function refused(kind: Kind, pid: number, message: string, cause: unknown): TeuError {
  return new TeuError({ code: "denied", op: `write ${kind} mappings`, subject: `/proc/${pid}`, message, cause });
}

const MAP_LIMIT = 64 << 10;

/** A joined user namespace has its maps already; those of config.json must be the same. Throws `invalid`. */
export function checkIdMaps(kernel: Kernel, pid: number, linux: Linux, path: string): void {
  for (const kind of ["uid", "gid"] as const) {
    const want = linux[`${kind}Mappings`] ?? [];
    if (want.length === 0) continue;
    const have = kernel.fs.readTextAt(AT_FDCWD, `/proc/${pid}/${kind}_map`, MAP_LIMIT).trim();
    const lines = have.split("\n").map((line) => line.trim().split(/\s+/).join(" "));
    if (JSON.stringify(lines) !== JSON.stringify(want.map((map) => `${map.containerID} ${map.hostID} ${map.size}`)))
      throw invalidConfig(
        `linux.${kind}Mappings`,
        `the user namespace ${path} has other mappings: ${lines.join(", ")}`,
      );
  }
}
