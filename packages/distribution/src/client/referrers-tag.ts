// The tag under which clients keep the referrers of a manifest where the registry keeps none itself
// (distribution-spec, "Unavailable Referrers API"): who pushes or deletes a referrer changes the list under it.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Digest, digestAlgorithm, digestEncoded } from "@teu/image/digest";
import { type Descriptor, type ImageIndex, MEDIA_TYPES, parseIndex } from "@teu/specs/image";

import { manifestPath } from "../wire/routes.ts";
import type { RegistrySession } from "./registry-session.ts";
import { accessTo, nameText, type RepositoryName } from "./repository.ts";
import { readLimited } from "./response-error.ts";

const LIMIT = 4 << 20;
/** Another client may change the list at the same moment. */
const TRIES = 4;

/** What becomes of the list; null when it stays. */
export type ReferrersChange = (present: readonly Descriptor[]) => readonly Descriptor[] | null;

/** Stores an index under a tag, if it is still as `headers` say. @throws TeuError `conflict` when it is not. */
export type PutIndex = (bytes: Uint8Array, tag: string, headers: Record<string, string>) => Promise<unknown>;

/** The tag for a subject. */
export function referrersTag(subject: Digest): string {
  const algorithm = digestAlgorithm(subject).slice(0, 32);
  return `${algorithm}-${digestEncoded(subject).slice(0, 64)}`.replace(/[^A-Za-z0-9._-]/g, "-");
}

/** The referrers that the list names. Somebody else's tag that happens to have this name is no list. */
export async function taggedReferrers(
  scope: Scope,
  session: RegistrySession,
  name: RepositoryName,
  subject: Digest,
): Promise<readonly Descriptor[]> {
  const found = await readTag(scope, session, name, subject);
  return found?.index?.manifests ?? [];
}

/** Changes the list. @throws TeuError `conflict` when something else has the tag, or others change it all the time. */
export async function changeTaggedReferrers(
  scope: Scope,
  session: RegistrySession,
  name: RepositoryName,
  subject: Digest,
  change: ReferrersChange,
  put: PutIndex,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const found = await readTag(scope, session, name, subject);
    if (found?.index === null) throw taken(name, subject);
    const manifests = change(found?.index.manifests ?? []);
    if (manifests === null) return;
    const index = { ...found?.index, schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests };
    const condition: Record<string, string> = found?.etag === undefined ? {} : { "if-match": found.etag };
    try {
      await put(Buffer.from(JSON.stringify(index)), referrersTag(subject), condition);
      return;
    } catch (error) {
      if (tries === TRIES || !isTeuError(error, "conflict")) throw error;
    }
  }
}

interface Tagged {
  /** Null: something else has the tag. */
  readonly index: ImageIndex | null;
  readonly etag: string | undefined;
}

async function readTag(
  scope: Scope,
  session: RegistrySession,
  name: RepositoryName,
  subject: Digest,
): Promise<Tagged | null> {
  const response = await session.request(scope, {
    method: "GET",
    target: manifestPath(name.repository, referrersTag(subject)),
    expect: [200, 404],
    headers: { accept: MEDIA_TYPES.index },
    access: accessTo(name, "pull"),
    op: "list referrers",
    subject: `${nameText(name)}@${subject}`,
  });
  if (response.status === 404) {
    await response[Symbol.asyncDispose]();
    return null;
  }
  const { etag } = response.headers;
  const bytes = await readLimited("list referrers", response, LIMIT);
  try {
    return { index: parseIndex(bytes), etag };
  } catch (error) {
    if (isTeuError(error, "invalid")) return { index: null, etag };
    throw error;
  }
}

function taken(name: RepositoryName, subject: Digest): TeuError {
  return new TeuError({
    code: "conflict",
    op: "list a referrer",
    subject: `${nameText(name)}:${referrersTag(subject)}`,
    message: "something else than a list of referrers has this tag",
    hint: "the registry keeps no referrers itself, and this tag is where clients keep them: give what has it another one",
  });
}
