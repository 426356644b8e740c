// Sweeps of a registry that serves: on a schedule, one at a time, on a clock that does not jump forward.

import type { Scope } from "@teu/base/scope";
import type { BlobStorage } from "@teu/distribution/server/blob-storage";
import type { MetadataStorage } from "@teu/distribution/server/metadata-storage";

import type { CollectOptions, CollectPlan } from "./admin/collect.ts";
import { applyRetention } from "./retention/apply-retention.ts";
import type { RetentionRule } from "./retention/retention-rules.ts";
import type { ImmutableRule } from "./rights/rights-rules.ts";
import { steadyClock } from "./steady-clock.ts";
import { type HistoryLimits, sweep, type SweepResult } from "./sweep.ts";

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
  /** Which changes of tags stay; absent: all. */
  readonly history?: HistoryLimits;
  /** By schedule nothing is cleaned, only logged what would go. Default false. */
  readonly dryRun?: boolean;
  /** Which tags stay; absent: all. Asked before each sweep of its own. */
  readonly retention?: readonly RetentionRule[];
  /** Tags that stay whatever `retention` says. */
  readonly immutable?: readonly ImmutableRule[];
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

/** Timers count no further. */
const LONGEST = 2 ** 31 - 1;

/** Says what a sweep would do. */
export type Planner = (scope: Scope, options: CollectOptions) => Promise<CollectPlan>;

/** Owns its timers; `stop` before closing the storages. */
export class Sweeper {
  readonly #scope: Scope;
  readonly #storages: Storages;
  readonly #plan: Planner | undefined;
  readonly #options: () => SweeperOptions;
  readonly #flushing: NodeJS.Timeout;
  readonly #now: () => number;
  #sweeping: NodeJS.Timeout | undefined;
  #interval = -1;
  #running: Promise<unknown> = Promise.resolve();

  /** `options` is asked for at every sweep. Without `plan` a dry run is about tags only. */
  constructor(scope: Scope, storages: Storages, options: () => SweeperOptions, plan?: Planner) {
    this.#scope = scope;
    this.#storages = storages;
    this.#options = options;
    this.#plan = plan;
    this.#now = steadyClock(() => scope.now(), options().elapsed);
    const flush = (): Promise<void> => storages.metadata.flushPulls(scope);
    this.#flushing = setInterval(() => this.#quietly("writing times of pulls", flush), FLUSH).unref();
    this.reschedule();
  }

  /** Goes by another interval from now on, if it is another. */
  reschedule(): void {
    const { sweepInterval = HOUR } = this.#options();
    if (sweepInterval === this.#interval) return;
    this.#interval = sweepInterval;
    clearInterval(this.#sweeping);
    const sweeping = (): void => this.#quietly("sweep", () => this.#byItself());
    this.#sweeping = sweepInterval > 0 ? setInterval(sweeping, Math.min(sweepInterval, LONGEST)).unref() : undefined;
  }

  /** What time it goes by. */
  get now(): number {
    return this.#now();
  }

  /** One sweep now, after one that is under way; `strays` also looks for bytes that a crash left. */
  sweep(options: { readonly strays?: boolean } = {}): Promise<SweepResult> {
    const result = this.#running.then(() => this.#sweep(options.strays ?? false));
    this.#running = result.catch(() => {});
    return result;
  }

  /** Begins no sweep any more, and waits for the one under way. */
  async stop(): Promise<void> {
    clearInterval(this.#flushing);
    clearInterval(this.#sweeping);
    await this.#running;
  }

  #quietly(what: string, work: () => Promise<unknown>): void {
    this.#running = this.#running.then(work).catch((error: unknown) => {
      this.#scope.log.warn(`${what} failed`, { error: String(error) });
    });
  }

  async #byItself(): Promise<void> {
    const { retention: rules = [], immutable, dryRun = false } = this.#options();
    const options = { rules, immutable, dryRun, now: this.#now() };
    const gone = await applyRetention(this.#scope, this.#storages.metadata, options);
    for (const { repository, tag, digest } of gone)
      this.#scope.log.info(`tag ${dryRun ? "would be " : ""}removed by retention`, { repository, tag, digest });
    if (!dryRun) return void (await this.#sweep(false));
    const plan = await this.#plan?.(this.#scope, { ...this.#patience(), now: this.#now() });
    if (plan !== undefined) this.#scope.log.info("a sweep would remove", { ...plan.now });
  }

  #sweep(strays: boolean): Promise<SweepResult> {
    const { blobs, metadata } = this.#storages;
    return sweep(this.#scope, { blobs, metadata, ...this.#patience(), strays, now: this.#now() });
  }

  #patience(): CollectOptions {
    const { grace = 24 * HOUR, uploadExpiry = 24 * HOUR, deleteUntagged = false, history } = this.#options();
    return { grace, uploadExpiry, untagged: deleteUntagged, ...(history === undefined ? {} : { history }) };
  }
}
