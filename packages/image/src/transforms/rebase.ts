// rebase: the layers that an image has on top of one base, on top of another one.

import { TeuError } from "@teu/base/errors";
import type { HistoryEntry, ImageConfig } from "@teu/specs/image";

import { configWithHistory, type ImageTransform, type ImageValue, sameJson } from "../values/image-value.ts";
import { historyPlace, inTypesOf, withDiffIds } from "./change-layers.ts";

/** image-spec, annotations: which image another one is based on. */
export const BASE_NAME = "org.opencontainers.image.base.name";
/** image-spec, annotations: see `BASE_NAME`. */
export const BASE_DIGEST = "org.opencontainers.image.base.digest";

/** What to rebase from and to. */
export interface RebaseOptions {
  readonly oldBase: ImageValue;
  readonly newBase: ImageValue;
  /** What the new base is called, for an image that says what its base is. */
  readonly newBaseName?: string;
}

/**
 * The image on another base. Its settings stay as they are; layers and history of the base are the new base's.
 * @throws (when read) TeuError `conflict` when the old base is not what the image stands on, or the new one is for another platform.
 */
export function rebase({ oldBase, newBase, newBaseName }: RebaseOptions): ImageTransform {
  return (image) =>
    image.with(async (parts, scope) => {
      const config = configWithHistory(image.name, parts);
      const before = configWithHistory(oldBase.name, await oldBase.parts(scope));
      const after = configWithHistory(newBase.name, await newBase.parts(scope));
      checkBase(image, config, oldBase, before);
      checkPlatform(image, config, newBase, after);
      const count = before.rootfs.diff_ids.length;
      const own = ownHistory(config, before, count);
      const history = own.length === 0 && after.history === undefined ? [] : [...fullHistory(after), ...own];
      const layers = await newBase.layers(scope);
      const digest = (await newBase.document(scope)).descriptor.digest;
      return {
        ...parts,
        config: withDiffIds(config, [...after.rootfs.diff_ids, ...config.rootfs.diff_ids.slice(count)], history),
        layers: [...layers.map((layer) => inTypesOf(parts, layer)), ...parts.layers.slice(count)],
        manifest: {
          ...parts.manifest,
          ...baseAnnotations(parts.manifest.annotations, digest, newBaseName),
        },
      };
    });
}

/** What the image says of its base, kept true where it says something. */
function baseAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  digest: string,
  name: string | undefined,
): { readonly annotations?: Readonly<Record<string, string>> } {
  if (annotations === undefined) return {};
  return {
    annotations: {
      ...annotations,
      ...(annotations[BASE_DIGEST] === undefined ? {} : { [BASE_DIGEST]: digest }),
      ...(annotations[BASE_NAME] === undefined || name === undefined ? {} : { [BASE_NAME]: name }),
    },
  };
}

/** The entries of the image's history that are not its base's. */
function ownHistory(config: ImageConfig, base: ImageConfig, count: number): readonly HistoryEntry[] {
  const history = config.history ?? [];
  const bases = base.history ?? [];
  // A base's last entries may have made no layer: only a whole comparison tells whose they are.
  if (bases.length > 0 && sameJson(history.slice(0, bases.length), bases)) return history.slice(bases.length);
  if (count === 0) return history;
  return history.slice(historyPlace(history, count - 1) + 1);
}

/** Without a history, an entry for each layer, or those that follow would seem to belong to them. */
function fullHistory(config: ImageConfig): readonly HistoryEntry[] {
  const history = config.history ?? [];
  return history.length > 0 ? history : config.rootfs.diff_ids.map(() => ({}));
}

function checkBase(image: ImageValue, config: ImageConfig, base: ImageValue, before: ImageConfig): void {
  const own = config.rootfs.diff_ids;
  const bases = before.rootfs.diff_ids;
  const at = bases.findIndex((diffId, index) => own[index] !== diffId);
  if (at < 0) return;
  throw new TeuError({
    code: "conflict",
    op: "rebase image",
    subject: image.name,
    message:
      bases.length > own.length
        ? `it has ${own.length} layers, ${base.name} has ${bases.length}`
        : `it does not stand on ${base.name}: its layer ${at} is ${own[at]}, not ${bases[at]}`,
    hint: "name the image that it was made from, by its digest if its tag has moved",
  });
}

function checkPlatform(image: ImageValue, config: ImageConfig, base: ImageValue, after: ImageConfig): void {
  if (config.os === after.os && config.architecture === after.architecture) return;
  throw new TeuError({
    code: "conflict",
    op: "rebase image",
    subject: image.name,
    message: `it is for ${config.os}/${config.architecture}, ${base.name} for ${after.os}/${after.architecture}`,
  });
}
