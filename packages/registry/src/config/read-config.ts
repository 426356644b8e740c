// Reads a registry's configuration: one YAML file, and variables of the environment that go before it.

import { readFile } from "node:fs/promises";
import { TeuError } from "@teu/base/errors";
import { LineCounter, parseDocument } from "yaml";

import { fileError } from "../storage/file-error.ts";
import { configFaults } from "./check-config.ts";
import type { RegistryConfig } from "./config-types.ts";
import { environmentKeys } from "./environment-keys.ts";
import { ROOT_SCHEMA, type JsonSchema } from "./json-schema.ts";
import { type Fault, validate } from "./validate.ts";

/** Names of environment variables by value. */
export type ConfigEnvironment = Readonly<Record<string, string>>;

const SIZE_LIMIT = 4 << 20;
const OP = "read configuration";

/** Reads a file. @throws TeuError `not-found`, `denied`, `exhausted`, `invalid` with every fault, its path and its line. */
export async function readConfig(file: string, environment: ConfigEnvironment = {}): Promise<RegistryConfig> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw fileError(OP, file, error);
  }
  return parseConfig(file, text, environment);
}

/** Reads the text of `file`. @throws TeuError `exhausted`, `invalid`. */
export function parseConfig(file: string, text: string, environment: ConfigEnvironment = {}): RegistryConfig {
  if (text.length > SIZE_LIMIT)
    throw new TeuError({ code: "exhausted", op: OP, subject: file, message: `larger than ${SIZE_LIMIT} bytes` });
  const { value, faults } = parseYaml(text, ROOT_SCHEMA, "");
  if (faults.length > 0) throw refusal(file, faults);
  const config = value as Record<string, unknown>;
  for (const [name, content] of Object.entries(environment)) override(config, name, content);
  const given = config as RegistryConfig;
  const wrong = configFaults(given);
  if (wrong.length > 0) throw refusal(file, wrong);
  return given;
}

function parseYaml(
  text: string,
  schema: JsonSchema,
  path: string,
): { readonly value: unknown; readonly faults: readonly Fault[] } {
  const lines = new LineCounter();
  // Keys that are there twice are an error of the parser.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  if (document.errors.length > 0) {
    const faults = document.errors.map(({ message, pos }) => ({ path, message, line: lines.linePos(pos[0]).line }));
    return { value: undefined, faults };
  }
  // An empty file is an empty mapping.
  if (document.contents === null && path === "") return { value: {}, faults: [] };
  return validate(document, lines, schema, path);
}

function override(config: Record<string, unknown>, name: string, text: string): void {
  const key = environmentKeys().get(name);
  if (key === undefined) {
    throw new TeuError({
      code: "invalid",
      op: OP,
      subject: name,
      message: "the environment variable stands for no key of the configuration",
      hint: "docs/reference/registry-config.md lists them",
    });
  }
  // Texts are taken as they are: "0123" and "yes" would be something else in YAML.
  const { value, faults } = key.isText ? { value: text, faults: [] } : parseYaml(text, key.schema, key.path.join("."));
  if (faults.length > 0)
    throw refusal(
      name,
      faults.map(({ path, message }) => ({ path, message })),
    );
  let at = config;
  for (const part of key.path.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>;
  at[key.path.at(-1) ?? ""] = value;
}

function refusal(file: string, faults: readonly Fault[]): TeuError {
  const texts = faults.map(({ path, line, message }) => {
    const where = line === undefined ? "" : `line ${line}: `;
    return `${where}${path === "" ? "" : `${path} `}${message}`;
  });
  const more = texts.length > 20 ? [`and ${texts.length - 20} more`] : [];
  return new TeuError({
    code: "invalid",
    op: OP,
    subject: file,
    message: [...texts.slice(0, 20), ...more].join("; "),
    hint: "`teu registry schema` prints what may be there",
  });
}
