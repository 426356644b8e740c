// Names of repositories and registries, where a command is on a whole repository or wants to be told exactly what to touch.

import { parseReference, type Reference } from "@teu/image/reference";
import { usageError } from "../grammar/usage-error.ts";
import { parseTransportName, type TransportName } from "./transport-name.ts";

/** A repository: "localhost:5000/app". @throws TeuError `invalid` (usage) when it has a tag or digest. */
export function parseRepository(text: string): Reference {
  const name = withoutTransport(text);
  if (!namesOne(name)) return parseReference(name);
  throw usageError(`${JSON.stringify(text)} names one image, not a repository`, {
    fallback: "leave tag and digest out",
  });
}

/** An image whose tag or digest is written out. @throws TeuError `invalid` (usage) otherwise. */
export function parseExactReference(text: string): Reference {
  const name = withoutTransport(text);
  if (namesOne(name)) return parseReference(name);
  throw usageError(`${JSON.stringify(text)} has neither tag nor digest`, { fallback: "write NAME:TAG or NAME@DIGEST" });
}

/** An image on a registry, where no other place will do. @throws TeuError `invalid` (usage). */
export function parseRemote(text: string): TransportName & { readonly transport: "docker" } {
  const name = parseTransportName(text);
  if (name.transport === "docker") return name;
  throw usageError(`${JSON.stringify(text)} is not on a registry`, { fallback: "copy it to one first: `teu copy`" });
}

/** A registry: "localhost:5000", or its URL as people paste it. @throws TeuError `invalid` (usage). */
export function parseRegistry(text: string): string {
  const host = text.replace(/^(?:https?|docker):\/\//, "").replace(/\/+$/, "");
  if (/^(?:[A-Za-z0-9.-]+|\[[A-Fa-f0-9:.]+\])(?::[0-9]{1,5})?$/.test(host)) return host;
  throw usageError(`${JSON.stringify(text)} is not a registry`, { fallback: "write a host with an optional port" });
}

function withoutTransport(text: string): string {
  return text.startsWith("docker://") ? text.slice("docker://".length) : text;
}

/** Whether a tag or digest is written out: a colon before the last slash is a port's. */
function namesOne(name: string): boolean {
  return /[:@][^/]*$/.test(name.slice(name.indexOf("/") + 1)) || (!name.includes("/") && /[:@]/.test(name));
}
