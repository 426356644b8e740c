// What registries.conf says about one reference: where it may be fetched, in which order; or that it is blocked.

import { TeuError } from "@teu/base/errors";
import { parseReference, type Reference, referenceName, referenceText } from "@teu/image/reference";

import type { RegistriesConf, RegistryPlace, RegistryRule } from "./registries-conf.ts";
import { isShortName } from "./short-names.ts";

/** One place to fetch from. */
export interface FetchPlace {
  /** The reference as that place calls it. */
  readonly reference: Reference;
  readonly insecure: boolean;
  /** Not where the name leads by itself. */
  readonly isMirror: boolean;
}

/**
 * Mirrors first, the place itself last. `byTag`: to learn what a tag means; mirrors that are for digests only are left out then.
 * By digest every mirror may be asked: the digest says whether it is right.
 * @throws TeuError `denied` for what is blocked, `invalid` when a rule makes no name.
 */
export function placesOf(
  conf: RegistriesConf,
  reference: Reference,
  byTag: boolean,
): readonly [...FetchPlace[], FetchPlace] {
  const rule = ruleFor(conf, reference);
  if (rule === null) return [{ reference, insecure: false, isMirror: false }];
  const at = (place: RegistryPlace, isMirror: boolean): FetchPlace => ({
    reference: moved(rule, place, reference),
    insecure: place.insecure,
    isMirror,
  });
  const mirrors = rule.mirrors.filter(({ use }) => !byTag || use !== "digest-only");
  return [...mirrors.map((mirror) => at(mirror, true)), at(rule, false)];
}

/** The rule with the longest prefix that fits; null for none. @throws TeuError `denied` when it blocks. */
export function ruleFor(conf: RegistriesConf, reference: Reference): RegistryRule | null {
  const fitting = conf.rules.filter(({ prefix }) => fits(prefix, reference));
  const [rule] = fitting.toSorted((a, b) => b.prefix.length - a.prefix.length);
  if (rule?.blocked !== true) return rule ?? null;
  throw new TeuError({
    code: "denied",
    op: "reach registry",
    subject: referenceText(reference),
    message: `registries.conf blocks ${rule.prefix}`,
  });
}

function fits(prefix: string, reference: Reference): boolean {
  if (prefix.startsWith("*.")) return reference.domain.replace(/:\d+$/, "").endsWith(prefix.slice(1));
  const name = referenceName(reference);
  if (!name.startsWith(prefix)) return false;
  const next = name.charAt(prefix.length);
  return next === "" || next === "/" || (next === ":" && !prefix.includes("/"));
}

function moved(rule: RegistryRule, place: RegistryPlace, reference: Reference): Reference {
  if (place.location === "") return reference;
  const name = referenceName(reference);
  const from = rule.prefix.startsWith("*.") ? reference.domain.length : rule.prefix.length;
  const text = place.location + name.slice(from);
  if (!isShortName(text)) {
    const { domain, repository } = parseReference(text);
    return { ...reference, domain, repository };
  }
  throw new TeuError({
    code: "invalid",
    op: "read registries",
    subject: rule.prefix,
    message: `registries.conf turns ${name} into ${text}, which names no registry`,
  });
}
