// While a root is made, the child opens a few descriptors for each mount, one after the other. Closing each is a system call; closing them
// together, before anything of the container runs, is a handful.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";

/** So many stay open at most: a container with a thousand mounts must not run into RLIMIT_NOFILE. */
const MOST = 96;

/** A kernel that closes later, and the call for which it is later. */
export interface ClosingLater {
  /**
   * Its `fs.close` leaves descriptors open, as long as they are few. Only for those that are close-on-exec and of which nobody waits for
   * the end.
   */
  readonly kernel: Kernel;
  /** Closes what was left open. Numbers that were closed otherwise and given out anew must not be among them. */
  closeAll(): void;
}

/** See above. */
export function closingLater(kernel: Kernel): ClosingLater {
  const open = new Set<number>();
  const close = (fd: number): void => {
    if (open.size < MOST) open.add(fd);
    else kernel.fs.close(fd);
  };
  return {
    kernel: { ...kernel, fs: Object.create(kernel.fs, { close: { value: close } }) as Kernel["fs"] },
    closeAll: () => {
      for (const [first, last] of ranges([...open])) kernel.fs.closeRange(first, last, 0);
      open.clear();
    },
  };
}

/** Neighbouring numbers together, as [first, last]. */
export function ranges(numbers: readonly number[]): [number, number][] {
  const out: [number, number][] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = out.at(-1);
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else out.push([number, number]);
  }
  return out;
}
