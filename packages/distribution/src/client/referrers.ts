// Referrers of a manifest: the API where the registry has it, else the list under the tag that stands in for it (referrers-tag.ts).
// Reading merges nothing: a registry that answers the API is believed.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import { type Descriptor, MEDIA_TYPES, parseIndex } from "@teu/specs/image";

import { OCI_FILTERS_APPLIED } from "../wire/headers.ts";
import { parseNextLink } from "../wire/link-header.ts";
import { referrersPath } from "../wire/routes.ts";
import type { HttpResponse } from "./http-transport.ts";
import { taggedReferrers } from "./referrers-tag.ts";
import type { RegistryRequest, RegistrySession } from "./registry-session.ts";
import { accessTo, nameText, type RepositoryName } from "./repository.ts";
import { readLimited } from "./response-error.ts";

const LIMIT = 4 << 20;
const MOST_PAGES = 1000;
/** Of one manifest; more are an attack. */
const MOST_REFERRERS = 100_000;

/** All referrers, of one artifact type when asked. */
export async function listReferrers(
  scope: Scope,
  session: RegistrySession,
  name: RepositoryName,
  digest: Digest,
  artifactType?: string,
): Promise<Descriptor[]> {
  const found =
    (await byApi(scope, session, name, digest, artifactType)) ?? (await taggedReferrers(scope, session, name, digest));
  return artifactType === undefined ? [...found] : found.filter((entry) => entry.artifactType === artifactType);
}

/** Whether the registry has the API. */
export async function hasReferrersApi(
  scope: Scope,
  session: RegistrySession,
  name: RepositoryName,
  digest: Digest,
): Promise<boolean> {
  return (await byApi(scope, session, name, digest, undefined)) !== null;
}

async function byApi(
  scope: Scope,
  session: RegistrySession,
  name: RepositoryName,
  digest: Digest,
  artifactType: string | undefined,
): Promise<Descriptor[] | null> {
  const query = artifactType === undefined ? "" : `?${new URLSearchParams({ artifactType }).toString()}`;
  const found: Descriptor[] = [];
  const seen = new Set<string>();
  let target: string | URL = referrersPath(name.repository, digest) + query;
  for (;;) {
    const url = session.locate(target);
    if (url.origin !== session.base.origin) throw badPages(name, digest, "the next page is on another host");
    if (seen.has(url.href)) throw badPages(name, digest, "the pages lead in a circle");
    if (seen.size === MOST_PAGES) throw badPages(name, digest, `more than ${MOST_PAGES} pages`);
    const response: HttpResponse = await session.request(scope, {
      ...common(name, digest),
      method: "GET",
      target: url,
      expect: [200, 404, 405, 400],
    });
    const isIndex = response.status === 200 && (response.headers["content-type"] ?? "").startsWith(MEDIA_TYPES.index);
    if (!isIndex) {
      await response[Symbol.asyncDispose]();
      if (seen.size === 0) return null;
      throw badPages(name, digest, "a page of the list is missing");
    }
    seen.add(url.href);
    if (response.headers[OCI_FILTERS_APPLIED] !== undefined) scope.log.debug("referrers filtered by the registry");
    found.push(...parseIndex(await readLimited("list referrers", response, LIMIT)).manifests);
    if (found.length > MOST_REFERRERS) throw badPages(name, digest, `more than ${MOST_REFERRERS} entries`);
    const next = parseNextLink(response.headerValues("link").join(", "));
    if (next === null) return found;
    if (!URL.canParse(next, url.href)) throw badPages(name, digest, "the next page has no valid address");
    target = new URL(next, url);
  }
}

function common(name: RepositoryName, digest: Digest): Pick<RegistryRequest, "access" | "op" | "subject"> {
  return { access: accessTo(name, "pull"), op: "list referrers", subject: `${nameText(name)}@${digest}` };
}

function badPages(name: RepositoryName, digest: Digest, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "list referrers", subject: `${nameText(name)}@${digest}`, message });
}
