// Trees of layer chains and of what a `--from` names.

import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import { LayerTree } from "../context/layer-tree.ts";
import type { Location } from "../dockerfile/location.ts";
import { findSource } from "../graph/build-graph.ts";
import { findImage } from "./base-image.ts";
import type { BuildSession } from "./session.ts";
import type { StepReport } from "../progress/build-event.ts";

/** Directories of a chain, topmost first; none for null. */
export async function chainDirectories(scope: Scope, session: BuildSession, chainId: Digest | null): Promise<string[]> {
  if (chainId === null) return [];
  return (await session.lease.snapshots.chain(scope, chainId)).map((layer) => layer.directory);
}

/** The files of a chain. The caller disposes the tree. */
export async function openChain(scope: Scope, session: BuildSession, chainId: Digest | null): Promise<LayerTree> {
  return LayerTree.open(await chainDirectories(scope, session, chainId));
}

/** Waits for the stages that a step copies from. Before it takes a slot: those stages need slots themselves. */
export async function awaitSources(
  session: BuildSession,
  index: number,
  names: readonly string[],
  at: Location,
): Promise<void> {
  const sources = names.map((name) => findSource(session.file, index, name, at));
  await Promise.all(
    sources.map(async (source) => (source.kind === "stage" ? await session.stage(source.index) : null)),
  );
}

/** The files of a stage or image named by `--from` in stage `index`. The caller disposes the tree. */
export async function openSource(
  scope: Scope,
  session: BuildSession,
  index: number,
  name: string,
  at: Location,
  report: StepReport,
): Promise<LayerTree> {
  const source = findSource(session.file, index, name, at);
  if (source.kind === "stage") return await openChain(scope, session, (await session.stage(source.index)).chainId);
  const { chainId } = await findImage(scope, session, source.reference, session.graph.platform, at, report);
  return await openChain(scope, session, chainId);
}
