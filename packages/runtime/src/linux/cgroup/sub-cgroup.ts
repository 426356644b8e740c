// Where a further process of a container goes when not into its cgroup: a child cgroup that was asked for, or the one of init.
// portable: no host types here.

import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { verbatim } from "../../failure.ts";
import { cleanPath } from "../rootfs-path.ts";
import { parseOwnCgroups } from "./layout.ts";
import type { CgroupRecord } from "./record.ts";

/**
 * The container's cgroup with each directory replaced by a child of it: `wanted` has "PATH" for all hierarchies, or
 * "CONTROLLER[,CONTROLLER]:PATH" for those of v1. Paths count from the container's cgroup. Throws `invalid`.
 */
export function subCgroup(record: CgroupRecord, wanted: readonly string[]): CgroupRecord {
  let { directories } = record;
  for (const text of wanted) {
    const colon = text.indexOf(":");
    const path = below(text.slice(colon + 1));
    const controllers = colon < 0 ? [] : text.slice(0, colon).split(",");
    if (colon < 0 && wanted.length > 1)
      throw verbatim("invalid", `invalid --cgroup argument ${JSON.stringify(text)}: it names no controller`);
    for (const name of controllers) {
      if (!directories.some((one) => one.controllers.split(",").includes(name)))
        throw verbatim(
          "invalid",
          `invalid --cgroup argument ${JSON.stringify(text)}: no hierarchy has ${JSON.stringify(name)}`,
        );
    }
    directories = directories.map((one) =>
      colon < 0 || controllers.some((name) => one.controllers.split(",").includes(name))
        ? { ...one, path: `${one.path}${path}` }
        : one,
    );
  }
  return { ...record, directories };
}

function below(path: string): string {
  // Not resolved: "a/../.." would be cleaned to "/" and so look harmless.
  if (path.split("/").includes("..")) throw verbatim("invalid", `bad sub cgroup path: ${path}`);
  const clean = cleanPath(path);
  return clean === "/" ? "" : clean;
}

/** Directory of the v2 cgroup that process `pid` is in; `directory` is that of its container, which it is in or below. */
export function cgroupOfInit(kernel: Kernel, directory: string, pid: number): string {
  const lines = parseOwnCgroups(kernel.fs.readTextAt(AT_FDCWD, `/proc/${pid}/cgroup`, 1 << 20));
  const own = lines.find(([controllers]) => controllers === "")?.[1] ?? "/";
  // What the two have in common: the end of the one, the beginning of the other.
  for (let at = directory.indexOf("/"); at >= 0; at = directory.indexOf("/", at + 1)) {
    const tail = directory.slice(at);
    if (own === tail || own.startsWith(`${tail}/`)) return `${directory}${own.slice(tail.length)}`;
  }
  return directory;
}
