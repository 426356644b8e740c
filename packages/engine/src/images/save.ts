// save: images as an archive that `docker load`, `podman load` and skopeo read. Of an index this platform's manifest, or the index
// with the images for the platforms that were asked for.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { isIndexType } from "@teu/image/documents";
import { type ArchivedImage, writeArchive } from "@teu/image/layout/write-archive";
import { hostPlatform } from "@teu/image/platform";
import { parseReference, type Reference } from "@teu/image/reference";
import type { Platform } from "@teu/specs/image";

import type { ImageRow } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import { bestImage, findImage, imagesOfName } from "./find.ts";

/** Which of the images of a name. */
export type SavedPlatforms = readonly Platform[] | "all";

/** See `Images.save`. A name given is saved with that name, an id without one. */
export async function* saveImages(
  scope: Scope,
  context: ImageContext,
  refs: readonly string[],
  format: "docker-archive" | "oci-archive",
  platforms: SavedPlatforms,
): AsyncGenerator<Uint8Array> {
  if (refs.length === 0) throw new TeuError({ code: "invalid", op: "save images", message: "no image named" });
  await using lease = context.hold(scope);
  const found = new Map<string, ArchivedImage & { names: Reference[] }>();
  for (const ref of refs) {
    const { image, name } = chosen(context, ref, platforms);
    const key = JSON.stringify([image.descriptor.digest, [...(image.only ?? [])].toSorted()]);
    const entry = found.get(key) ?? { ...image, names: [] };
    found.set(key, entry);
    if (name !== null && !name.includes("@")) entry.names.push(parseReference(name));
  }
  yield* writeArchive(scope, lease.content, [...found.values()], { docker: format === "docker-archive", sparse: true });
}

type Chosen = Pick<ArchivedImage, "descriptor" | "only" | "dockerManifest">;

function chosen(
  { db }: ImageContext,
  ref: string,
  platforms: SavedPlatforms,
): { readonly image: Chosen; readonly name: string | null } {
  const { row, name } = findImage(db, ref);
  const rows =
    platforms === "all"
      ? name === null
        ? [row]
        : imagesOfName(db, name)
      : platforms.map((platform) => findImage(db, ref, platform).row);
  const wanted = rows.length === 0 ? [row] : rows;
  const manifests = new Set(wanted.map(({ manifest }) => manifest.digest));
  const whole = name !== null && isIndexType(name.target.mediaType) && (manifests.size > 1 || platforms === "all");
  const image = whole
    ? {
        descriptor: name.target,
        dockerManifest: forDocker(wanted, row),
        ...(platforms === "all" ? {} : { only: manifests }),
      }
    : { descriptor: (wanted[0] ?? row).manifest };
  return { image, name: name?.name ?? null };
}

/** Docker's list can name one image only. */
function forDocker(rows: readonly ImageRow[], first: ImageRow): ImageRow["manifest"] {
  return (bestImage(rows, hostPlatform()) ?? rows[0] ?? first).manifest;
}
