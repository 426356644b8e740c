// Proves three things to be the same: the schemas, the generated validators (against Ajv as second opinion), the written types.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { Ajv } from "ajv";
import type { Static } from "typebox";
import type * as distributionTypes from "../distribution.ts";
import type * as imageTypes from "../image.ts";
import type * as runtimeTypes from "../runtime.ts";
import type { Validator } from "../validation.ts";
import * as distributionGen from "../gen/distribution.ts";
import * as imageGen from "../gen/image.ts";
import * as runtimeGen from "../gen/runtime.ts";
import * as distribution from "./distribution.ts";
import * as image from "./image.ts";
import * as runtime from "./runtime.ts";

// Checked by the type checker alone: each pair must be identical once `readonly` is put aside. Mutual assignability would
// not do: it overlooks an optional member that one side lacks.
type Plain<T> = T extends readonly (infer I)[]
  ? Plain<I>[]
  : T extends object
    ? { -readonly [K in keyof T]: Plain<T[K]> }
    : T;
type Same<A, B> = (<T>() => T extends Plain<A> ? 1 : 2) extends <T>() => T extends Plain<B> ? 1 : 2 ? true : false;
const SAME: [
  Same<Static<typeof runtime.Spec>, runtimeTypes.Spec>,
  Same<Static<typeof runtime.Process>, runtimeTypes.Process>,
  Same<Static<typeof runtime.LinuxResources>, runtimeTypes.LinuxResources>,
  Same<Static<typeof runtime.State>, runtimeTypes.State>,
  Same<Static<typeof image.Descriptor>, imageTypes.Descriptor>,
  Same<Static<typeof image.ImageManifest>, imageTypes.ImageManifest>,
  Same<Static<typeof image.ImageIndex>, imageTypes.ImageIndex>,
  Same<Static<typeof image.ImageConfig>, imageTypes.ImageConfig>,
  Same<Static<typeof distribution.ErrorBody>, distributionTypes.ErrorBody>,
  Same<Static<typeof distribution.TagList>, distributionTypes.TagList>,
] = [true, true, true, true, true, true, true, true, true, true];

test("types: same as the schemas (the type checker proves it)", () => {
  assert.ok(SAME.every(Boolean));
});

const CASES: readonly { name: string; schema: object; validator: Validator; valid: readonly unknown[] }[] = [
  { name: "spec", schema: runtime.Spec, validator: runtimeGen.spec, valid: documents("runtime") },
  {
    name: "manifest",
    schema: image.ImageManifest,
    validator: imageGen.manifest,
    valid: documents("image", "manifest"),
  },
  { name: "index", schema: image.ImageIndex, validator: imageGen.index, valid: documents("image", "index") },
  { name: "config", schema: image.ImageConfig, validator: imageGen.config, valid: documents("image", "config") },
  {
    name: "error body",
    schema: distribution.ErrorBody,
    validator: distributionGen.errorBody,
    valid: [{ errors: [{ code: "DENIED", message: "m", detail: { a: 1 } }] }],
  },
  {
    name: "tag list",
    schema: distribution.TagList,
    validator: distributionGen.tagList,
    valid: [{ name: "a", tags: ["b"] }],
  },
];

const SUBSTITUTES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 32,
  2 ** 53,
  -(2 ** 63),
  "",
  "x",
  "/x",
  "1.",
  "a/b",
  "rwm",
  "c",
  "sha256:00",
  "SCMP_ACT_LOG",
  "pid",
  [],
  [1],
  ["a"],
  {},
  { a: 1 },
  { a: "b" },
];

for (const { name, schema, validator, valid } of CASES) {
  test(`validator of ${name}: same verdict as Ajv when any one member is missing or replaced`, () => {
    const oracle = new Ajv({ strict: false }).compile(schema);
    let tried = 0;
    for (const document of valid) {
      assert.equal(oracle(document), validator(document) === undefined);
      for (const path of paths(document)) {
        for (const changed of [
          without(document, path),
          ...SUBSTITUTES.map((value) => replaced(document, path, value)),
        ]) {
          tried++;
          const mine = validator(changed);
          assert.equal(oracle(changed), mine === undefined, `${path.join("/")}: ${JSON.stringify(mine)}`);
          if (mine === undefined || mine.rule.startsWith("must have")) continue;
          // The path points at the very value that the message quotes.
          assert.deepEqual(mine.path.split("/").slice(1).reduce(step, changed), mine.value);
        }
      }
    }
    assert.ok(tried > 50);
  });
}

function documents(kind: string, prefix = ""): unknown[] {
  const directory = new URL(`../../testdata/${kind}/valid/`, import.meta.url);
  const names = readdirSync(directory).filter((file) => file.startsWith(prefix));
  return names.map((file) => dropNulls(JSON.parse(readFileSync(new URL(file, directory), "utf8"))));
}

function dropNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([key, member]) => [key, dropNulls(member)]),
  );
}

function* paths(value: unknown, prefix: readonly string[] = []): Generator<readonly string[]> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    yield [...prefix, key];
    yield* paths(member, [...prefix, key]);
  }
}

function replaced(document: unknown, path: readonly string[], value: unknown): unknown {
  const copy = structuredClone(document);
  const parent = path.slice(0, -1).reduce(step, copy) as Record<string, unknown>;
  Object.defineProperty(parent, path.at(-1) ?? "", { value, enumerable: true, configurable: true, writable: true });
  return copy;
}

function without(document: unknown, path: readonly string[]): unknown {
  const copy = structuredClone(document);
  const parent = path.slice(0, -1).reduce(step, copy) as Record<string, unknown> | unknown[];
  if (Array.isArray(parent)) parent.splice(Number(path.at(-1)), 1);
  else delete parent[path.at(-1) ?? ""];
  return copy;
}

function step(value: unknown, key: string): unknown {
  return (value as Record<string, unknown>)[key.replaceAll("~1", "/").replaceAll("~0", "~")];
}
