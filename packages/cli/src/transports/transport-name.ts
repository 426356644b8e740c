// Names of places for images as skopeo's users write them: "docker://host/app:v1", "oci:DIR:v1", "dir:DIR". Without a transport it is
// a reference to a registry, as crane's and Docker's users write it.

import { TeuError } from "@teu/base/errors";
import { familiarText, parseReference, type Reference } from "@teu/image/reference";
import { usageError } from "../grammar/usage-error.ts";

/** A place that may be read or written. */
export type TransportName =
  | { readonly transport: "docker"; readonly text: string; readonly reference: Reference }
  | {
      readonly transport: "oci" | "oci-archive" | "docker-archive";
      readonly text: string;
      readonly path: string;
      /** Which image in it. */
      readonly image?: string;
    }
  | { readonly transport: "dir"; readonly text: string; readonly path: string }
  | { readonly transport: "containers"; readonly text: string; readonly image: string }
  /** `image`: a familiar name, or an id ("sha256:..."). */
  | { readonly transport: "docker-daemon"; readonly text: string; readonly image: string };

const DOCKER = "docker://";
/** Transports of other tools, and what does instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "containers-storage": "use `podman save` or `podman load` with oci-archive:; teu's own images are containers:",
  sif: "only OCI and Docker images can be copied",
  ostree: "only OCI and Docker images can be copied",
  tarball: "use `teu import` to make an image of a tar file",
  atomic: "only OCI and Docker images can be copied",
};

/** What can be written in front of a name, for help texts. */
export const TRANSPORTS: readonly string[] = [
  "docker://",
  "oci:",
  "oci-archive:",
  "docker-archive:",
  "dir:",
  "docker-daemon:",
  "containers:",
];

/** @throws TeuError `invalid` (usage) for a malformed name, `unsupported` for other tools' transports. */
export function parseTransportName(text: string): TransportName {
  if (text.startsWith(DOCKER))
    return { transport: "docker", text, reference: parseReference(text.slice(DOCKER.length)) };
  if (text.startsWith("ocidir://")) return inFile("oci", text, text.slice("ocidir://".length));
  const colon = text.indexOf(":");
  const prefix = colon < 0 ? "" : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (prefix === "oci" || prefix === "oci-archive" || prefix === "docker-archive") return inFile(prefix, text, rest);
  if (prefix === "dir") return { transport: "dir", text, path: needed(text, rest) };
  if (prefix === "containers") return { transport: "containers", text, image: needed(text, rest) };
  if (prefix === "docker-daemon") return { transport: "docker-daemon", text, image: inDaemon(needed(text, rest)) };
  const instead = Object.hasOwn(ELSEWHERE, prefix) ? ELSEWHERE[prefix] : undefined;
  if (instead !== undefined)
    throw new TeuError({
      code: "unsupported",
      op: "read image name",
      subject: text,
      message: `${prefix}: is not a place that can be reached`,
      hint: instead,
    });
  return { transport: "docker", text: DOCKER + text, reference: parseReference(text) };
}

/** A daemon finds images by name or id; names by digest it has only of what it pulled. */
function inDaemon(text: string): string {
  if (/^sha256:[a-f0-9]{64}$/.test(text)) return text;
  return familiarText(parseReference(text));
}

// skopeo splits at the first colon, so names may have colons and paths may not; regctl adds a digest behind "@".
function inFile(transport: "oci" | "oci-archive" | "docker-archive", text: string, rest: string): TransportName {
  const digest = /^(.*?)@(sha(?:256|512):[a-f0-9]+)$/.exec(rest);
  const before = digest?.[1] ?? rest;
  const colon = before.indexOf(":");
  const path = needed(text, colon < 0 ? before : before.slice(0, colon));
  const named = colon < 0 ? "" : before.slice(colon + 1);
  const image = digest?.[2] === undefined ? named : `@${digest[2]}`;
  return { transport, text, path, ...(image === "" ? {} : { image }) };
}

function needed(text: string, value: string): string {
  if (value !== "") return value;
  throw usageError(`${JSON.stringify(text)} names no place`, { fallback: `write something behind ${text}` });
}
