// Directories that tests in the host work in, and what else several of them need.
// portable: no host types here.

import { toHex } from "@teu/base/bytes";
import type { SysError } from "../sys-error.ts";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../constants/fs.ts";
import { realKernel } from "../real.ts";
import type { TestContext } from "../test-host/test.ts";

/** A new directory, open; removed when the test ends. */
export function scratchDirectory(context: TestContext): { fd: number; path: string } {
  const { fs, host, process } = realKernel;
  const path = `/tmp/teu-host-${process.getpid()}-${toHex(host.randomBytes(6))}`;
  fs.mkdirAt(AT_FDCWD, path, 0o700);
  const fd = fs.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
  context.after(() => {
    fs.close(fd);
    fs.removeTree(AT_FDCWD, path);
  });
  return { fd, path };
}

/** The SysError that `body` throws. */
export function sysErrorOf(body: () => unknown): SysError {
  try {
    body();
  } catch (error) {
    if (error instanceof Error && error.name === "SysError") return error as SysError;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** Numbers of the descriptors that are open now, the one used for looking aside. */
export function openDescriptors(): number[] {
  const { fs } = realKernel;
  const fd = fs.openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
  const numbers = fs
    .readDir(fd)
    .map(({ name }) => Number(name))
    .filter((number) => number !== fd);
  fs.close(fd);
  return numbers.sort((a, b) => a - b);
}

/** Runs `body` in a copy of this process; how the copy ended. An exception there is exit code 99. */
export function inChild(body: () => void): { kind: string; code: number } {
  const { fs, host, process } = realKernel;
  const { pid, pidfd } = process.clone3({ flags: 0 });
  if (pid === 0) {
    try {
      body();
      process.exit(0);
    } catch (error) {
      host.printError(`in the child: ${String(error)}\n${error instanceof Error ? (error.stack ?? "") : ""}`);
      process.exit(99);
    }
  }
  fs.close(pidfd);
  const status = process.waitpid(pid, 0);
  return { kind: status?.kind ?? "none", code: status?.code ?? -1 };
}
