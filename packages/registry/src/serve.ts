// `teu registry serve`: a registry until a signal or the scope ends it. Reading flags and printing is the command line's.

import { setFlagsFromString } from "node:v8";
import { errorText } from "@teu/base/errors";
import { createScope, type Scope } from "@teu/base/scope";

import type { ConfigSource } from "./config/config-source.ts";
import { Registry, type RegistryOptions } from "./registry.ts";

/** What `serve` is told. */
export interface ServeOptions extends RegistryOptions {
  /** Called once it listens, with the registry: to print where. */
  readonly ready?: (registry: Registry) => void;
  /** Where the other options came from: it goes by that file's changes. */
  readonly source?: ConfigSource;
}

/**
 * Listens, cleans up what a crash left, and serves until SIGINT, SIGTERM or the end of `scope`; then drains and closes.
 * A second signal does not wait for requests. Returns the signal's name, or null when the scope ended.
 * @throws TeuError as `Registry.listen`.
 */
export async function serve(scope: Scope, options: ServeOptions): Promise<NodeJS.Signals | null> {
  // What a request leaves behind is dead when the next one comes. V8 would let the space for new objects grow to 50 MB and more before
  // it looks; collecting it while it is small costs no more.
  setFlagsFromString("--semi-space-growth-factor=1");
  // The end of `scope` is the beginning of the drain: requests under way still need theirs.
  const working = createScope({ log: scope.log, now: () => scope.now() });
  await using registry = await Registry.listen({ ...options, scope: working });
  using _ = options.source === undefined ? undefined : follow(working, registry, options.source);
  const ended = untilEnd(scope);
  options.ready?.(registry);
  const cleaning = registry.sweep({ strays: true }).catch((error: unknown) => {
    scope.log.warn("sweep failed", { error: String(error) });
  });
  const signal = await ended;
  await cleaning;
  return signal;
}

// One change after the other; those that come meanwhile are one.
function follow(scope: Scope, registry: Registry, source: ConfigSource): Disposable {
  let changing = Promise.resolve();
  let waiting = false;
  return source.watch(() => {
    if (waiting) return;
    waiting = true;
    changing = changing.then(async () => {
      waiting = false;
      await reload(scope, registry, source);
    });
  });
}

async function reload(scope: Scope, registry: Registry, source: ConfigSource): Promise<void> {
  try {
    const restart = await registry.reconfigure({ ...(await source.options()), scope });
    await registry.reloadCertificates();
    registry.reopenLogs();
    scope.log.info("the configuration was read again", { file: source.file });
    if (restart.length > 0) scope.log.warn("these need a restart", { keys: restart.join(", ") });
  } catch (error) {
    scope.log.warn("the configuration stays as it was", { error: errorText(error) });
  }
}

function untilEnd(scope: Scope): Promise<NodeJS.Signals | null> {
  return new Promise((resolve) => {
    const end = (signal: NodeJS.Signals | null): void => {
      process.off("SIGINT", end);
      process.off("SIGTERM", end);
      resolve(signal);
    };
    process.once("SIGINT", end);
    process.once("SIGTERM", end);
    if (scope.signal.aborted) end(null);
    else scope.signal.addEventListener("abort", () => end(null), { once: true });
  });
}
