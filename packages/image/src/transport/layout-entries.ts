// Which image of a layout is meant, and the index.json that names one more: shared by layouts in directories and in archives.

import { TeuError } from "@teu/base/errors";
import type { Descriptor, ImageIndex } from "@teu/specs/image";

import { IMAGE_NAME, nameOfEntry, REF_NAME } from "../layout/layout-files.ts";
import { familiarText, referenceText } from "../reference.ts";

/**
 * The entry that `wanted` names: a ref.name, a full or familiar image name, a digest, or "@N" by place; without it the only one.
 * Entries of one digest are one image, whatever their names.
 * @throws TeuError `not-found`, `conflict` when several could be meant.
 */
export function findEntry(place: string, entries: readonly Descriptor[], wanted: string | undefined): Descriptor {
  const found = wanted === undefined ? entries : matchingEntries(entries, wanted);
  const [first] = found;
  if (first !== undefined && found.every(({ digest }) => digest === first.digest)) return plainDescriptor(first);
  const names = [...new Set(entries.map((entry) => entry.annotations?.[REF_NAME] ?? entry.digest))];
  const unnamed = entries.length > 0 && entries.every(({ annotations }) => annotations?.[REF_NAME] === undefined);
  const advice = unnamed
    ? ` and no names: leave the name out${names.length > 1 ? ", or choose with :@0, :@1 ..." : ""}`
    : "";
  const there = names.length === 0 ? "it holds no image" : `it holds ${names.slice(0, 20).join(", ")}${advice}`;
  if (first === undefined)
    throw new TeuError({
      code: "not-found",
      op: "read image",
      subject: place,
      message: wanted === undefined ? "no image is in it" : `no image is called ${JSON.stringify(wanted)}`,
      hint: there,
    });
  throw new TeuError({
    code: "conflict",
    op: "read image",
    subject: place,
    message: wanted === undefined ? "several images are in it" : `several images are called ${JSON.stringify(wanted)}`,
    hint: `say which, by name, @DIGEST or :@NUMBER; ${there}`,
  });
}

/** What a descriptor says of its content, without what an index says around it. */
export function plainDescriptor({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** An index with one more image, an entry for each of its names, and with documents that only their subject leads to. */
export function withEntries(
  index: ImageIndex,
  root: Descriptor,
  names: readonly string[],
  referrers: readonly Descriptor[],
): ImageIndex {
  const plain = plainDescriptor(root);
  const entries =
    names.length === 0 ? [plain] : [...new Set(names)].map((name) => ({ ...plain, annotations: { [REF_NAME]: name } }));
  const named = (one: Descriptor): boolean =>
    one.annotations?.[REF_NAME] !== undefined || one.annotations?.[IMAGE_NAME] !== undefined;
  const kept = index.manifests.filter(
    (one) => !names.some((name) => isCalled(one, name)) && (one.digest !== root.digest || named(one)),
  );
  const known = new Set(kept.map(({ digest }) => digest));
  const added = referrers.filter(({ digest }) => !known.has(digest)).map(plainDescriptor);
  return { ...index, manifests: [...kept, ...entries, ...added] };
}

/** The entries that `wanted` names; unlike `findEntry` perhaps none, or of several images. */
export function matchingEntries(entries: readonly Descriptor[], wanted: string): readonly Descriptor[] {
  const place = /^@([0-9]{1,9})$/.exec(wanted);
  if (place !== null) return entries.slice(Number(place[1]), Number(place[1]) + 1);
  if (wanted.startsWith("@")) return entries.filter(({ digest }) => digest === wanted.slice(1));
  return entries.filter((entry) => isCalled(entry, wanted));
}

function isCalled(entry: Descriptor, wanted: string): boolean {
  if (entry.annotations?.[REF_NAME] === wanted || entry.annotations?.[IMAGE_NAME] === wanted) return true;
  const name = nameOfEntry(entry);
  return name !== null && (referenceText(name) === wanted || familiarText(name) === wanted);
}
