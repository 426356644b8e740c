// Where the images of a list go: each to a place below one destination, named after where it comes from, as skopeo names them.

import { parseReference, type Reference, referenceText } from "@teu/image/reference";
import { join } from "node:path";
import { usageError } from "../grammar/usage-error.ts";
import { parseRegistry } from "../transports/remote-name.ts";
import { parseTransportName, type TransportName } from "../transports/transport-name.ts";

/** The destination of a whole list. */
export type SyncTarget =
  | { readonly transport: "docker"; readonly prefix: string }
  | { readonly transport: "dir" | "oci"; readonly path: string };

/** "docker://HOST[/PREFIX]", "dir:DIR", "oci:DIR". @throws TeuError `invalid` (usage). */
export function parseSyncTarget(text: string): SyncTarget {
  const bare = text.replace(/^docker:\/\//, "").replace(/\/+$/, "");
  if (text.startsWith("docker://") && !bare.includes("/")) return { transport: "docker", prefix: parseRegistry(bare) };
  const name = parseTransportName(text.startsWith("docker://") ? `docker://${bare}` : text);
  if (name.transport === "docker") {
    const { domain, repository, tag, digest } = name.reference;
    const named = /:[^/]*$/.test(bare.slice(bare.indexOf("/")));
    if (digest === undefined && !(named && tag !== undefined))
      return { transport: "docker", prefix: `${domain}/${repository}` };
    throw usageError(`${JSON.stringify(text)} names one image, not a place for many`, {
      fallback: "leave tag and digest out",
    });
  }
  if (name.transport === "dir") return { transport: "dir", path: name.path };
  if (name.transport === "oci" && name.image === undefined) return { transport: "oci", path: name.path };
  throw usageError(`${JSON.stringify(text)} is not a place for many images`, {
    fallback: "write docker://HOST/PREFIX, oci:DIR or dir:DIR",
  });
}

/** Where one image goes. `scoped`: its whole name is kept, with its registry; else the last part of it. */
export function placeOf(target: SyncTarget, source: Reference, scoped: boolean): TransportName {
  const whole = referenceText(source);
  const name = scoped ? whole : whole.slice(whole.lastIndexOf("/") + 1);
  if (target.transport !== "docker") {
    const path = join(target.path, name);
    if (target.transport === "dir") return { transport: "dir", path, text: `dir:${path}` };
    return { transport: "oci", path: target.path, image: name, text: `oci:${target.path}:${name}` };
  }
  // A port's colon cannot be in the middle of a name.
  const domain = source.domain
    .replace(/^\[|\]/g, "")
    .replaceAll(":", "-")
    .toLowerCase();
  const inside = scoped ? `${domain}${whole.slice(source.domain.length)}` : name;
  const text = `${target.prefix}/${inside}`;
  return { transport: "docker", text: `docker://${text}`, reference: parseReference(text) };
}
