// What JSON says of a manifest list of this host: what it will be on a registry, as `manifest push` says it, and its images.

import { indexOfList, type ManifestList } from "@teu/engine/manifest-lists/manifest-lists";
import { digestOf } from "@teu/image/digest";
import { referenceText } from "@teu/image/reference";

/** The object. A member without a platform is an artifact. */
export function listFacts(list: ManifestList): object {
  const { mediaType, bytes } = indexOfList(list);
  return {
    reference: referenceText(list.name),
    digest: digestOf(bytes),
    mediaType,
    size: bytes.length,
    members: list.members.map(({ reference, descriptor }) => {
      const { digest, mediaType: type, size, platform } = descriptor;
      const what = { reference: referenceText(reference), digest, mediaType: type, size };
      return { ...what, ...(platform === undefined ? {} : { platform }) };
    }),
  };
}
