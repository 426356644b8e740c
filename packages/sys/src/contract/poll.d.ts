// sys:poll: waiting. epoll(7), signalfd(2), timerfd_create(2), eventfd(2), inotify(7).

declare module "sys:poll" {
  export interface Ready {
    /** The number given at `add`. */
    readonly token: number;
    /** EPOLL* bits. */
    readonly events: number;
  }
  export interface SignalInfo {
    readonly signal: number;
    readonly pid: number;
    readonly uid: number;
  }
  export function create(): number;
  export function add(epoll: number, fd: number, events: number, token: number): void;
  export function modify(epoll: number, fd: number, events: number, token: number): void;
  export function remove(epoll: number, fd: number): void;
  /** epoll_wait(2); milliseconds, -1 for ever; empty at timeout. Retries EINTR. */
  export function wait(epoll: number, milliseconds: number): Ready[];
  /** Blocks the signals and returns a nonblocking signalfd for them. */
  export function signalfd(signals: readonly number[]): number;
  /** null when none waits. */
  export function readSignal(fd: number): SignalInfo | null;
  /** CLOCK_MONOTONIC timer, nonblocking: first after `milliseconds`, then each `interval` (0: once). */
  export function timerfd(milliseconds: number, interval: number): number;
  /** As for `timerfd`; a negative number of milliseconds disarms it, 0 is at once. */
  export function setTimer(fd: number, milliseconds: number, interval: number): void;
  /** Number of expirations since the last read, 0 for none. */
  export function readTimer(fd: number): number;
  /** eventfd(2), nonblocking: reading it (sys:fs `read`) gives 8 bytes, the count, or EAGAIN for 0. */
  export function eventfd(): number;
  export function inotify(): number;
  export function inotifyAdd(fd: number, path: string, mask: number): number;
  /** poll(2) on one fd: true when `events` (POLLIN 1, POLLOUT 4) or an error is there in time. */
  export function pollOne(fd: number, events: number, milliseconds: number): boolean;
}
