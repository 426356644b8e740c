// What the container functions stand on, made once per engine.

import type { EngineOptions } from "../engine.ts";
import type { OverlaySnapshots } from "../snapshots/overlay-snapshots.ts";
import type { Database } from "../store/database.ts";
import type { EnginePaths } from "../store/paths.ts";

/** Parts of the engine that containers use. */
export interface ContainerContext {
  readonly options: EngineOptions;
  readonly db: Database;
  readonly paths: EnginePaths;
  readonly snapshots: OverlaySnapshots;
}
