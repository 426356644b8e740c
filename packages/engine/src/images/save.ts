// save: images as an archive that `docker load`, `podman load` and skopeo read. Of an index, this platform's manifest.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { writeArchive } from "@teu/image/layout/write-archive";
import { parseReference, type Reference } from "@teu/image/reference";

import type { ImageContext } from "./context.ts";
import { findImage } from "./find.ts";

/** See `Images.save`. A name given is saved with that name, an id without one. */
export async function* saveImages(
  scope: Scope,
  context: ImageContext,
  refs: readonly string[],
  format: "docker-archive" | "oci-archive",
): AsyncGenerator<Uint8Array> {
  if (refs.length === 0) throw new TeuError({ code: "invalid", op: "save images", message: "no image named" });
  await using lease = context.hold(scope);
  const names = new Map<string, { descriptor: ReturnType<typeof findImage>["row"]["manifest"]; names: Reference[] }>();
  for (const ref of refs) {
    const { row, name } = findImage(context.db, ref);
    const entry = names.get(row.id) ?? { descriptor: row.manifest, names: [] };
    names.set(row.id, entry);
    if (name !== null && !name.name.includes("@")) entry.names.push(parseReference(name.name));
  }
  yield* writeArchive(scope, lease.content, [...names.values()], { docker: format === "docker-archive" });
}
