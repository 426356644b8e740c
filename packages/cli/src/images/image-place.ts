// Names of images as the verbs of `teu image` take them: a place with its transport, or, without one, an image of this host.

import { isTeuError } from "@teu/base/errors";
import { parseReference } from "@teu/image/reference";
import { usageError } from "../grammar/usage-error.ts";
import { parseTransportName, type TransportName } from "../transports/transport-name.ts";

/** @throws TeuError `invalid` (usage) for a malformed name, `unsupported` for other tools' transports. */
export function parseImagePlace(text: string): TransportName {
  // `teu image inspect NAME` means this host's, too.
  if (!hasTransport(text)) return parseTransportName(`containers:${text}`);
  return parseTransportName(text);
}

/** The place, when it is not this host's store; null when it is. @throws as `parseImagePlace`. */
export function placeElsewhere(text: string): TransportName | null {
  if (!hasTransport(text)) return null;
  const place = parseTransportName(text);
  return place.transport === "containers" ? null : place;
}

/** A place to write to; in the place of an image that is named by digest or id nothing can be written. */
export function parseDestination(text: string): TransportName {
  const name = parseImagePlace(text);
  if (name.transport === "docker" && name.reference.digest !== undefined) throw noName(text);
  if (name.transport === "containers") {
    const reference = /^(?:sha256:)?[0-9a-f]{64}$/.test(name.image) ? null : parseReference(name.image);
    if (reference === null || reference.digest !== undefined) throw noName(text);
  }
  if (name.transport !== "dir" && name.transport !== "docker" && name.image?.startsWith("@") === true)
    throw noName(text);
  return name;
}

/** The place that an image came from, to put another one there. */
export function parseInPlace(text: string): TransportName {
  const name = parseDestination(text);
  // Beside the image that was meant there would be another one, and neither could be meant any more.
  if (name.transport !== "docker" && name.transport !== "dir" && name.image === undefined) throw noName(text);
  return name;
}

/** Whether a transport is written out. `parseTransportName` says so of other tools' transports by refusing them. */
function hasTransport(text: string): boolean {
  try {
    return text.startsWith("docker://") || parseTransportName(text).transport !== "docker";
  } catch (error) {
    if (isTeuError(error, "unsupported") || text.endsWith(":")) throw error;
    return false;
  }
}

function noName(text: string): Error {
  return usageError(`${JSON.stringify(text)} is no name that can be given to an image`, {
    fallback: "say where it goes: --to NAME:TAG",
  });
}
