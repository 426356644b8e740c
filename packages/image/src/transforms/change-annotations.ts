// Annotations of a manifest or an index; null takes one away.

import type { ImageTransform } from "../values/image-value.ts";
import type { IndexValue } from "../values/index-value.ts";

/** Annotations to set, or with null to remove. */
export type AnnotationChanges = Readonly<Record<string, string | null>>;

type Annotated = { readonly annotations?: Readonly<Record<string, string>> };

/** An image whose manifest has other annotations. Docker's manifests get them too: who does not know them passes over them. */
export function changeAnnotations(changes: AnnotationChanges): ImageTransform {
  return (image) => image.with((parts) => ({ ...parts, manifest: annotated(parts.manifest, changes) }));
}

/** An index with other annotations; those of its images stay. */
export function changeIndexAnnotations(index: IndexValue, changes: AnnotationChanges): IndexValue {
  return index.with((parts) => ({ ...parts, index: annotated(parts.index, changes) }));
}

function annotated<T extends Annotated>(document: T, changes: AnnotationChanges): T {
  const before = document.annotations ?? {};
  const kept = Object.entries(before).filter(([key]) => changes[key] !== null);
  const set = Object.entries(changes).filter((entry): entry is [string, string] => entry[1] !== null);
  const annotations = Object.fromEntries([...kept, ...set]);
  if (document.annotations === undefined && Object.keys(annotations).length === 0) return document;
  return { ...document, annotations };
}
