// A step that makes a layer: looked up in the build cache by its key, else made and remembered.

import type { Scope } from "@teu/base/scope";
import type { Layer } from "@teu/engine/snapshots/snapshots";
import type { StepReport } from "../progress/build-event.ts";
import { withHistory } from "./apply-metadata.ts";
import type { BuildSession, MadeLayer } from "./session.ts";
import type { StageState } from "./stage-state.ts";

/** What a step would do, known before it is done. */
export interface PlannedLayer {
  readonly key: string;
  /** History line. */
  readonly createdBy: string;
  /** Makes the layer; leaves nothing behind when it throws. */
  make(report: StepReport): Promise<Layer>;
}

/** Runs a step as one line of progress. `plan` may read the context; it runs in the step's slot. */
export async function layerStep(
  scope: Scope,
  session: BuildSession,
  state: StageState,
  name: string,
  plan: (report: StepReport) => Promise<PlannedLayer>,
): Promise<StageState> {
  using _slot = await session.slots.take(scope.signal);
  return await session.reporter.step(name, scope.signal, async (report) => {
    const planned = await plan(report);
    const made = await once(session, planned.key, async () => await makeOrFind(scope, session, planned, report));
    const next = withHistory(
      { ...state, chainId: made.layer.chainId, created: made.created },
      planned.createdBy,
      false,
    );
    return { cached: made.cached, value: next };
  });
}

/** A second step with the same key waits for the first and counts as cached. */
async function once(session: BuildSession, key: string, make: () => Promise<MadeLayer>): Promise<MadeLayer> {
  const running = session.making.get(key);
  if (running !== undefined && session.options.noCache !== true) return { ...(await running), cached: true };
  const promise = make();
  session.making.set(key, promise);
  return await promise;
}

async function makeOrFind(
  scope: Scope,
  session: BuildSession,
  planned: PlannedLayer,
  report: StepReport,
): Promise<MadeLayer> {
  const found = session.options.noCache === true ? null : await findLayer(scope, session, planned.key);
  if (found !== null) return found;
  const layer = await planned.make(report);
  const created = session.timestamp();
  await session.engine.buildCache.put(scope, { key: planned.key, chainId: layer.chainId, value: { created } });
  return { layer, created, cached: false };
}

async function findLayer(scope: Scope, session: BuildSession, key: string): Promise<MadeLayer | null> {
  const entry = await session.engine.buildCache.get(scope, key);
  if (entry === null || entry.chainId === null) return null;
  // Through the lease: from here on the layer stays until the build has ended.
  const layer = await session.lease.snapshots.get(scope, entry.chainId);
  if (layer === null) return null;
  const value = entry.value as { created?: unknown } | null;
  const created = typeof value?.created === "string" ? value.created : session.timestamp();
  return { layer, created, cached: true };
}
