// Credentials from the files that Docker and Podman share: config.json and auth.json, with `auths`, `credHelpers` and `credsStore`.
// Reads and writes keep whatever else is in a file. Where the files are is decided by `credentialFiles`; this module reads no environment.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { makeDirectory } from "@teu/files/make-directory";
import { WholeFile } from "@teu/files/whole-file";
import { parseJson } from "@teu/specs/json";

import { eraseWithHelper, getFromHelper, storeWithHelper } from "./credential-helper.ts";

/** What one logs in with. */
export type LoginCredential =
  | { readonly username: string; readonly password: string }
  /** A refresh token of the registry's token server. */
  | { readonly identityToken: string };

/** What proves who we are. */
export type Credential =
  | LoginCredential
  /** A bearer token for the registry itself, sent as it is. */
  | { readonly registryToken: string };

/** Where credentials come from. */
export interface CredentialSource {
  /** For a registry host as in references, and a repository on it; null for none. */
  find(scope: Scope, host: string, repository?: string): Promise<Credential | null>;
  /**
   * Whether what is for `host` may be sent to a token server. Absent: to wherever the registry says, by TLS; a registry that is not
   * the user's own choice at each request could send it anywhere.
   */
  mayGoTo?(host: string, realm: URL): boolean;
  /** For a login: a token is wanted that can be kept in place of the password. */
  readonly offline?: boolean;
}

/** Nobody in particular. */
export const noCredentials: CredentialSource = { find: async () => null };

/** In `credential-helpers` of registries.conf: the files. */
export const AUTH_FILES = "containers-auth.json";
/** Docker Hub's key in credential files. */
const HUB_KEY = "https://index.docker.io/v1/";
const SIZE_LIMIT = 1 << 20;

/** Docker's own file from before 2015: what is `auths` elsewhere is all of it. It is read and never written. */
const LEGACY_FILE = ".dockercfg";

interface AuthEntry {
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
  registrytoken?: string;
}

interface ConfigFile {
  auths?: Record<string, AuthEntry>;
  credHelpers?: Record<string, string>;
  credsStore?: string;
  [other: string]: unknown;
}

/**
 * Files of an environment in the order in which they are read; the first is the one that `store` writes.
 * REGISTRY_AUTH_FILE, DOCKER_CONFIG, XDG_RUNTIME_DIR, XDG_CONFIG_HOME and HOME are looked at.
 */
export function credentialFiles(env: Readonly<Record<string, string | undefined>>): string[] {
  const { REGISTRY_AUTH_FILE: explicit, DOCKER_CONFIG: docker, XDG_RUNTIME_DIR: runtime, HOME: home } = env;
  const { XDG_CONFIG_HOME: configured } = env;
  const own =
    configured !== undefined && configured !== "" ? configured : home === undefined ? "" : path.join(home, ".config");
  const files = [
    explicit,
    docker !== undefined && docker !== ""
      ? path.join(docker, "config.json")
      : home === undefined
        ? undefined
        : path.join(home, ".docker", "config.json"),
    runtime === undefined || runtime === "" ? undefined : path.join(runtime, "containers", "auth.json"),
    own === "" ? undefined : path.join(own, "containers", "auth.json"),
    home === undefined || home === "" ? undefined : path.join(home, LEGACY_FILE),
  ];
  return files.filter((file): file is string => file !== undefined && file !== "");
}

/** Credentials in files and in the helpers that they name, and in helpers for every registry (registries.conf). */
export class CredentialStore implements CredentialSource {
  readonly #files: readonly string[];
  readonly #readHelpers: () => Promise<readonly string[] | null>;
  #helpers: Promise<readonly string[] | null> | undefined;

  /**
   * `files` as from `credentialFiles`; they need not exist. `helpers`: what is asked in which order, `AUTH_FILES` for the files; null:
   * the files alone.
   */
  constructor(files: readonly string[], helpers: () => Promise<readonly string[] | null> = async () => null) {
    this.#files = files;
    this.#readHelpers = helpers;
  }

