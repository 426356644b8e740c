// What is to be mirrored: skopeo's YAML, registries with their images, and which tags of each. Scalars are read as text, as skopeo does:
// the tag 1.10 is not the number 1.1.

import { isTeuError, TeuError } from "@teu/base/errors";
import { parseYaml } from "@teu/distribution/client/yaml-text";
import { isDigest } from "@teu/image/digest";
import { parseReference, type Reference, withDigest, withTag } from "@teu/image/reference";

import { type TagTest, versionRange } from "./version-range.ts";

/** Tags of one repository. */
export interface SyncImages {
  /** Domain and repository count. */
  readonly repository: Reference;
  /** These references, or every tag that the test takes. */
  readonly choice: { readonly references: readonly Reference[] } | { readonly test: TagTest };
}

/** One registry of the list. */
export interface SyncRegistry {
  readonly domain: string;
  readonly images: readonly SyncImages[];
  readonly tlsVerify: boolean;
  readonly credentials?: { readonly username: string; readonly password: string };
  /** Certificates of the registry and for it: *.crt, *.cert with *.key. */
  readonly certDirectory?: string;
}

const KEYS: ReadonlySet<string> = new Set([
  "images",
  "images-by-tag-regex",
  "images-by-semver",
  "credentials",
  "tls-verify",
  "cert-dir",
]);

/** Reads the list. @throws TeuError `invalid`, saying where. */
export function parseSyncList(file: string, text: string): readonly SyncRegistry[] {
  const at = new Place(file, "");
  const value = parseYaml(text, "text", (message) => at.invalid(message));
  const registries = Object.entries(at.table(value)).map(([domain, entry]) => registryOf(at.in(domain), domain, entry));
  if (registries.length === 0) throw at.invalid("it names no registry");
  return registries;
}

function registryOf(at: Place, domain: string, value: unknown): SyncRegistry {
  const table = at.table(value);
  for (const key of Object.keys(table))
    if (!KEYS.has(key)) throw at.in(key).invalid(`it is not known; there are ${[...KEYS].join(", ")}`);
  const images = [
    ...imagesIn(at.in("images"), domain, table["images"], listed),
    ...imagesIn(at.in("images-by-tag-regex"), domain, table["images-by-tag-regex"], matching),
    ...imagesIn(at.in("images-by-semver"), domain, table["images-by-semver"], versioned),
  ];
  if (images.length === 0) throw at.invalid("it names no images");
  const certDirectory = at.in("cert-dir").optionalText(table["cert-dir"]);
  const { credentials } = table;
  return {
    domain,
    images,
    tlsVerify: at.in("tls-verify").flag(table["tls-verify"], true),
    ...(credentials === undefined || credentials === "" ? {} : credentialsOf(at.in("credentials"), credentials)),
    ...(certDirectory === undefined ? {} : { certDirectory }),
  };
}

function credentialsOf(at: Place, value: unknown): Pick<SyncRegistry, "credentials"> {
  const table = at.table(value);
  const username = at.in("username").optionalText(table["username"]);
  const password = at.in("password").optionalText(table["password"]);
  if (username === undefined || password === undefined) throw at.invalid("username and password are needed");
  return { credentials: { username, password } };
}

type ChoiceReader = (at: Place, repository: Reference, value: unknown) => SyncImages["choice"];

function imagesIn(at: Place, domain: string, value: unknown, choice: ChoiceReader): SyncImages[] {
  return Object.entries(at.table(value)).map(([name, entry]) => {
    const inner = at.in(name);
    const repository = inner.checked(() => parseReference(`${domain}/${name}`));
    if (/[:@]/.test(name)) throw inner.invalid("tags and digests stand below the name, not in it");
    return { repository, choice: choice(inner, repository, entry) };
  });
}

/** Tags and digests; none: every tag. */
function listed(at: Place, repository: Reference, value: unknown): SyncImages["choice"] {
  const names = value === undefined || value === "" || value === "null" || value === "~" ? [] : value;
  if (!Array.isArray(names)) throw at.invalid("it must be a list of tags and digests, empty for all tags");
  if (names.length === 0) return { test: () => true };
  const { domain, repository: path } = repository;
  const references = names.map((name: unknown, index) => {
    const inner = at.in(String(index));
    const text = inner.text(name);
    return inner.checked(() =>
      isDigest(text) ? withDigest({ domain, repository: path }, text) : withTag(repository, text),
    );
  });
  return { references };
}

function matching(at: Place, _: Reference, value: unknown): SyncImages["choice"] {
  const text = at.text(value);
  // Go writes the flag in front.
  const folded = text.startsWith("(?i)");
  try {
    const expression = new RegExp(folded ? text.slice(4) : text, folded ? "i" : "");
    return { test: (tag) => expression.test(tag) };
  } catch (error) {
    throw at.invalid(error instanceof Error ? error.message : "it is no regular expression");
  }
}

function versioned(at: Place, _: Reference, value: unknown): SyncImages["choice"] {
  return { test: at.checked(() => versionRange(at.text(value))) };
}

/** A place in the file, for messages. */
class Place {
  readonly #file: string;
  readonly #path: string;

  constructor(file: string, path: string) {
    this.#file = file;
    this.#path = path;
  }

  in(key: string): Place {
    return new Place(this.#file, `${this.#path}/${key}`);
  }

  table(value: unknown): Readonly<Record<string, unknown>> {
    if (value === undefined || value === "" || value === null) return {};
    if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
    throw this.invalid("it must be a table");
  }

  text(value: unknown): string {
    if (typeof value === "string" && value !== "") return value;
    throw this.invalid("it must be text");
  }

  optionalText(value: unknown): string | undefined {
    return value === undefined ? undefined : this.text(value);
  }

  flag(value: unknown, fallback: boolean): boolean {
    if (value === undefined) return fallback;
    if (value === "true" || value === "false") return value === "true";
    throw this.invalid("it must be true or false");
  }

  /** What `read` refuses is refused with the place. */
  checked<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!isTeuError(error, "invalid")) throw error;
      throw this.invalid(error.what, error);
    }
  }

  invalid(message: string, cause?: TeuError): TeuError {
    const where = this.#path === "" ? "" : `${this.#path}: `;
    const rest = cause === undefined ? {} : { cause, ...(cause.hint === undefined ? {} : { hint: cause.hint }) };
    return new TeuError({
      code: "invalid",
      op: "read list of images",
      subject: this.#file,
      message: where + message,
      ...rest,
    });
  }
}
