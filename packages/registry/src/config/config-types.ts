// The type of a configuration, made from its schema: so neither can say what the other does not.

import type { CONFIG_SCHEMA } from "./schema.ts";

type Definitions = typeof CONFIG_SCHEMA.$defs;

type Required<S> = S extends { readonly required: readonly (infer R)[] } ? R : never;

type Members<S, P> = { readonly [K in keyof P & Required<S>]: Value<P[K]> } & {
  readonly [K in Exclude<keyof P, Required<S>>]?: Value<P[K]>;
};

type Value<S> = S extends { readonly $ref: `#/$defs/${infer N extends keyof Definitions}` }
  ? Value<Definitions[N]>
  : S extends { readonly enum: readonly (infer V)[] }
    ? V
    : S extends { readonly type: "string" }
      ? string
      : S extends { readonly type: "integer" | "number" }
        ? number
        : S extends { readonly type: "boolean" }
          ? boolean
          : S extends { readonly type: "array"; readonly items: infer I }
            ? readonly Value<I>[]
            : S extends { readonly type: "object"; readonly properties: infer P }
              ? Members<S, P>
              : S extends { readonly type: "object"; readonly additionalProperties: infer V }
                ? Readonly<Record<string, Value<V>>>
                : never;

/** A configuration that was found valid. */
export type RegistryConfig = Value<typeof CONFIG_SCHEMA>;
