// What the commands that work on a registry's directory have in common: its flag, names within it, lengths of time.

import { resolve } from "node:path";
import { isDigest, type Digest } from "@teu/image/digest";
import { isRepository, isTag } from "@teu/image/reference";
import { OpenRoot } from "@teu/registry/admin/open-root";
import type { CommandContext, CommandInput, OptionSpec } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";

/** --root of these commands. */
export const ROOT_OPTION: OptionSpec = { long: "root", value: "directory", help: "Directory of the registry" };
/** --json of these commands. */
export const JSON_OPTION: OptionSpec = { long: "json", help: "Print one JSON document" };

/** --link of these commands. */
export const LINK_OPTION: OptionSpec = {
  long: "link",
  help: "Hard links instead of copies where possible: neither side may then be changed by others",
};

/** The directory that --root names. */
export function rootPath(input: CommandInput): string {
  const root = input.text("root");
  if (root === undefined || root === "")
    throw usageError("--root is missing", { fallback: "name the directory that `teu registry serve` was given" });
  return resolve(root);
}

/** Opens the directory that --root names. */
export function openRoot(context: CommandContext, input: CommandInput): Promise<OpenRoot> {
  return OpenRoot.open(context.scope, rootPath(input));
}

/** "team/app", "team/app:v1" or "team/app@sha256:...". */
export interface LocalName {
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Reads the name of something in a registry's directory: there is no host in it. */
export function localName(text: string): LocalName {
  const match = /^([^:@]+)(?::([^:@]+))?(?:@(.+))?$/.exec(text);
  const [, repository = "", tag, digest] = match ?? [];
  const valid =
    isRepository(repository) &&
    (tag === undefined || isTag(tag)) &&
    (digest === undefined || isDigest(digest)) &&
    (tag === undefined || digest === undefined);
  if (!valid)
    throw usageError(`${JSON.stringify(text.slice(0, 200))} names nothing in a registry's directory`, {
      fallback: "write REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST, without a host",
    });
  return {
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined || !isDigest(digest) ? {} : { digest }),
  };
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A length of time in milliseconds: "90s", "30m", "24h", "7d", "0". */
export function duration(input: CommandInput, flag: string, otherwise: number): number {
  const text = input.text(flag);
  if (text === undefined) return otherwise;
  const [, number = "", unit = ""] = /^([0-9]{1,9})([smhd]?)$/.exec(text) ?? [];
  if (number === "" || (unit === "" && number !== "0"))
    throw usageError(`--${flag} ${JSON.stringify(text)} is no length of time`, {
      fallback: "write 90s, 30m, 24h or 7d",
    });
  return Number(number) * (UNITS[unit] ?? 0);
}
