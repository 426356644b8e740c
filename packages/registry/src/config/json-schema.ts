// The part of JSON schema that the configuration's schema uses.

import { CONFIG_SCHEMA } from "./schema.ts";

/** One schema, references resolved by `resolved`. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly description?: string;
  /** What a value is, with its article: "a duration as text". */
  readonly title?: string;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: false | JsonSchema;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly "x-restart"?: boolean;
  readonly "x-secret"?: boolean;
}

/** The whole. */
export const ROOT_SCHEMA: JsonSchema = CONFIG_SCHEMA;

/** A schema with what it refers to; its own keywords, as the description, win. */
export function resolved(schema: JsonSchema): JsonSchema {
  const name = schema.$ref?.slice("#/$defs/".length);
  if (name === undefined) return schema;
  const definitions: Readonly<Record<string, JsonSchema>> = CONFIG_SCHEMA.$defs;
  return { ...definitions[name], ...schema };
}
