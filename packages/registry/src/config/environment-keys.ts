// Names of environment variables for the keys of the configuration: TEU_REGISTRY_TLS_CERT is tls.cert. Lists and mappings are
// written as in YAML, on one line.

import { type JsonSchema, resolved, ROOT_SCHEMA } from "./json-schema.ts";

/** A key that a variable stands for. */
export interface EnvironmentKey {
  readonly path: readonly string[];
  readonly schema: JsonSchema;
  /** Whether its value is a text. */
  readonly isText: boolean;
}

/** Beginning of all names. */
export const ENVIRONMENT_PREFIX = "TEU_REGISTRY_";

/** Every key that has a name, by that name. */
export function environmentKeys(): ReadonlyMap<string, EnvironmentKey> {
  return new Map(keysBelow(ROOT_SCHEMA, []).map((key) => [environmentName(key.path), key]));
}

/** The variable for a key. */
export function environmentName(path: readonly string[]): string {
  return ENVIRONMENT_PREFIX + path.map((part) => part.replace(/[A-Z]/g, "_$&").toUpperCase()).join("_");
}

function keysBelow(schema: JsonSchema, path: readonly string[]): EnvironmentKey[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const own = resolved(member);
    const below = [...path, name];
    if (own.properties !== undefined) return keysBelow(own, below);
    return [{ path: below, schema: own, isText: own.type === "string" && own.pattern === undefined }];
  });
}
