// Which full names a short name ("busybox", "team/app") may mean by registries.conf. Without one it is Docker Hub's, as in Docker.

import { TeuError } from "@teu/base/errors";
import { parseReference, type Reference, referenceName } from "@teu/image/reference";

import type { RegistriesConf } from "./registries-conf.ts";

/** Whether a text that is a reference names no registry. */
export function isShortName(text: string): boolean {
  const slash = text.indexOf("/");
  const first = slash < 0 ? "" : text.slice(0, slash);
  return !(/[.:[]/.test(first) || first === "localhost" || first.toLowerCase() !== first);
}

/**
 * The meanings of what somebody typed, in the order in which they are to be tried; one for a name with a registry.
 * @throws TeuError `invalid` for no reference, and in mode "enforcing" for a name with several meanings: nobody is asked.
 */
export function meaningsOf(conf: RegistriesConf, text: string): readonly [Reference, ...Reference[]] {
  const typed = parseReference(text);
  if (!isShortName(text)) return [typed];
  const bare = text.replace(/@.*$/s, "").replace(/:[^/:]*$/, "");
  const alias = conf.aliases.get(bare);
  if (alias !== undefined) return [{ ...typed, ...placeIn(alias) }];
  const registries = conf.search ?? [];
  const [first, ...others] = registries.map((registry) => ({ ...typed, ...placeIn(`${registry}/${bare}`) }));
  if (first === undefined) return [typed];
  if (conf.mode === "enforcing" && others.length > 0) {
    throw new TeuError({
      code: "invalid",
      op: "read image name",
      subject: text,
      message: `it may mean ${[first, ...others].map(referenceName).join(" or ")}`,
      hint: "give the full name, or add it to [aliases] of registries.conf",
    });
  }
  return [first, ...others];
}

function placeIn(name: string): Pick<Reference, "domain" | "repository"> {
  const { domain, repository } = parseReference(name);
  return { domain, repository };
}
