// sys:terminal: pseudo terminals, pty(7), ioctl_tty(2).

declare module "sys:terminal" {
  /** TIOCSPTLCK 0 and TIOCGPTN on an open ptmx fd: unlocks, returns the N of /dev/pts/N. */
  export function unlock(ptmx: number): number;
  /** TIOCGPTPEER: the other side, without going through a path (CVE-2025-52565). Caller owns the fd. */
  export function peer(ptmx: number, flags: number): number;
  export function setSize(fd: number, rows: number, columns: number): void;
  export function getSize(fd: number): { rows: number; columns: number };
  /** TIOCSCTTY. */
  export function setControlling(fd: number): void;
  export function isTerminal(fd: number): boolean;
  /** cfmakeraw(3) and keep the old settings, opaque, for restore. */
  export function makeRaw(fd: number): Uint8Array;
  export function restore(fd: number, settings: Uint8Array): void;
  /** Turns ONLCR off on a pty (what runc and conmon do). */
  export function clearOnlcr(fd: number): void;
}
