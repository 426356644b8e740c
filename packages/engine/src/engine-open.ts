// Opens an engine: directories, database, and the parts, each made on first use.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Engine, EngineOptions } from "./engine.ts";

/** See `Engine.open`. */
export function openEngine(scope: Scope, options: EngineOptions): Promise<Engine> {
  scope.check("open engine");
  throw new TeuError({ code: "internal", op: "open engine", subject: options.root, message: "not assembled yet" });
}