  /**
   * What the first file, or helper, that knows the host says. @throws TeuError `invalid` for a file that cannot be understood; what a
   * helper for every registry did wrong only when nobody knows the host, as in Podman.
   */
  async find(scope: Scope, host: string, repository: string = ""): Promise<Credential | null> {
    return await this.#eachPlace(scope, {
      files: () => this.#findInFiles(scope, host, repository),
      helper: (helper) => getFromHelper(scope, helper, host),
    });
  }

  /** Remembers a credential in the first place that takes it. Returns where. */
  async store(scope: Scope, host: string, credential: LoginCredential): Promise<string> {
    const stored = await this.#eachPlace(scope, {
      files: () => this.#storeInFile(scope, host, credential),
      helper: async (helper) => {
        await storeWithHelper(scope, helper, host, credential);
        return placeOf(helper);
      },
    });
    return stored ?? (await this.#storeInFile(scope, host, credential));
  }

  /** Forgets the credential of a host everywhere. Returns the places in which there was one, as `store` calls them. */
  async erase(scope: Scope, host: string): Promise<readonly string[]> {
    const erased: string[] = [];
    await this.#eachPlace(scope, {
      files: async () => {
        erased.push(...(await this.#eraseInFiles(scope, host)));
        return null;
      },
      helper: async (helper) => {
        if ((await getFromHelper(scope, helper, host)) === null) return null;
        await eraseWithHelper(scope, helper, host);
        erased.push(placeOf(helper));
        return null;
      },
    });
    return erased;
  }

  /** The first answer; the first failure of a helper when there is no answer. */
  async #eachPlace<T>(
    scope: Scope,
    ask: { readonly files: () => Promise<T | null>; readonly helper: (name: string) => Promise<T | null> },
  ): Promise<T | null> {
    const reading = (this.#helpers ??= this.#readHelpers());
    // A file that is wrong now may be mended later.
    reading.catch(() => (this.#helpers = undefined));
    const failures: unknown[] = [];
    for (const helper of (await reading) ?? [AUTH_FILES]) {
      try {
        const answer = await (helper === AUTH_FILES ? ask.files() : ask.helper(helper));
        if (answer !== null) return answer;
      } catch (error) {
        if (helper === AUTH_FILES || scope.signal.aborted) throw error;
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return null;
  }

  async #findInFiles(scope: Scope, host: string, repository: string): Promise<Credential | null> {
    for (const file of this.#files) {
      const config = await readConfig(scope, file);
      const found = config === null ? null : await findIn(scope, config, host, repository);
      if (found !== null) return found;
    }
    return null;
  }

  /** In the helper that the first file names for the host, else in that file. */
  async #storeInFile(scope: Scope, host: string, credential: LoginCredential): Promise<string> {
    const file = this.#writable();
    const config = (await readConfig(scope, file)) ?? {};
    const helper = helperFor(config, host);
    if (helper !== undefined) {
      await storeWithHelper(scope, helper, keyOf(host), credential);
      return placeOf(helper);
    }
    const entry =
      "identityToken" in credential
        ? { auth: encodeAuth("<token>", ""), identitytoken: credential.identityToken }
        : { auth: encodeAuth(credential.username, credential.password) };
    await writeConfig(scope, file, { ...config, auths: { ...config.auths, [keyOf(host)]: entry } });
    return file;
  }

  async #eraseInFiles(scope: Scope, host: string): Promise<readonly string[]> {
    const erased: string[] = [];
    for (const file of this.#files.filter((name) => !isLegacy(name))) {
      const config = await readConfig(scope, file);
      if (config === null) continue;
      const helper = helperFor(config, host);
      if (helper !== undefined && (await getFromHelper(scope, helper, keyOf(host))) !== null) {
        await eraseWithHelper(scope, helper, keyOf(host));
        erased.push(placeOf(helper));
      }
      const left = Object.fromEntries(
        Object.entries(config.auths ?? {}).filter(([key]) => normalKey(key) !== normalKey(host)),
      );
      if (Object.keys(left).length === Object.keys(config.auths ?? {}).length) continue;
      await writeConfig(scope, file, { ...config, auths: left });
      erased.push(file);
    }
    return erased;
  }

  #writable(): string {
    const [file] = this.#files;
    if (file !== undefined && !isLegacy(file)) return file;
    throw new TeuError({
      code: "invalid",
      op: "store credentials",
      message: "no file to keep them in",
      hint: "set HOME or DOCKER_CONFIG",
    });
  }
}

async function findIn(scope: Scope, config: ConfigFile, host: string, repository: string): Promise<Credential | null> {
  const helper = helperFor(config, host);
  if (helper !== undefined) {
    const found = await getFromHelper(scope, helper, keyOf(host));
    if (found !== null) return found;
  }
  for (const key of lookupKeys(host, repository)) {
    for (const [name, entry] of Object.entries(config.auths ?? {})) {
      const credential = normalKey(name) === key ? decodeEntry(entry) : null;
      if (credential !== null) return credential;
    }
  }
  return null;
}

