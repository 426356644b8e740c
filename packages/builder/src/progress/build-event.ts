// What happens during a build, as data. Renderers (plain, terminal, JSON) are the business of front ends.

/** One thing that happened. `id` counts steps in order of their start, from 1. */
export type BuildEvent =
  | {
      readonly kind: "started";
      readonly id: number;
      /** "[build 2/4] RUN make" */ readonly name: string;
      readonly time: number;
    }
  | {
      readonly kind: "output";
      readonly id: number;
      readonly stream: "stdout" | "stderr";
      readonly data: Uint8Array;
      readonly time: number;
    }
  | { readonly kind: "message"; readonly id: number; readonly text: string; readonly time: number }
  | {
      readonly kind: "ended";
      readonly id: number;
      readonly outcome: "done" | "cached" | "failed" | "cancelled";
      readonly error?: string;
      readonly time: number;
    };

/** A step being reported. */
export interface StepReport {
  readonly id: number;
  output(stream: "stdout" | "stderr", data: Uint8Array): void;
  message(text: string): void;
}

/** Gives events ids and times. */
export class Reporter {
  readonly #emit: (event: BuildEvent) => void;
  readonly #now: () => number;
  #last = 0;

  constructor(emit: ((event: BuildEvent) => void) | undefined, now: () => number) {
    this.#emit = emit ?? (() => {});
    this.#now = now;
  }

  /** Runs `work` as one step; `work` says whether the result came from the cache. Errors are reported and passed on. */
  async step<T>(
    name: string,
    signal: AbortSignal,
    work: (report: StepReport) => Promise<{ readonly cached: boolean; readonly value: T }>,
  ): Promise<T> {
    const id = ++this.#last;
    const report: StepReport = {
      id,
      output: (stream, data) => this.#emit({ kind: "output", id, stream, data, time: this.#now() }),
      message: (text) => this.#emit({ kind: "message", id, text, time: this.#now() }),
    };
    this.#emit({ kind: "started", id, name, time: this.#now() });
    try {
      const { cached, value } = await work(report);
      this.#emit({ kind: "ended", id, outcome: cached ? "cached" : "done", time: this.#now() });
      return value;
    } catch (error) {
      const outcome = signal.aborted ? "cancelled" : "failed";
      this.#emit({
        kind: "ended",
        id,
        outcome,
        error: error instanceof Error ? error.message : String(error),
        time: this.#now(),
      });
      throw error;
    }
  }
}
