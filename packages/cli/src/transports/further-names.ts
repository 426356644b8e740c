// Further names for what a copy writes: skopeo's --additional-tag, for every place that keeps several names of one image.

import { familiarText, parseReference, referenceName } from "@teu/image/reference";
import { usageError } from "../grammar/usage-error.ts";
import type { TransportName } from "./transport-name.ts";

/** image-spec, annotations: what a ref.name may consist of; its first character is never "@", which stands for a place here. */
const REF_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._:/+-]|@(?=[A-Za-z0-9])){0,1023}$/;
/** distribution-spec: what a tag consists of. */
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/**
 * The names as the place has them: tags of a registry's repository, ref.names of a layout, familiar names elsewhere.
 * @throws TeuError `invalid` (usage) for what cannot be a name there.
 */
export function parseFurtherNames(place: TransportName, texts: readonly string[]): readonly string[] {
  return texts.map((text) => furtherName(place, text));
}

/** A ref.name. @throws TeuError `invalid` (usage). */
export function checkLabel(image: string): string {
  if (REF_NAME.test(image)) return image;
  throw usageError(`${JSON.stringify(image)} cannot be the name of an image in a layout`, {
    fallback: 'use letters, digits and "-._:@/+"',
  });
}

function furtherName(place: TransportName, text: string): string {
  switch (place.transport) {
    case "docker":
      return tagOf(place, text);
    case "oci":
    case "oci-archive":
      return checkLabel(text);
    case "dir":
      throw usageError(`${JSON.stringify(place.text)} holds one image without a name`, {
        fallback: "leave --additional-tag out",
      });
    default:
      return taggedName(text);
  }
}

/** A tag, or, as skopeo's users write it, the whole name with one. */
function tagOf({ reference }: TransportName & { readonly transport: "docker" }, text: string): string {
  if (TAG.test(text)) return text;
  const further = parseReference(text);
  const repository = referenceName(reference);
  if (further.digest === undefined && further.tag !== undefined && referenceName(further) === repository)
    return further.tag;
  throw usageError(`${JSON.stringify(text)} is no tag of ${repository}`, {
    fallback: "write the tag alone; another repository takes another copy",
  });
}

function taggedName(text: string): string {
  const reference = parseReference(text);
  if (reference.digest === undefined && /:[^/]+$/.test(text)) return familiarText(reference);
  throw usageError(`${JSON.stringify(text)} has no tag`, { fallback: "write NAME:TAG" });
}