// containers-auth.json: a key may be narrower than a host; the most specific one counts.
function lookupKeys(host: string, repository: string): string[] {
  const base = normalKey(host);
  const parts = repository === "" ? [] : repository.split("/");
  const narrow = parts.map((_, i) => `${base}/${parts.slice(0, parts.length - i).join("/")}`);
  return [...narrow, base];
}

/** "https://index.docker.io/v1/" and "docker.io" are one; so are "https://host/v2/" and "host". */
function normalKey(key: string): string {
  const bare = key
    .replace(/^https?:\/\//, "")
    .replace(/\/v[12]\/?$/, "")
    .replace(/\/+$/, "");
  return ["index.docker.io", "registry-1.docker.io", "docker.io"].includes(bare) ? "docker.io" : bare;
}

function keyOf(host: string): string {
  return normalKey(host) === "docker.io" ? HUB_KEY : host;
}

function helperFor(config: ConfigFile, host: string): string | undefined {
  const named = Object.entries(config.credHelpers ?? {}).find(([key]) => normalKey(key) === normalKey(host))?.[1];
  return named ?? (config.credsStore === "" ? undefined : config.credsStore);
}

/** What a helper is called where files are called by their paths. */
function placeOf(helper: string): string {
  return `credential helper ${helper}`;
}

function isLegacy(file: string): boolean {
  return path.basename(file) === LEGACY_FILE;
}

function decodeEntry(entry: AuthEntry): Credential | null {
  if (entry.registrytoken !== undefined && entry.registrytoken !== "") {
    // Anything else would end the header that it goes into.
    if (/^[\x21-\x7e]+$/.test(entry.registrytoken)) return { registryToken: entry.registrytoken };
    throw new TeuError({ code: "invalid", op: "read credentials", message: "a registrytoken is no text for a header" });
  }
  if (entry.identitytoken !== undefined && entry.identitytoken !== "") return { identityToken: entry.identitytoken };
  if (entry.auth !== undefined && entry.auth !== "") {
    const text = Buffer.from(entry.auth, "base64").toString("utf8");
    const colon = text.indexOf(":");
    // Docker ends passwords at the first NUL.
    return colon < 0 ? null : { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, "") };
  }
  if (entry.username === undefined || entry.username === "") return null;
  return { username: entry.username, password: entry.password ?? "" };
}

function encodeAuth(username: string, password: string): string {
  return Buffer.from(`${username}:${password}`, "utf8").toString("base64");
}

async function readConfig(scope: Scope, file: string): Promise<ConfigFile | null> {
  scope.check("read credentials");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno === "ENOENT" || errno === "ENOTDIR") return null;
    throw new TeuError({
      code: errno === "EACCES" ? "denied" : "unavailable",
      op: "read credentials",
      subject: file,
      message: "file cannot be read",
      cause: error,
    });
  }
  if (text.trim() === "") return {};
  try {
    const value = parseJson(text, { document: "credentials", maxLength: SIZE_LIMIT });
    return checkedConfig(isLegacy(file) ? { auths: value } : value);
  } catch (cause) {
    if (!isTeuError(cause, "invalid")) throw cause;
    throw new TeuError({
      code: "invalid",
      op: "read credentials",
      subject: file,
      message: "it is not a Docker config.json",
      cause,
    });
  }
}

function checkedConfig(value: unknown): ConfigFile {
  const config = record(value, "");
  for (const [key, entry] of Object.entries(record(config["auths"] ?? {}, "auths"))) record(entry, `auths/${key}`);
  for (const name of Object.values(record(config["credHelpers"] ?? {}, "credHelpers"))) text(name, "credHelpers");
  text(config["credsStore"] ?? "", "credsStore");
  return config;
}

function record(value: unknown, at: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new TeuError({ code: "invalid", op: "read credentials", message: `/${at} must be an object` });
}

function text(value: unknown, at: string): void {
  if (typeof value !== "string")
    throw new TeuError({ code: "invalid", op: "read credentials", message: `/${at} must be text` });
}

// Another program reads the old file or the new one, never half of it; a kill leaves no second file with secrets.
async function writeConfig(scope: Scope, file: string, config: ConfigFile): Promise<void> {
  scope.check("store credentials");
  try {
    makeDirectory(path.dirname(file), 0o700);
    await using written = await WholeFile.create(file, { mode: 0o600 });
    await written.write(Buffer.from(`${JSON.stringify(config, null, "\t")}\n`));
    await written.publish();
  } catch (error) {
    throw new TeuError({
      code: "denied",
      op: "store credentials",
      subject: file,
      message: "file cannot be written",
      cause: error,
    });
  }
}
