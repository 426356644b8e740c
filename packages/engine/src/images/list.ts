// images: every image with its names; dangling ones are left in unless asked otherwise.

import type { Scope } from "@teu/base/scope";
import { parseReference, referenceName, referenceText } from "@teu/image/reference";

import { listImages, namesByImage } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import { asReference } from "./find.ts";
import { imageOf } from "./image-of.ts";
import type { Image, ImageListOptions } from "./images.ts";

/** See `Images.list`. */
export async function listAll(scope: Scope, context: ImageContext, options: ImageListOptions): Promise<Image[]> {
  const names = namesByImage(context.db);
  const images: Image[] = [];
  for (const row of listImages(context.db))
    images.push(await imageOf(scope, context, { row, name: null }, names.get(row.id) ?? []));
  return images.filter((image) => matches(image, options));
}

function matches(image: Image, options: ImageListOptions): boolean {
  if (options.dangling !== undefined && options.dangling !== (image.names.length === 0)) return false;
  if (options.reference === undefined) return true;
  const wanted = asReference(options.reference);
  if (wanted === null) return false;
  // "busybox" alone means the repository, whatever the tag.
  const tagged = /:[^/]+$/.test(options.reference);
  return image.names.some((name) =>
    tagged ? name === referenceText(wanted) : referenceName(parseReference(name)) === referenceName(wanted),
  );
}
