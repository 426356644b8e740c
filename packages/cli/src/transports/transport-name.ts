// Names of places for images as skopeo's users write them: "docker://host/app:v1", "oci:DIR:v1", "dir:DIR". Without a transport it is
// a reference to a registry, as crane's and Docker's users write it.

import { isTeuError, TeuError } from "@teu/base/errors";
import { isShortName } from "@teu/distribution/client/short-names";
import { familiarText, parseReference, type Reference, referenceText } from "@teu/image/reference";
import { usageError } from "../grammar/usage-error.ts";

/** A place that may be read or written. */
export type TransportName =
  /** `bare`: what was written, when that was a name without a transport. */
  | { readonly transport: "docker"; readonly text: string; readonly reference: Reference; readonly bare?: string }
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
  // Names of images with a tag ("app:v1") and hosts with a port look like a transport; what follows one of these is no path.
  if (/^[a-z][a-z-]*:(?:[/.]|$)/.test(text))
    throw usageError(`unknown transport ${JSON.stringify(`${prefix}:`)}`, {
      word: `${prefix}:`,
      known: TRANSPORTS,
      fallback: `places begin with ${TRANSPORTS.join(", ")}`,
    });
  return { transport: "docker", text: DOCKER + text, reference: parseReference(text), bare: text };
}

/**
 * The error about an image that was looked for on a registry, with what its name was taken for: who wrote no registry may have meant
 * none. `text` is what was written.
 */
export function withMeaning(error: unknown, text: string): unknown {
  const isBare = !text.startsWith(DOCKER) && isShortName(text);
  if (!isBare || !isTeuError(error) || !["not-found", "denied", "unavailable", "timeout"].includes(error.code))
    return error;
  const full = referenceText(parseReference(text));
  const meant = `${JSON.stringify(text)} is ${full}; this host's image is containers:${text}`;
  return new TeuError({
    code: error.code,
    op: error.op,
    ...(error.subject === undefined ? {} : { subject: error.subject }),
    message: error.what,
    detail: error.detail,
    hint: error.code === "denied" && error.hint !== undefined ? `${meant}; ${error.hint}` : meant,
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  });
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
