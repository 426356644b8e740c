// registries.conf as containers-registries.conf(5) describes version 2: which registries short names mean, where content of a name is
// fetched instead, and what is blocked. Read from the files that Podman, Skopeo and CRI-O share. This module reads no environment.

import { readdir } from "node:fs/promises";
import path from "node:path";
import { TeuError } from "@teu/base/errors";

import { readTomlFile, TableReader } from "./toml-file.ts";

const OP = "read registries";

/** When a mirror may be asked: for every reference, only by digest, only by tag. */
export type MirrorUse = "all" | "digest-only" | "tag-only";

/** Where content may be fetched. */
export interface RegistryPlace {
  /** "host[:port][/path]"; "" leaves the name as it is. */
  readonly location: string;
  /** TLS without verification, or plain HTTP. */
  readonly insecure: boolean;
}

/** A mirror of a registry's content. */
export interface RegistryMirror extends RegistryPlace {
  readonly use: MirrorUse;
}

/** One `[[registry]]`. */
export interface RegistryRule extends RegistryPlace {
  /** "host[:port][/path]" or "*.domain". */
  readonly prefix: string;
  readonly blocked: boolean;
  readonly mirrors: readonly RegistryMirror[];
}

/** How a short name with several meanings is treated. */
export type ShortNameMode = "enforcing" | "permissive" | "disabled";

/** All files together. */
export interface RegistriesConf {
  readonly rules: readonly RegistryRule[];
  /** Registries in which names without one are looked for; null when no file says so. */
  readonly search: readonly string[] | null;
  readonly mode: ShortNameMode;
  /** Short name without tag -> full name without tag. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Credential helpers in the order in which they are asked, `AUTH_FILES` among them; null when no file says so. */
  readonly credentialHelpers: readonly string[] | null;
}

/** Files and directories of an environment. */
export interface RegistriesFiles {
  /** The first of them that exists is read. */
  readonly main: readonly string[];
  /** `*.conf` of every one is read, in this order; what comes later wins. */
  readonly dropIns: readonly string[];
}

/** No file says anything. */
export const NO_REGISTRIES: RegistriesConf = {
  rules: [],
  search: null,
  mode: "permissive",
  aliases: new Map(),
  credentialHelpers: null,
};

/** CONTAINERS_REGISTRIES_CONF, CONTAINERS_REGISTRIES_CONF_DIR and HOME are looked at. */
export function registriesFiles(env: Readonly<Record<string, string | undefined>>): RegistriesFiles {
  const { CONTAINERS_REGISTRIES_CONF: file, CONTAINERS_REGISTRIES_CONF_DIR: directory, HOME: home } = env;
  const own = home === undefined || home === "" ? [] : [path.join(home, ".config", "containers")];
  const places = [...own, "/etc/containers"];
  return {
    main: isSet(file) ? [file] : places.map((place) => path.join(place, "registries.conf")),
    dropIns: isSet(directory)
      ? [directory]
      : // A file that is named stands alone.
        isSet(file)
        ? []
        : places.toReversed().map((place) => path.join(place, "registries.conf.d")),
  };
}

/** Reads the files; they need not exist. @throws TeuError `invalid`, `denied`. */
export async function readRegistriesConf({ main, dropIns }: RegistriesFiles): Promise<RegistriesConf> {
  let conf = NO_REGISTRIES;
  for (const file of main) {
    const document = await readTomlFile(OP, file);
    if (document === null) continue;
    conf = withFile(conf, new TableReader(OP, file, document));
    break;
  }
  for (const directory of dropIns) {
    for (const name of await namesIn(directory)) {
      if (!name.endsWith(".conf")) continue;
      const file = path.join(directory, name);
      const document = await readTomlFile(OP, file);
      if (document !== null) conf = withFile(conf, new TableReader(OP, file, document));
    }
  }
  return conf;
}

/** What one more file changes: rules replace those of the same prefix, aliases those of the same name. @throws TeuError `invalid`. */
export function withFile(conf: RegistriesConf, file: TableReader): RegistriesConf {
  if (file.keys().includes("registries"))
    file.refuse("registries", "is version 1 of the format, which is not read any more");
  const rules = file.list("registry").map(ruleOf);
  const replaced = new Set(rules.map(({ prefix }) => prefix));
  const aliases = new Map(conf.aliases);
  const named = file.table("aliases");
  for (const name of named.keys()) {
    const full = named.text(name) ?? "";
    // "" takes an alias of an earlier file away.
    if (full === "") aliases.delete(name);
    else if (/^[^/]*[.:][^/]*\/|^localhost\//.test(full) && !/@|:[^/]*$/.test(full)) aliases.set(name, full);
    else named.refuse(name, "must be a name with a registry and without tag or digest");
  }
  return {
    rules: [...conf.rules.filter(({ prefix }) => !replaced.has(prefix)), ...rules],
    search: file.texts("unqualified-search-registries") ?? conf.search,
    mode: modeOf(file) ?? conf.mode,
    aliases,
    credentialHelpers: helpersOf(file) ?? conf.credentialHelpers,
  };
}

// An empty list says nothing, as in Podman.
function helpersOf(file: TableReader): readonly string[] | undefined {
  const helpers = file.texts("credential-helpers");
  return helpers === undefined || helpers.length === 0 ? undefined : helpers;
}

function ruleOf(table: TableReader): RegistryRule {
  const location = placeOf(table, "location");
  const prefix = placeOf(table, "prefix") || location;
  if (prefix === "") table.refuse("prefix", "is missing, and so is location");
  if (prefix.includes("*") && !/^\*\.[^*/]+$/.test(prefix))
    table.refuse("prefix", 'may have "*." only, before a domain');
  const digestOnly = table.flag("mirror-by-digest-only") === true;
  return {
    prefix,
    location: location === prefix ? "" : location,
    insecure: table.flag("insecure") === true,
    blocked: table.flag("blocked") === true,
    mirrors: table.list("mirror").map((mirror) => {
      const place = placeOf(mirror, "location");
      if (place === "") mirror.refuse("location", "is missing");
      const use = useOf(mirror);
      if (digestOnly && use !== undefined)
        mirror.refuse("pull-from-mirror", "cannot be used with mirror-by-digest-only");
      return {
        location: place,
        insecure: mirror.flag("insecure") === true,
        use: use ?? (digestOnly ? "digest-only" : "all"),
      };
    }),
  };
}

function placeOf(table: TableReader, key: string): string {
  const text = (table.text(key) ?? "").replace(/\/+$/, "");
  if (/^[a-z]+:\/\//i.test(text)) table.refuse(key, "must be a host and path without a scheme");
  if (/[\s@?#\\]/.test(text) || text.includes("//")) table.refuse(key, "is no host with an optional path");
  return text;
}

function useOf(mirror: TableReader): MirrorUse | undefined {
  const text = mirror.text("pull-from-mirror");
  if (text === undefined || text === "") return undefined;
  if (text === "all" || text === "digest-only" || text === "tag-only") return text;
  return mirror.refuse("pull-from-mirror", "must be all, digest-only or tag-only");
}

function modeOf(file: TableReader): ShortNameMode | undefined {
  const text = file.text("short-name-mode");
  if (text === undefined || text === "") return undefined;
  if (text === "enforcing" || text === "permissive" || text === "disabled") return text;
  return file.refuse("short-name-mode", "must be enforcing, permissive or disabled");
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    if (errno === "ENOENT" || errno === "ENOTDIR") return [];
    throw new TeuError({ code: "denied", op: OP, subject: directory, message: "it cannot be read", cause });
  }
}

function isSet(text: string | undefined): text is string {
  return text !== undefined && text !== "";
}
