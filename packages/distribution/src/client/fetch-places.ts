// All places from which a reference's content may be fetched: what registries.conf says of the reference, and for each of these names
// the endpoints that hosts.toml says of its host. Tried in order until one has it.

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Reference } from "@teu/image/reference";

import type { Capability } from "./endpoint.ts";
import type { RegistriesConf } from "./registries-conf.ts";
import type { HostEndpoint, RegistryHost } from "./registry-host.ts";
import type { RegistrySession } from "./registry-session.ts";
import { placesOf } from "./registry-rules.ts";

/** One place, ready to be asked. */
export interface ReadyPlace {
  readonly endpoint: HostEndpoint;
  /** The reference as this place calls it. */
  readonly reference: Reference;
  /** Not where the name leads by itself. */
  readonly isMirror: boolean;
}

/** At least one. */
export type Places = readonly [ReadyPlace, ...ReadyPlace[]];

/** What the places of a client are made from. */
export interface PlaceSources {
  readonly registries: () => Promise<RegistriesConf>;
  readonly host: (domain: string, insecure: boolean) => Promise<RegistryHost>;
}

/** Which places: those that may answer, those where the name leads by itself, or also those that did not answer lately. */
export type PlaceChoice = "likely" | "original" | "all";

/** The places, the original ones last. @throws TeuError `denied` for what is blocked. */
export async function readyPlaces(
  scope: Scope,
  { registries, host }: PlaceSources,
  reference: Reference,
  capability: Capability,
  choice: PlaceChoice = "likely",
): Promise<Places> {
  const found: ReadyPlace[] = [];
  for (const place of placesOf(await registries(), reference, capability === "resolve")) {
    const { domain } = place.reference;
    for (const endpoint of (await host(domain, place.insecure)).able(scope, capability, choice === "all")) {
      const isMirror = place.isMirror || endpoint.isMirror;
      found.push({ endpoint, reference: place.reference, isMirror });
    }
  }
  const own = found.filter(({ isMirror }) => !isMirror);
  return (choice === "original" && own.length > 0 ? own : found) as ReadyPlace[] & Places;
}

/** What the first place says that can answer. @throws what the last place says, when none can. */
export async function firstAnswer<T>(
  scope: Scope,
  places: Places,
  ask: (session: RegistrySession, place: ReadyPlace) => Promise<T>,
): Promise<T> {
  const [first, ...others] = places;
  let place = first;
  for (const next of others) {
    try {
      return await ask(await place.endpoint.session(scope), place);
    } catch (error) {
      noteFailure(scope, place, error);
    }
    place = next;
  }
  return ask(await place.endpoint.session(scope), place);
}

/** Goes on after a failure of one place that is not the last. @throws the error when it is not the place's. */
export function noteFailure(scope: Scope, { endpoint }: ReadyPlace, error: unknown): void {
  if (!isTeuError(error) || scope.signal.aborted) throw error;
  endpoint.failed(scope, error);
}
