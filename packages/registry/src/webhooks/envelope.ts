// Events as docker-registry's notifications have them (its documentation, "Notifications"): receivers exist for that form.

import { randomUUID } from "node:crypto";
import type { Exchange } from "@teu/distribution/server/exchange";
import type { RegistryEvent } from "@teu/distribution/server/registry-event";
import { blobPath, manifestPath } from "@teu/distribution/wire/routes";

/** Media type of the envelope. */
export const ENVELOPE_TYPE = "application/vnd.docker.distribution.events.v2+json";

/** One event. */
export interface WebhookEvent {
  readonly id: string;
  readonly timestamp: string;
  readonly action: RegistryEvent["action"];
  readonly target: Readonly<Record<string, unknown>> & { readonly repository: string };
  readonly request: Readonly<Record<string, string>>;
  readonly actor: { readonly name?: string };
  readonly source: { readonly addr: string };
}

/** Makes one. `registry` is how the registry calls itself. */
export function webhookEvent(
  exchange: Exchange,
  { action, repository, digest, mediaType, size, tag, fromRepository }: RegistryEvent,
  { address, registry }: { readonly address: string; readonly registry: string },
): WebhookEvent {
  const { name } = exchange.identity;
  const isManifest = mediaType !== undefined && mediaType !== "application/octet-stream";
  const path =
    digest === undefined ? undefined : isManifest ? manifestPath(repository, digest) : blobPath(repository, digest);
  return {
    id: randomUUID(),
    timestamp: new Date().toISOString(),
    action,
    target: {
      ...(mediaType === undefined ? {} : { mediaType }),
      ...(size === undefined ? {} : { size, length: size }),
      ...(digest === undefined ? {} : { digest }),
      repository,
      ...(fromRepository === undefined ? {} : { fromRepository }),
      ...(path === undefined ? {} : { url: `${registry}${path}` }),
      ...(tag === undefined ? {} : { tag }),
    },
    request: {
      id: randomUUID(),
      addr: address,
      host: (exchange.header("host") ?? "").slice(0, 300),
      method: exchange.method,
      useragent: (exchange.header("user-agent") ?? "").slice(0, 200),
    },
    actor: name === null ? {} : { name },
    source: { addr: registry },
  };
}
