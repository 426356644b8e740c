// Which names here stand for repositories of other registries.

import { isRepositoryName } from "@teu/specs/distribution";
import { TeuError } from "@teu/base/errors";

/** One registry that is kept here. */
export interface ProxyOptions {
  /** "hub": hub/library/busybox is library/busybox there. "" is everything that no other one has. */
  readonly prefix: string;
  /** "docker.io", or with the beginning of all names there: "registry.example/team". */
  readonly upstream: string;
  readonly username?: string;
  readonly password?: string;
  /** File that holds the password. */
  readonly passwordFile?: string;
  /** Hosts of token servers that the password may be sent to, beside the registry's own. */
  readonly realms?: readonly string[];
  /** How long a tag is believed. Milliseconds, default five minutes. Content by digest is believed for ever. */
  readonly ttl?: number;
  /** PEM of an authority of its certificate, beside those that are trusted anyway. */
  readonly ca?: string;
  /** It may be spoken to without TLS. On loopback addresses it may anyway. */
  readonly plainHttp?: boolean;
}

/** Where a proxy's names lead. */
export interface UpstreamName {
  readonly domain: string;
  /** Beginning of all names there, with a slash at the end; or "". */
  readonly base: string;
}

/** Reads `upstream`. @throws TeuError `invalid`. */
export function parseUpstream(text: string): UpstreamName {
  const slash = text.indexOf("/");
  const domain = slash < 0 ? text : text.slice(0, slash);
  const base = slash < 0 ? "" : text.slice(slash + 1);
  const isDomain = /^[A-Za-z0-9.-]+(?::\d{1,5})?$/.test(domain) && (/[.:]/.test(domain) || domain === "localhost");
  if (isDomain && (base === "" || isRepositoryName(base))) return { domain, base: base === "" ? "" : `${base}/` };
  const message = 'want HOST[:PORT], as in "docker.io" or "registry.example/team"';
  throw new TeuError({ code: "invalid", op: "open proxy", subject: text, message });
}

/** The proxy that a repository belongs to, by the longest prefix. */
export function proxyOf<T extends { readonly prefix: string }>(
  proxies: readonly T[],
  repository: string,
): T | undefined {
  const fitting = proxies.filter(({ prefix }) => prefix === "" || repository.startsWith(`${prefix}/`));
  return fitting.reduce<T | undefined>(
    (best, one) => (best === undefined || one.prefix.length > best.prefix.length ? one : best),
    undefined,
  );
}

/** What a repository is called here, given its name at a registry; unchanged when that is not kept here. */
export function localName(proxies: readonly ProxyOptions[], repository: string, namespace: string): string {
  for (const { prefix, upstream } of proxies) {
    const { domain, base } = parseUpstream(upstream);
    if (domain !== namespace || !repository.startsWith(base)) continue;
    const rest = repository.slice(base.length);
    return prefix === "" ? rest : `${prefix}/${rest}`;
  }
  return repository;
}
