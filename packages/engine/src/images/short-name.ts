// Short names ("fedora") by registries.conf: what to pull, and what an image that is here is called.

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { isShortName, meaningsOf } from "@teu/distribution/client/short-names";
import { parseReference, type Reference, referenceText } from "@teu/image/reference";

import { asReference, isKnown } from "./find.ts";
import type { Database } from "../store/database.ts";
import { registriesConf } from "./registry-client.ts";

/** Tries the meanings of what somebody typed in their order; what a registry does not have, or does not show, the next one may. */
export async function firstMeaning<T>(
  scope: Scope,
  text: string,
  attempt: (reference: Reference) => Promise<T>,
): Promise<T> {
  const typed = parseReference(text);
  // The files are for short names only.
  if (!isShortName(text)) return attempt(typed);
  const [first, ...others] = meaningsOf(await registriesConf(), text);
  let reference = first;
  for (const next of others) {
    try {
      return await attempt(reference);
    } catch (error) {
      if (!isTeuError(error) || scope.signal.aborted || !PASSING.has(error.code)) throw error;
      scope.log.warn(`${referenceText(reference)}: ${error.message}; trying ${referenceText(next)}`);
    }
    reference = next;
  }
  return attempt(reference);
}

const PASSING: ReadonlySet<string> = new Set(["not-found", "denied", "unavailable", "timeout"]);

/** The name under which an image is here: what was typed, or for a short name what registries.conf makes of it. */
export async function nameHere(db: Database, ref: string): Promise<string> {
  if (asReference(ref) === null || !isShortName(ref) || isKnown(db, ref)) return ref;
  const meanings = meaningsOf(await registriesConf(), ref).map(referenceText);
  return meanings.find((text) => isKnown(db, text)) ?? ref;
}
