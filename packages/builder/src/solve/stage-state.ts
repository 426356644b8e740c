// What is known after each instruction of a stage: the layer chain, the image config so far, variables. Values; each step makes a new one.

import type { Digest } from "@teu/image/digest";
import type { ContainerConfig, HistoryEntry, Platform } from "@teu/specs/image";
import type { Variables } from "../dockerfile/expand.ts";

/** A stage between two instructions. */
export interface StageState {
  readonly chainId: Digest | null;
  readonly platform: Platform;
  readonly author?: string;
  readonly config: ContainerConfig;
  readonly history: readonly HistoryEntry[];
  /** When the topmost layer was made, RFC 3339; null: no layer yet. */
  readonly created: string | null;
  /** ARGs in scope; undefined: declared without value. */
  readonly args: ReadonlyMap<string, string | undefined>;
  /** This stage has set CMD itself. */
  readonly ownCommand: boolean;
}

/** Search path of images that name none. */
export const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The shell of images that name none. */
export const DEFAULT_SHELL: readonly string[] = ["/bin/sh", "-c"];

/** A stage FROM scratch. */
export function emptyState(platform: Platform): StageState {
  return {
    chainId: null,
    platform,
    config: { Env: [DEFAULT_PATH] },
    history: [],
    created: null,
    args: new Map(),
    ownCommand: false,
  };
}

/** Variables as words see them: ENV beats ARG. */
export function variablesOf(state: Pick<StageState, "config" | "args">): Variables {
  const env = environmentOf(state.config);
  return (name) => env.get(name) ?? state.args.get(name);
}

/** The environment of a config by name. */
export function environmentOf(config: ContainerConfig): Map<string, string> {
  return new Map((config.Env ?? []).map((line) => splitVariable(line)));
}

/** Config with these variables set, order kept. */
export function withEnvironment(
  config: ContainerConfig,
  pairs: readonly (readonly [string, string])[],
): ContainerConfig {
  const env = environmentOf(config);
  for (const [name, value] of pairs) env.set(name, value);
  return { ...config, Env: [...env].map(([name, value]) => `${name}=${value}`) };
}

/** Environment of a RUN step: ARG values, with ENV on top, as "NAME=value". */
export function runEnvironment(state: Pick<StageState, "config" | "args">): string[] {
  const all = new Map<string, string>();
  for (const [name, value] of state.args) if (value !== undefined) all.set(name, value);
  for (const [name, value] of environmentOf(state.config)) all.set(name, value);
  return [...all].map(([name, value]) => `${name}=${value}`);
}

function splitVariable(line: string): [string, string] {
  const equals = line.indexOf("=");
  return equals < 0 ? [line, ""] : [line.slice(0, equals), line.slice(equals + 1)];
}
