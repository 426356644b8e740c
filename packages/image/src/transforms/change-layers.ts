// Layers added, taken away and replaced, with the history that belongs to them.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type HistoryEntry, type ImageConfig, MEDIA_TYPES } from "@teu/specs/image";

import type { Digest } from "../digest.ts";
import { withLayer } from "../image-config.ts";
import { configWithHistory, type ImageParts, type ImageTransform } from "../values/image-value.ts";
import { type LayerValue, withDescriptor } from "../values/layer-value.ts";
import { mediaTypeFor } from "./media-types.ts";

/** Which layer: by place from 0 at the bottom, from -1 at the top, or by the digest of its blob or its tar. */
export type LayerChoice = number | string;

/** An image with layers on top, and how they came to be. */
export function appendLayers(layers: readonly LayerValue[], history: HistoryEntry = {}): ImageTransform {
  return (image) =>
    image.with(async (parts, scope) => {
      let config = configWithHistory(image.name, parts);
      const added: LayerValue[] = [];
      for (const layer of layers) {
        config = withLayer(config, await layer.diffId(scope), history);
        added.push(inTypesOf(parts, layer));
      }
      return { ...parts, config, layers: [...parts.layers, ...added] };
    });
}

/** An image without one of its layers. @throws (when read) TeuError `not-found`, `conflict` when several have the digest. */
export function removeLayer(choice: LayerChoice): ImageTransform {
  return (image) =>
    image.with(async (parts, scope) => {
      const config = configWithHistory(image.name, parts);
      const at = await placeOf(scope, image.name, parts.layers, choice);
      const history = withoutLayer(config.history ?? [], at);
      return {
        ...parts,
        config: withDiffIds(config, config.rootfs.diff_ids.toSpliced(at, 1), history),
        layers: parts.layers.toSpliced(at, 1),
      };
    });
}

/** An image with another layer in the place of one. @throws (when read) as `removeLayer`. */
export function replaceLayer(choice: LayerChoice, layer: LayerValue, history?: HistoryEntry): ImageTransform {
  return (image) =>
    image.with(async (parts, scope) => {
      const config = configWithHistory(image.name, parts);
      const at = await placeOf(scope, image.name, parts.layers, choice);
      const diffIds = config.rootfs.diff_ids.with(at, await layer.diffId(scope));
      const entries =
        history === undefined ? (config.history ?? []) : replacedHistory(config.history ?? [], at, history);
      return {
        ...parts,
        config: withDiffIds(config, diffIds, entries),
        layers: parts.layers.with(at, inTypesOf(parts, layer)),
      };
    });
}

/** A config for other layers; one that had no history gets none. */
export function withDiffIds(
  config: ImageConfig,
  diffIds: readonly string[],
  history: readonly HistoryEntry[],
): ImageConfig {
  const rootfs = { ...config.rootfs, diff_ids: diffIds };
  return config.history === undefined && history.length === 0 ? { ...config, rootfs } : { ...config, rootfs, history };
}

/** Where in a history the entry of layer `at` is; its length when there is none. */
export function historyPlace(history: readonly HistoryEntry[], at: number): number {
  let layer = -1;
  const found = history.findIndex((entry) => entry.empty_layer !== true && ++layer === at);
  return found < 0 ? history.length : found;
}

/** A layer under the name that manifests of this kind have for it. */
export function inTypesOf({ mediaType }: ImageParts, layer: LayerValue): LayerValue {
  const family = mediaType === MEDIA_TYPES.dockerManifest ? "docker" : "oci";
  return withDescriptor(layer, (descriptor) => ({
    ...descriptor,
    mediaType: mediaTypeFor(family, descriptor.mediaType),
  }));
}

function withoutLayer(history: readonly HistoryEntry[], at: number): readonly HistoryEntry[] {
  return history.toSpliced(historyPlace(history, at), 1);
}

function replacedHistory(history: readonly HistoryEntry[], at: number, entry: HistoryEntry): readonly HistoryEntry[] {
  const place = historyPlace(history, at);
  return place === history.length ? history : history.with(place, entry);
}

async function placeOf(
  scope: Scope,
  name: string,
  layers: readonly LayerValue[],
  choice: LayerChoice,
): Promise<number> {
  if (typeof choice === "number") {
    const at = choice < 0 ? layers.length + choice : choice;
    if (Number.isInteger(at) && at >= 0 && at < layers.length) return at;
    throw notThere(name, `it has ${layers.length} layers, none at ${choice}`);
  }
  const found: number[] = [];
  for (const [at, layer] of layers.entries()) {
    const ids: readonly Digest[] = [(await layer.descriptor(scope)).digest, await layer.diffId(scope)];
    if (ids.some((id) => id === choice)) found.push(at);
  }
  const [first] = found;
  if (first === undefined) throw notThere(name, `none of its layers is ${choice}`);
  if (found.length === 1) return first;
  throw new TeuError({
    code: "conflict",
    op: "choose layer",
    subject: name,
    message: `${found.length} of its layers are ${choice}`,
    hint: "say which by its place, from 0 at the bottom",
  });
}

function notThere(subject: string, message: string): TeuError {
  return new TeuError({ code: "not-found", op: "choose layer", subject, message });
}
