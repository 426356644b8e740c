// Takes an image out of a layout directory, by name or by digest.

import type { Scope } from "@teu/base/scope";
import type { Descriptor } from "@teu/specs/image";

import { readLayoutIndex } from "../layout/layout-directory.ts";
import { excludeWriters } from "../layout/layout-writers.ts";
import { type Removal, removeEntries } from "../layout/remove-entries.ts";
import { findEntry, matchingEntries } from "./layout-entries.ts";

/** Which image of which layout. */
export interface DeleteImageOptions {
  /** The place in the words of its users. */
  readonly name: string;
  readonly directory: string;
  /** As `findEntry` takes it. */
  readonly reference: string;
  /** All names of what the reference stands for. */
  readonly allNames?: boolean;
}

/**
 * Removes the entry of that name, or all entries of that digest; with an image's last entry go its blobs, unless another image needs
 * them, and what only refers to it. Waits until nobody writes into the layout.
 * @throws TeuError `not-found`, `conflict` when several images are called so, `invalid` and `corrupt` for broken layouts.
 */
export async function deleteFromLayout(scope: Scope, options: DeleteImageOptions): Promise<Removal> {
  const { directory } = options;
  // First, so that nothing is made where there is no layout.
  await readLayoutIndex(scope, directory);
  await using _ = await excludeWriters(scope, directory);
  return await removeEntries(scope, directory, (entries) => chosen(options, entries));
}

function chosen(
  { name, reference, allNames }: DeleteImageOptions,
  entries: readonly Descriptor[],
): readonly Descriptor[] {
  const { digest } = findEntry(name, entries, reference);
  if (allNames === true) return entries.filter((entry) => entry.digest === digest);
  return matchingEntries(entries, reference);
}
