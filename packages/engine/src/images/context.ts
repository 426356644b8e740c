// What the image functions stand on, made once per engine.

import type { Scope } from "@teu/base/scope";
import type { ContentStore } from "@teu/image/content-store";

import type { EngineOptions } from "../engine.ts";
import type { OverlaySnapshots } from "../snapshots/overlay-snapshots.ts";
import type { Database } from "../store/database.ts";
import type { HeldLease } from "../store/hold-lease.ts";
import type { EnginePaths } from "../store/paths.ts";

/** Parts of the engine that images use. */
export interface ImageContext {
  readonly options: EngineOptions;
  readonly db: Database;
  readonly paths: EnginePaths;
  readonly content: ContentStore;
  readonly snapshots: OverlaySnapshots;
  hold(scope: Scope): HeldLease;
}
