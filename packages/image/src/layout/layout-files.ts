// The files of an OCI image layout (image-spec, image-layout.md): names, the header, and how names are carried in
// annotations of index.json.

import { isTeuError } from "@teu/base/errors";
import { type Descriptor, type ImageIndex, MEDIA_TYPES } from "@teu/specs/image";

import { type Digest, digestAlgorithm, digestEncoded, isDigest } from "../digest.ts";
import { familiarText, parseReference, type Reference, referenceText } from "../reference.ts";

/** The marker file and its whole content. */
export const LAYOUT_FILE = "oci-layout";
/** Content of the marker file. */
export const LAYOUT_CONTENT = '{"imageLayoutVersion":"1.0.0"}';
/** The entry points. */
export const INDEX_FILE = "index.json";

/** Tag or name of an entry in index.json. */
export const REF_NAME = "org.opencontainers.image.ref.name";
/** Full name of an entry, as containerd and Docker write it. */
export const IMAGE_NAME = "io.containerd.image.name";

/** An image to be put into a layout or archive. */
export interface NamedImage {
  readonly descriptor: Descriptor;
  /** Names of the image; may be empty. */
  readonly names: readonly Reference[];
}

/** An image found in a layout or archive. */
export interface FoundImage {
  /** Without the annotations that only named it. */
  readonly descriptor: Descriptor;
  /** Full names. */
  readonly names: readonly Reference[];
  /** Bare tags and other texts that name no repository: what `skopeo copy ... oci:DIR:TEXT` left. */
  readonly labels: readonly string[];
}

/** Path of a blob inside a layout. The digest was parsed, hence holds no "/" and no "..". */
export function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestEncoded(digest)}`;
}

/** The digest that a path inside a layout names, or null when it is no blob's. */
export function digestOfPath(path: string): Digest | null {
  const match = /^blobs\/([^/]+)\/([^/]+)$/.exec(path);
  const text = `${match?.[1]}:${match?.[2]}`;
  return match !== null && isDigest(text) ? text : null;
}

/** The index.json for some images: one entry per name, or one without a name. */
export function layoutIndex(images: readonly NamedImage[]): ImageIndex {
  return {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests: images.flatMap(({ descriptor, names }) =>
      names.length === 0 ? [descriptor] : names.map((name) => withName(descriptor, name)),
    ),
  };
}

function withName(descriptor: Descriptor, name: Reference): Descriptor {
  const annotations = {
    ...descriptor.annotations,
    [IMAGE_NAME]: referenceText(name),
    [REF_NAME]: name.tag ?? familiarText(name),
  };
  return { ...descriptor, annotations };
}

/**
 * The names that an entry of index.json carries: containerd's full name, else a ref.name that is one. A bare tag names
 * no repository: null is given for it.
 */
export function nameOfEntry(descriptor: Descriptor): Reference | null {
  const full = descriptor.annotations?.[IMAGE_NAME];
  if (full !== undefined) return tryParse(full);
  const ref = descriptor.annotations?.[REF_NAME];
  return ref === undefined || !/[:/]/.test(ref) ? null : tryParse(ref);
}

/** Entries of one digest together, each with all its names, in the order of the index. */
export function imagesOfIndex(index: ImageIndex): FoundImage[] {
  const byDigest = new Map<string, { descriptor: Descriptor; names: Map<string, Reference>; labels: Set<string> }>();
  for (const entry of index.manifests) {
    const known = byDigest.get(entry.digest) ?? { descriptor: withoutName(entry), names: new Map(), labels: new Set() };
    byDigest.set(entry.digest, known);
    const name = nameOfEntry(entry);
    const label = entry.annotations?.[REF_NAME];
    if (name !== null) known.names.set(referenceText(name), name);
    else if (label !== undefined) known.labels.add(label);
  }
  return [...byDigest.values()].map(({ descriptor, names, labels }) => ({
    descriptor,
    names: [...names.values()],
    labels: [...labels],
  }));
}

function withoutName(entry: Descriptor): Descriptor {
  const { annotations, ...descriptor } = entry;
  const kept = Object.entries(annotations ?? {}).filter(([key]) => key !== REF_NAME && key !== IMAGE_NAME);
  return kept.length === 0 ? descriptor : { ...descriptor, annotations: Object.fromEntries(kept) };
}

function tryParse(text: string): Reference | null {
  try {
    return parseReference(text);
  } catch (error) {
    // Free text is legal in this annotation; it is then no name.
    if (isTeuError(error, "invalid")) return null;
    throw error;
  }
}
