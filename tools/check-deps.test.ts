// Plants one violation of each rule and expects the checker to see it, and nothing in correct code.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDeps, type Manifest, TABLE } from "./check-deps.ts";
import { parseSource } from "./check/sources.ts";

const manifests: Record<string, Manifest> = {
  "": { devDependencies: { "fast-check": "1" } },
  shim: { dependencies: { "@teu/base": "1" } },
};
for (const [name, rule] of Object.entries(TABLE)) {
  manifests[name] ??= { dependencies: Object.fromEntries(rule.may.map((one) => [`@teu/${one}`, "1"])) };
}

function problems(path: string, text: string): string[] {
  return checkDeps([parseSource(path, text)], manifests);
}

const PLANTED: readonly { name: string; path: string; text: string; want: RegExp | undefined }[] = [
  {
    name: "allowed import",
    path: "packages/image/src/a.ts",
    text: 'import { x } from "@teu/base/errors";',
    want: undefined,
  },
  {
    name: "own package by name",
    path: "packages/image/src/a.ts",
    text: 'import { x } from "@teu/image/digest";',
    want: undefined,
  },
  {
    name: "upward import",
    path: "packages/base/src/a.ts",
    text: 'import { x } from "@teu/image/digest";',
    want: /^packages\/base\/src\/a.ts:1: base may not import image: base is the floor/,
  },
  {
    name: "shim imports runtime",
    path: "packages/shim/src/a.ts",
    text: '\nimport { x } from "@teu/runtime/main";',
    want: /a.ts:2: shim may not import runtime/,
  },
  {
    name: "type import counts",
    path: "packages/image/src/a.ts",
    text: 'import type { X } from "@teu/engine/engine";',
    want: /image may not import engine/,
  },
  {
    name: "re-export counts",
    path: "packages/image/src/a.ts",
    text: 'export { x } from "@teu/engine/engine";',
    want: /image may not import engine/,
  },
  {
    name: "dynamic import counts",
    path: "packages/image/src/a.ts",
    text: 'await import("@teu/engine/engine");',
    want: /image may not import engine/,
  },
  {
    name: "engine uses more of the shim",
    path: "packages/engine/src/a.ts",
    text: 'import { x } from "@teu/shim/main";',
    want: /only @teu\/shim\/protocol/,
  },
  {
    name: "engine uses the protocol",
    path: "packages/engine/src/a.ts",
    text: 'import { x } from "@teu/shim/protocol";',
    want: undefined,
  },
  {
    name: "internal",
    path: "packages/cli/src/a.ts",
    text: 'import { x } from "@teu/engine/internal/y";',
    want: /is internal to @teu\/engine/,
  },
  {
    name: "relative way out",
    path: "packages/cli/src/a.ts",
    text: 'import { x } from "../../engine/src/engine.ts";',
    want: /leaves the package/,
  },
  {
    name: "undeclared package",
    path: "packages/shim/src/a.ts",
    text: 'import { x } from "@teu/specs/json";',
    want: /@teu\/specs is not declared in packages\/shim\/package.json/,
  },
  {
    name: "undeclared third party",
    path: "packages/cli/src/a.ts",
    text: 'import { x } from "left-pad";',
    want: /left-pad is not declared/,
  },
  {
    name: "development dependency in a test",
    path: "packages/cli/src/a.test.ts",
    text: 'import fc from "fast-check";',
    want: undefined,
  },
  {
    name: "development dependency shipped",
    path: "packages/cli/src/a.ts",
    text: 'import fc from "fast-check";',
    want: /fast-check is not declared/,
  },
  {
    name: "node in portable code",
    path: "packages/runtime/src/a.ts",
    text: 'import { x } from "node:fs";',
    want: /portable code/,
  },
  {
    name: "node in a portable package's test",
    path: "packages/runtime/src/a.test.ts",
    text: 'import { x } from "node:fs";',
    want: undefined,
  },
  {
    name: "node in the fake kernel",
    path: "packages/sys/src/fake/a.ts",
    text: 'import { x } from "node:path";',
    want: undefined,
  },
  {
    name: "child process elsewhere",
    path: "packages/image/src/a.ts",
    text: 'import { x } from "node:child_process";',
    want: /not for this folder/,
  },
  {
    name: "child process where it belongs",
    path: "packages/engine/src/containers/a.ts",
    text: 'import { x } from "node:child_process";',
    want: undefined,
  },
  { name: "no prefix", path: "packages/image/src/a.ts", text: 'import { x } from "fs";', want: /write node:fs/ },
  {
    name: "sys outside sys",
    path: "packages/runtime/src/a.ts",
    text: 'import { x } from "sys:mount";',
    want: /given a Kernel/,
  },
  {
    name: "testkit in shipped code",
    path: "packages/engine/src/a.ts",
    text: 'import { x } from "@teu/testkit/y";',
    want: /tests only/,
  },
  {
    name: "testkit in a test",
    path: "packages/engine/src/a.test.ts",
    text: 'import { x } from "@teu/testkit/y";',
    want: undefined,
  },
];

for (const { name, path, text, want } of PLANTED) {
  test(`checkDeps: ${want === undefined ? "silent" : "a reason"} when given: ${name}`, () => {
    const found = problems(path, text);
    if (want === undefined) assert.deepEqual(found, []);
    else assert.match(found.join("\n"), want);
  });
}
