// registries.d (containers-registries.d(5)): for which images signatures are kept where. Names that are not known are passed over, as
// by containers/image, which shares these files: what is not found there makes no image be taken. Two statements about one scope are
// an error: nobody could say which one counts. Import this file when it is needed: with it comes the parser of YAML.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isTeuError, TeuError } from "@teu/base/errors";
import { fileError } from "@teu/files/addon";

import { parseYaml } from "../../client/yaml-text.ts";
import { readLimitedFile } from "../limited-file.ts";

/** All files of a directory together. Addresses are as they stand there. */
export interface LookasideRules {
  /** For what no scope speaks of; null: it is not said. */
  readonly fallback: string | null;
  /** By scope; null: there is one, which does not say where. */
  readonly scopes: ReadonlyMap<string, string | null>;
}

/** Largest file that is read. */
const LARGEST = 1 << 20;
const OP = "read registries.d";
/** `sigstore` is the name from before Sigstore. */
const NAMES = ["lookaside", "sigstore"] as const;

/** What the first directory that exists says. @throws TeuError `invalid`, `denied` and the like for what cannot be read. */
export async function readRegistriesD(directories: readonly string[]): Promise<LookasideRules> {
  for (const directory of directories) {
    const names = await namesIn(directory);
    if (names === null) continue;
    const files: (readonly [file: string, text: string])[] = [];
    for (const name of names.filter((one) => one.endsWith(".yaml")).toSorted()) {
      const file = join(directory, name);
      files.push([file, await textOf(file)]);
    }
    return parseRegistriesD(files);
  }
  return { fallback: null, scopes: new Map() };
}

/** The same from texts. @throws TeuError `invalid`, naming the file and what is wrong. */
export function parseRegistriesD(files: readonly (readonly [file: string, text: string])[]): LookasideRules {
  const scopes = new Map<string, string | null>();
  const saidBy = new Map<string, string>();
  let fallback: string | null = null;
  const claim = (file: string, what: string): void => {
    const other = saidBy.get(what);
    if (other !== undefined) throw fault(file, `${what} stands in ${JSON.stringify(other)} as well`);
    saidBy.set(what, file);
  };
  for (const [file, text] of files) {
    const value = parseYaml(text, "typed", (message) => fault(file, message));
    const document = tableOf(file, "it", value);
    if (isSaid(document["default-docker"])) {
      claim(file, "default-docker");
      fallback = addressIn(file, "default-docker", document["default-docker"]);
    }
    for (const [scope, value] of Object.entries(tableOf(file, "docker", document["docker"]))) {
      const where = `docker[${JSON.stringify(scope.slice(0, 300))}]`;
      claim(file, where);
      scopes.set(scope, addressIn(file, where, value));
    }
  }
  return { fallback, scopes };
}

function addressIn(file: string, where: string, value: unknown): string | null {
  const section = tableOf(file, where, value);
  for (const name of NAMES) {
    const address = section[name];
    if (!isSaid(address) || address === "") continue;
    if (typeof address !== "string") throw fault(file, `${where}.${name} must be a text`);
    return address;
  }
  return null;
}

function tableOf(file: string, where: string, value: unknown): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  throw fault(file, `${where} must be a table`);
}

// Nothing behind a name is nothing said.
function isSaid(value: unknown): boolean {
  return value !== undefined && value !== null;
}

async function namesIn(directory: string): Promise<readonly string[] | null> {
  try {
    return await readdir(directory);
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno === "ENOENT") return null;
    throw fileError(OP, directory, error);
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return Buffer.from(await readLimitedFile(file, LARGEST)).toString("utf8");
  } catch (error) {
    throw isTeuError(error, "exhausted") ? fault(file, error.what) : fileError(OP, file, error);
  }
}

// The file is in the message, too: a policy that does not take an image for this has another subject.
function fault(file: string, message: string): TeuError {
  return new TeuError({
    code: "invalid",
    op: OP,
    message: `${file}: ${message.slice(0, 500)}`,
    hint: "see containers-registries.d(5)",
  });
}
