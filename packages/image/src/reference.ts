// Image references as people write them, with Docker's normalisation: "busybox" is docker.io/library/busybox:latest.
// Grammar: distribution's reference (domain, path, tag, digest); what a reference resolves to is the client's business.

import { TeuError } from "@teu/base/errors";

import { type Digest, parseDigest } from "./digest.ts";

/** A normalised reference: at least a tag or a digest is present after `parseReference`. */
export interface Reference {
  /** Registry host with optional port: "docker.io", "localhost:5000", "[::1]:5000". */
  readonly domain: string;
  /** Path below the domain, without it: "library/busybox". */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Domain of references that name none. */
export const DEFAULT_DOMAIN = "docker.io";
/** Tag of references that name neither tag nor digest. */
export const DEFAULT_TAG = "latest";

const LEGACY_DOMAIN = "index.docker.io";
const OFFICIAL = "library/";
/** distribution's limit on domain and path together. */
const LONGEST_NAME = 255;

const LABEL = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const DOMAIN = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:.]+\\])(?::[0-9]{1,5})?$`);
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const BARE_DIGEST = /^[a-f0-9]{64}$/;

/**
 * Reads a reference as Docker's command line does.
 * @throws TeuError `invalid`, saying which part is wrong.
 */
export function parseReference(text: string): Reference {
  if (text.length > 1024) throw refuse(text.slice(0, 100), "longer than 1024 characters");
  if (BARE_DIGEST.test(text)) {
    throw refuse(
      text,
      "64 hex digits are an image id, not a name",
      "give a repository name, or sha256:... to name by id",
    );
  }
  const at = text.indexOf("@");
  const named = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : readDigest(text, text.slice(at + 1));
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/") && !isPortOnly(named, colon);
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  const { domain, repository } = splitDomain(hasTag ? named.slice(0, colon) : named);
  checkName(text, domain, repository);
  if (tag !== undefined) checkTag(text, tag);
  return {
    domain,
    repository,
    ...(tag === undefined && digest === undefined ? { tag: DEFAULT_TAG } : tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** Whether the text is a well-formed tag. */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Whether the text is a well-formed repository path: lower-case components joined by "/". */
export function isRepository(text: string): boolean {
  return text.length <= LONGEST_NAME && text.split("/").every((part) => COMPONENT.test(part));
}

/** Domain and repository: "docker.io/library/busybox". */
export function referenceName(reference: Reference): string {
  return `${reference.domain}/${reference.repository}`;
}

/** The full normalised text: "docker.io/library/busybox:latest@sha256:...". */
export function referenceText(reference: Reference): string {
  return referenceName(reference) + suffix(reference);
}

/** The name without what Docker leaves out, and without tag or digest: "busybox", "user/app", "localhost:5000/app". */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return referenceName(reference);
  const { repository } = reference;
  const bare = repository.startsWith(OFFICIAL) ? repository.slice(OFFICIAL.length) : repository;
  // "docker.io/library/a/b" would read back as user "a" if "library/" were dropped.
  return bare.includes("/") ? repository : bare;
}

/** The familiar name with tag and digest: "busybox:latest". */
export function familiarText(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

/**
 * The same repository with this tag and no digest.
 * @throws TeuError `invalid` for a malformed tag.
 */
export function withTag(reference: Reference, tag: string): Reference {
  checkTag(tag, tag);
  return { domain: reference.domain, repository: reference.repository, tag };
}

/** The same repository (tag kept) with this digest. */
export function withDigest(reference: Reference, digest: Digest): Reference {
  return { ...reference, digest };
}

function suffix(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  return reference.digest === undefined ? tag : `${tag}@${reference.digest}`;
}

/** "localhost:5000" alone would be a name with tag 5000, as Docker reads it; "[::1]:5000" has no path and is an error later. */
function isPortOnly(named: string, colon: number): boolean {
  return named.startsWith("[") && named.indexOf("]") > colon;
}

function splitDomain(name: string): { domain: string; repository: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isDomain = first !== "" && (/[.:[]/.test(first) || first === "localhost" || first.toLowerCase() !== first);
  const domain = isDomain ? first : DEFAULT_DOMAIN;
  const repository = isDomain ? name.slice(slash + 1) : name;
  if (domain !== DEFAULT_DOMAIN && domain !== LEGACY_DOMAIN) return { domain, repository };
  const official = repository !== "" && !repository.includes("/");
  return { domain: DEFAULT_DOMAIN, repository: official ? OFFICIAL + repository : repository };
}

function checkName(text: string, domain: string, repository: string): void {
  if (!DOMAIN.test(domain)) throw refuse(text, `${JSON.stringify(domain)} is not a host name with an optional port`);
  if (repository === "") throw refuse(text, "repository name is missing");
  if (domain.length + 1 + repository.length > LONGEST_NAME) {
    throw refuse(text, `name is longer than ${LONGEST_NAME} characters`);
  }
  for (const part of repository.split("/")) {
    if (COMPONENT.test(part)) continue;
    if (part !== part.toLowerCase()) throw refuse(text, "repository name must be lower case");
    throw refuse(
      text,
      `repository part ${JSON.stringify(part)} is not letters and digits joined by ".", "_", "__" or "-"`,
    );
  }
}

function checkTag(text: string, tag: string): void {
  if (!TAG.test(tag)) {
    throw refuse(text, `tag ${JSON.stringify(tag)} is not 1 to 128 letters, digits, "_", "." or "-"`);
  }
}

function readDigest(text: string, digest: string): Digest {
  try {
    return parseDigest(digest);
  } catch (cause) {
    throw new TeuError({ code: "invalid", op: "read reference", subject: text, message: "digest is malformed", cause });
  }
}

function refuse(subject: string, message: string, hint?: string): TeuError {
  return new TeuError({
    code: "invalid",
    op: "read reference",
    subject,
    message,
    ...(hint === undefined ? {} : { hint }),
  });
}
