// Builds an image from a Dockerfile: parse, graph, solve the stages that are needed, export. Whatever fails or is cancelled leaves only
// cached layers behind: workspaces, containers and temporary files of the build are gone.

import { availableParallelism } from "node:os";
import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Engine } from "@teu/engine/engine";
import type { Lease } from "@teu/engine/store/leases";
import { parseReference } from "@teu/image/reference";
import { randomHex } from "@teu/files/random";
import type { BuildOptions, BuildResult } from "./build-options.ts";
import { ContextTree } from "./context/context-tree.ts";
import type { FileTree } from "./context/file-tree.ts";
import { readIgnoreRules } from "./context/ignore-file.ts";
import { LayerTree } from "./context/layer-tree.ts";
import { type Dockerfile, parseDockerfile } from "./dockerfile/parse-dockerfile.ts";
import { type BuildGraph, buildGraph } from "./graph/build-graph.ts";
import { Reporter } from "./progress/build-event.ts";
import { exportImage } from "./solve/export-image.ts";
import { Semaphore } from "./solve/semaphore.ts";
import { type BuildSession, ScratchDirectory } from "./solve/session.ts";
import { solveStage } from "./solve/solve-stage.ts";
import type { StageState } from "./solve/stage-state.ts";
import { unusedArguments } from "./solve/unused-arguments.ts";

/**
 * Builds. Everything is checked that can be before the first step runs.
 * @throws TeuError: `invalid` with file and line for mistakes in the Dockerfile and for commands that fail (`detail.tail`: their last lines),
 * `not-found` for files and images, `unsupported` for what the format knows and this does not, `cancelled`.
 */
export async function buildImage(scope: Scope, engine: Engine, options: BuildOptions): Promise<BuildResult> {
  const names = (options.tags ?? []).map(checkTag);
  const file = parseDockerfile(options.dockerfile.name, options.dockerfile.text);
  const buildArgs = options.buildArgs ?? {};
  const graph = buildGraph(file, {
    buildArgs,
    ...(options.target === undefined ? {} : { target: options.target }),
    ...(options.platform === undefined ? {} : { platform: options.platform }),
  });
  await using held = new AsyncDisposableStack();
  const context = held.use(await openContext(options));
  const lease = held.use(await engine.lease(scope));
  const scratch = held.use(new ScratchDirectory(scope));
  const { inner, session } = makeSession(scope, { engine, lease, options, buildArgs, file, graph, context, scratch });
  const state = await solveAll(inner, session);
  const image = await session.reporter.step("exporting to image", inner.signal, async (report) => {
    const value = await exportImage(inner, session, state, names);
    report.message(`image ${value.id}`);
    for (const name of names) report.message(`naming to ${name}`);
    return { cached: false, value };
  });
  return {
    imageId: image.id,
    manifestDigest: image.manifest.digest,
    names: image.names,
    config: image.config,
    warnings: unusedArguments(session),
  };
}

function checkTag(tag: string): string {
  if (parseReference(tag).digest !== undefined) {
    throw new TeuError({
      code: "invalid",
      op: "tag image",
      subject: tag,
      message: "a name with a digest cannot be given",
      hint: "leave @sha256:... away",
    });
  }
  return tag;
}

async function openContext(options: BuildOptions): Promise<FileTree> {
  if (options.context === null) return LayerTree.open([]);
  return ContextTree.open(options.context, await readIgnoreRules(options.context, options.dockerfile.path ?? null));
}

type SessionParts = Pick<
  BuildSession,
  "engine" | "lease" | "options" | "buildArgs" | "file" | "graph" | "context" | "scratch"
> & { lease: Lease; file: Dockerfile; graph: BuildGraph };

/** `inner` also ends when a stage failed: the others need not go on. */
function makeSession(scope: Scope, parts: SessionParts): { inner: Scope; session: BuildSession } {
  const failed = new AbortController();
  const inner = scope.withSignal(failed.signal);
  const stages = new Map<number, Promise<StageState>>();
  const epoch = epochOf(parts.buildArgs);
  const session: BuildSession = {
    ...parts,
    reporter: new Reporter(parts.options.progress, () => scope.now()),
    slots: new Semaphore(parts.options.jobs ?? availableParallelism()),
    making: new Map(),
    id: randomHex(4),
    timestamp: () => new Date(epoch ?? scope.now()).toISOString(),
    stage: (index) => {
      const known = stages.get(index);
      if (known !== undefined) return known;
      const promise = solveStage(inner, session, index);
      promise.catch((error: unknown) => failed.abort(error));
      stages.set(index, promise);
      return promise;
    },
  };
  return { inner, session };
}

/** Starts every stage that is needed; they wait for each other where they must. The first failure is the build's. */
async function solveAll(scope: Scope, session: BuildSession): Promise<StageState> {
  let first: { error: unknown } | null = null;
  const all = session.graph.reachable.map(async (index) => {
    try {
      await session.stage(index);
    } catch (error) {
      first ??= { error };
    }
  });
  // All of them, so that nothing still runs when the caller tidies up.
  await Promise.all(all);
  const failure = first as { error: unknown } | null;
  if (failure !== null) throw failure.error;
  scope.check("build");
  return await session.stage(session.graph.target);
}

function epochOf(buildArgs: Readonly<Record<string, string>>): number | null {
  const text = buildArgs["SOURCE_DATE_EPOCH"];
  if (text === undefined || text === "") return null;
  const seconds = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(seconds))
    throw new TeuError({
      code: "invalid",
      op: "read SOURCE_DATE_EPOCH",
      subject: text,
      message: "want seconds since 1970",
    });
  return seconds * 1000;
}
