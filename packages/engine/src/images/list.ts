// images: every image with its names; dangling ones are left in unless asked otherwise.

import type { Scope } from "@teu/base/scope";
import { listImages, namesByImage } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import { imageOf } from "./image-of.ts";
import type { Image, ImageListOptions } from "./images.ts";
import { namePattern } from "./name-pattern.ts";

/** See `Images.list`. */
export async function listAll(scope: Scope, context: ImageContext, options: ImageListOptions): Promise<Image[]> {
  const names = namesByImage(context.db);
  const images: Image[] = [];
  for (const row of listImages(context.db))
    images.push(await imageOf(scope, context, { row, name: null }, names.get(row.id) ?? []));
  const { dangling, references } = options;
  const asked = images.filter(({ names: own }) => dangling === undefined || dangling === (own.length === 0));
  return references === undefined ? asked : named(asked, references);
}

function named(images: readonly Image[], references: readonly string[]): Image[] {
  const patterns = references.map(namePattern);
  const fits = (name: string): boolean => patterns.some((fitsOne) => fitsOne(name));
  return images
    .map((image) => ({ ...image, names: image.names.filter(fits), repoDigests: image.repoDigests.filter(fits) }))
    .filter(({ names, repoDigests }) => names.length + repoDigests.length > 0);
}
