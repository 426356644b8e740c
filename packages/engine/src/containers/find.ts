// From what people type to a container: id, unique beginning of an id, or name.

import { TeuError } from "@teu/base/errors";

import { type ContainerRow, containersByPrefix, getContainer, getContainerByName } from "../store/container-rows.ts";
import type { Database } from "../store/database.ts";

/** @throws TeuError `not-found`, `conflict` for an ambiguous beginning. A name wins over the beginning of an id, a whole id over a name. */
export function findContainer(db: Database, ref: string): ContainerRow {
  const name = ref.startsWith("/") ? ref.slice(1) : ref;
  const exact = (/^[0-9a-f]{64}$/.test(name) ? getContainer(db, name) : null) ?? getContainerByName(db, name);
  if (exact !== null) return exact;
  const [first, second] = /^[0-9a-f]{1,63}$/.test(name) ? containersByPrefix(db, name) : [];
  if (first === undefined)
    throw new TeuError({ code: "not-found", op: "find container", subject: ref, message: "No such container" });
  if (second !== undefined)
    throw new TeuError({
      code: "conflict",
      op: "find container",
      subject: ref,
      message: "several containers have ids that begin so",
      hint: "give more of the id",
    });
  return first;
}
