// What the walk by hand must answer as openat2(2) does, on any kernel: the fake one and the real one.
// portable: no host types here.

import {
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { walkBelow } from "./scoped-open.ts";

const LINKS: Readonly<Record<string, string>> = {
  absolute: "/a/b",
  relative: "a/b",
  above: "../../../../a",
  outside: "/etc/passwd",
  outsideUp: "../../../../../../etc",
  toRoot: "/",
  toFile: "a/b/file",
  slash: "a/b/",
  fileSlash: "a/b/file/",
  dot: "a/b/.",
  dotdot: "a/b/..",
  dangling: "none",
  loop: "loop",
  loopA: "loopB",
  loopB: "loopA",
  "a/b/back": "../../absolute/c",
};

const PATHS: readonly string[] = [
  ...Object.keys(LINKS).flatMap((name) => [name, `/${name}`, `${name}/`, `${name}/..`, `${name}/file`, `${name}/c`]),
  ...["/", "", "a", "a/b", "a/b/", "a/./b//c", "a/b/../../..", "../a", "/../../a/b/file", "a/b/file", "a/b/file/"],
  ...["none", "none/x", "a/none", "a/b/file/x", "a/b/file/..", "chain40", "chain41", "chain40/file", ".", "..", "a/.."],
];

const FLAGS: readonly number[] = [
  O_PATH,
  O_PATH | O_DIRECTORY,
  O_PATH | O_NOFOLLOW,
  O_PATH | O_DIRECTORY | O_NOFOLLOW,
  O_RDONLY,
  O_RDONLY | O_DIRECTORY,
  O_RDONLY | O_NOFOLLOW,
  O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
];

const RULES: readonly number[] = [
  RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
  RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
];

/** Makes the tree of the cases in an empty directory. */
export function plantTree({ fs }: Kernel, dir: number): void {
  for (const name of ["a", "a/b", "a/b/c"]) fs.mkdirAt(dir, name, 0o755);
  fs.close(fs.openat(dir, "a/b/file", O_CREAT | O_EXCL | O_CLOEXEC, 0o644));
  for (const [name, goal] of Object.entries(LINKS)) fs.symlinkAt(goal, dir, name);
  // chain1 leads to a/b, chain41 through 41 links.
  for (let i = 1; i <= 41; i++) fs.symlinkAt(i === 1 ? "a/b" : `chain${i - 1}`, dir, `chain${i}`);
}

/** Differences between openat2 and the walk, one line each, for every path with every way to open it. */
export function differences(kernel: Kernel, dir: number, paths: readonly string[] = PATHS): string[] {
  const out: string[] = [];
  for (const path of paths)
    for (const flags of FLAGS)
      for (const resolve of RULES) {
        const want = outcome(kernel, () => kernel.fs.openat2(dir, path, flags | O_CLOEXEC, 0, resolve));
        const have = outcome(kernel, () => walkBelow(kernel, dir, path, flags, resolve));
        if (have !== want)
          out.push(`${JSON.stringify(path)} 0o${flags.toString(8)} 0x${resolve.toString(16)}: ${have}, want ${want}`);
      }
  return out;
}

/** The file that was found, or the errno. */
function outcome({ fs }: Kernel, open: () => number): string {
  let fd: number;
  try {
    fd = open();
  } catch (error) {
    if (isSysError(error)) return error.errno;
    throw error;
  }
  const { ino, mountId, mode } = fs.fstat(fd);
  fs.close(fd);
  return `${ino} on ${mountId}, mode ${mode.toString(8)}`;
}
