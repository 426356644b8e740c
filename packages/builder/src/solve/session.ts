// What all stages of one build share: engine, lease, graph, context, limits. Made by build.ts, which also ends it.

import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import type { Scope } from "@teu/base/scope";
import type { Engine } from "@teu/engine/engine";
import type { Layer } from "@teu/engine/snapshots/snapshots";
import type { Lease } from "@teu/engine/store/leases";
import { TemporaryDirectory } from "@teu/files/temporary-directory";
import type { BuildOptions } from "../build-options.ts";
import type { FileTree } from "../context/file-tree.ts";
import type { Dockerfile } from "../dockerfile/parse-dockerfile.ts";
import type { BuildGraph } from "../graph/build-graph.ts";
import type { Reporter } from "../progress/build-event.ts";
import type { Semaphore } from "./semaphore.ts";
import type { StageState } from "./stage-state.ts";

/** One running build. */
export interface BuildSession {
  readonly engine: Engine;
  readonly lease: Lease;
  readonly options: BuildOptions;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly file: Dockerfile;
  readonly graph: BuildGraph;
  readonly reporter: Reporter;
  readonly slots: Semaphore;
  /** The context with ignore rules applied; empty for a build without one. */
  readonly context: FileTree;
  /** Layers being made, by cache key: two stages never make the same one at once. */
  readonly making: Map<string, Promise<MadeLayer>>;
  /** Final state of a stage; each is solved once. */
  readonly stage: (index: number) => Promise<StageState>;
  /** RFC 3339 time for what is made now; fixed by SOURCE_DATE_EPOCH. */
  readonly timestamp: () => string;
  /** A directory for files that steps need besides their root file system; removed with the build. */
  readonly scratch: ScratchDirectory;
  /** Random part of workspace and container names. */
  readonly id: string;
}

/** A layer step's result. */
export interface MadeLayer {
  readonly layer: Layer;
  /** RFC 3339 */
  readonly created: string;
  readonly cached: boolean;
}

/** A temporary directory made at first use; gone when disposed, or with the next build's when the build was killed. */
export class ScratchDirectory implements AsyncDisposable {
  readonly #scope: Scope;
  #made: Promise<TemporaryDirectory> | null = null;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** The directory's path. */
  async path(): Promise<string> {
    this.#made ??= TemporaryDirectory.make(this.#scope, tmpdir(), "teu-build-");
    return (await this.#made).path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A failure to make it was told to whoever asked for it.
    const made = await this.#made?.catch(() => null);
    await made?.[Symbol.asyncDispose]();
  }
}

/** Cache key of a step from everything that it depends on; the version says how to read the parts. */
export function stepKey(parts: Readonly<Record<string, unknown>>): string {
  return `build-1:${createHash("sha256").update(JSON.stringify(parts)).digest("hex")}`;
}
