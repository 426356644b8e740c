// Image configs as immutable values: each function returns a new one. Fields that are not known here are kept.
// Reading and checking is the business of specs; storing is documents.ts's.

import { TeuError } from "@teu/base/errors";
import type { ContainerConfig, HistoryEntry, ImageConfig, Platform } from "@teu/specs/image";

import type { Digest } from "./digest.ts";

/** A config without layers. */
export function emptyImageConfig(platform: Platform, created?: string): ImageConfig {
  return {
    ...(created === undefined ? {} : { created }),
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    os: platform.os,
    config: {},
    rootfs: { type: "layers", diff_ids: [] },
    history: [],
  };
}

/** With one more layer on top, and how it came to be. */
export function withLayer(config: ImageConfig, diffId: Digest, history: HistoryEntry = {}): ImageConfig {
  const { empty_layer: _, ...entry } = history;
  return {
    ...config,
    rootfs: { ...config.rootfs, diff_ids: [...config.rootfs.diff_ids, diffId] },
    history: [...completeHistory(config), entry],
  };
}

/** With a step in the history that made no layer. */
export function withHistory(config: ImageConfig, history: HistoryEntry): ImageConfig {
  return { ...config, history: [...completeHistory(config), { ...history, empty_layer: true }] };
}

/** With some settings of the container replaced; a setting given as undefined is removed. */
export function withContainerConfig(
  config: ImageConfig,
  changes: { readonly [K in keyof ContainerConfig]?: ContainerConfig[K] | undefined },
): ImageConfig {
  const merged = Object.entries({ ...config.config, ...changes }).filter(([, value]) => value !== undefined);
  return { ...config, config: Object.fromEntries(merged) };
}

/** With a time of creation (RFC 3339). */
export function withCreated(config: ImageConfig, created: string): ImageConfig {
  return { ...config, created };
}

/** @throws TeuError `invalid` when the history names another number of layers than there are. */
export function checkHistory(config: ImageConfig): void {
  const named = config.history?.filter((entry) => entry.empty_layer !== true).length ?? 0;
  const layers = config.rootfs.diff_ids.length;
  // Without any history there is nothing to contradict.
  if (config.history === undefined || config.history.length === 0 || named === layers) return;
  const message = `history names ${named} layers, rootfs has ${layers}`;
  throw new TeuError({ code: "invalid", op: "read image config", message });
}

/** Images without a history get an entry per layer, or later entries would seem to belong to the first layers. */
function completeHistory(config: ImageConfig): readonly HistoryEntry[] {
  const history = config.history ?? [];
  return history.length > 0 ? history : config.rootfs.diff_ids.map(() => ({}));
}
