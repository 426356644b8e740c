// The shim's only place to wait: epoll for descriptors, a sorted list for timers. Level-triggered, one thread, no busy waiting.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";

/** A registered descriptor. Closing it never closes the descriptor. */
export interface Watch {
  /** Waits for `events` from now on; 0: errors and hang-ups only. Wakes a suspended watch. */
  readonly modify: (events: number) => void;
  /** Not even hang-ups, until `modify`: for a reader that must not read now. */
  readonly suspend: () => void;
  readonly close: () => void;
}

/** A pending call. */
export interface Timer {
  readonly cancel: () => void;
}

interface Entry {
  readonly handler: (events: number) => void;
}

interface Pending extends Timer {
  readonly due: bigint;
  readonly handler: () => void;
}

/** Descriptors and timers with their handlers. A handler that throws ends `run`: handlers catch what they expect. */
export class EventLoop {
  readonly #kernel: Kernel;
  readonly #epoll: number;
  readonly #entries = new Map<number, Entry>();
  #nextToken = 1;
  #timers: Pending[] = [];

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#epoll = kernel.poll.create();
  }

  /** Calls `handler` with EPOLL* bits whenever `fd` has some of `events`. The fd must not be a regular file. */
  watch(fd: number, events: number, handler: (events: number) => void): Watch {
    const token = this.#nextToken++;
    const { poll } = this.#kernel;
    let current = events;
    let registered = true;
    poll.add(this.#epoll, fd, events, token);
    this.#entries.set(token, { handler });
    const suspend = (): void => {
      if (!registered) return;
      registered = false;
      poll.remove(this.#epoll, fd);
    };
    return {
      modify: (wanted) => {
        if (!this.#entries.has(token)) return;
        if (!registered) poll.add(this.#epoll, fd, wanted, token);
        else if (wanted !== current) poll.modify(this.#epoll, fd, wanted, token);
        registered = true;
        current = wanted;
      },
      suspend,
      close: () => {
        if (!this.#entries.delete(token)) return;
        suspend();
      },
    };
  }

  /** Calls `handler` once after `milliseconds`. */
  after(milliseconds: number, handler: () => void): Timer {
    const due = this.#kernel.host.monotonicNs() + BigInt(Math.ceil(milliseconds)) * 1_000_000n;
    const timer: Pending = {
      due,
      handler,
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
    const at = this.#timers.findIndex((other) => other.due > due);
    this.#timers.splice(at < 0 ? this.#timers.length : at, 0, timer);
    return timer;
  }

  /** Waits and dispatches until `finished()`. */
  run(finished: () => boolean): void {
    while (!finished()) {
      const milliseconds = this.#fireTimers();
      if (finished()) return;
      for (const ready of this.#kernel.poll.wait(this.#epoll, milliseconds)) {
        // An earlier handler of this round may have closed it.
        this.#entries.get(ready.token)?.handler(ready.events);
      }
    }
  }

  // Calls what is due; returns how long to wait for the next, -1 for ever.
  #fireTimers(): number {
    for (;;) {
      const first = this.#timers[0];
      if (first === undefined) return -1;
      const left = first.due - this.#kernel.host.monotonicNs();
      if (left > 0n) return Number((left + 999_999n) / 1_000_000n);
      this.#timers.shift();
      first.handler();
    }
  }
}
