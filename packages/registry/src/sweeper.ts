// Sweeps of a registry that serves: on a schedule, one at a time, on a clock that does not jump forward.

import type { Scope } from "@teu/base/scope";
import type { BlobStorage } from "@teu/distribution/server/blob-storage";
import type { MetadataStorage } from "@teu/distribution/server/metadata-storage";

import { applyRetention } from "./retention/apply-retention.ts";
import type { RetentionRule } from "./retention/retention-rules.ts";
import { steadyClock } from "./steady-clock.ts";
import { sweep, type SweepResult } from "./sweep.ts";

/** What a sweeper is told; everything has a default. Milliseconds. */
export interface SweeperOptions {
  /** How long deleted manifests and unreferenced blobs stay. Default a day. */
  readonly grace?: number;
  /** How long an upload may lie idle. Default a day. */
  readonly uploadExpiry?: number;
  /** Between two sweeps; 0: never by itself. Default an hour. */
  readonly sweepInterval?: number;
  /** Also delete manifests that nothing needs: no tag, no index, no living subject. Default false. */
  readonly deleteUntagged?: boolean;
  /** Which tags stay; absent: all. Asked before each sweep of its own. */
  readonly retention?: readonly RetentionRule[];
  /** How much time has passed since whenever, for whoever moves the scope's clock on purpose. Default: the system knows. */
  readonly elapsed?: () => number;
}

/** What a sweeper cleans. */
interface Storages {
  readonly blobs: BlobStorage;
  readonly metadata: MetadataStorage;
}

const HOUR = 3_600_000;
/** Between two writings of the times of pulls. */
const FLUSH = 60_000;

/** Owns its timers; `stop` before closing the storages. */
export class Sweeper {
  readonly #scope: Scope;
  readonly #storages: Storages;
  readonly #options: () => SweeperOptions;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #now: () => number;
  #running: Promise<unknown> = Promise.resolve();

  /** `options` is asked for at every sweep; the interval only here. */
  constructor(scope: Scope, storages: Storages, options: () => SweeperOptions) {
    this.#scope = scope;
    this.#storages = storages;
    this.#options = options;
    const { sweepInterval = HOUR, elapsed } = options();
    this.#now = steadyClock(() => scope.now(), elapsed);
    const quietly = (what: string, work: () => Promise<unknown>): void => {
      this.#running = this.#running.then(work).catch((error: unknown) => {
        scope.log.warn(`${what} failed`, { error: String(error) });
      });
    };
    const sweeping = (): void => quietly("sweep", () => this.#byItself());
    const flushing = (): void => quietly("writing times of pulls", () => storages.metadata.flushPulls(scope));
    this.#timers = [
      ...(sweepInterval > 0 ? [setInterval(sweeping, sweepInterval)] : []),
      setInterval(flushing, FLUSH),
    ].map((timer) => timer.unref());
  }

  /** One sweep now, after one that is under way; `strays` also looks for bytes that a crash left. */
  sweep(options: { readonly strays?: boolean } = {}): Promise<SweepResult> {
    const result = this.#running.then(() => this.#sweep(options.strays ?? false));
    this.#running = result.catch(() => {});
    return result;
  }

  /** Begins no sweep any more, and waits for the one under way. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#running;
  }

  async #byItself(): Promise<void> {
    const { retention: rules = [] } = this.#options();
    const gone = await applyRetention(this.#scope, this.#storages.metadata, { rules, now: this.#now() });
    for (const { repository, tag, digest } of gone)
      this.#scope.log.info("tag removed by retention", { repository, tag, digest });
    await this.#sweep(false);
  }

  #sweep(strays: boolean): Promise<SweepResult> {
    const { blobs, metadata } = this.#storages;
    const { grace = 24 * HOUR, uploadExpiry = 24 * HOUR, deleteUntagged = false } = this.#options();
    const now = this.#now();
    return sweep(this.#scope, { blobs, metadata, grace, uploadExpiry, untagged: deleteUntagged, strays, now });
  }
}
