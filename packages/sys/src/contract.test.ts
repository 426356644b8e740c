// The contract (contract/*.d.ts) and the host (native/host/src/modules/*.rs) declare the same functions with the same number of arguments.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const CONTRACT = join(import.meta.dirname, "contract");
const MODULES = join(import.meta.dirname, "../../../native/host/src/modules");

/** "name arguments" of each function that a .d.ts declares. */
function declared(text: string): string[] {
  const functions = text.matchAll(/export function (\w+)\(([^]*?)\): [^;]*;/g);
  return [...functions].map(([, name, parameters = ""]) => `${name} ${countParameters(parameters)}`).sort();
}

function countParameters(parameters: string): number {
  // What is nested (object types, tuples) has colons and commas of its own.
  let flat = parameters;
  while (/[{[(][^{}[\]()]*[}\])]/.test(flat)) flat = flat.replaceAll(/[{[(][^{}[\]()]*[}\])]/g, "");
  return [...flat.matchAll(/\w+\??:/g)].length;
}

/** "name arguments" of each function that a Rust module exports. */
function exported(text: string): string[] {
  return [...text.matchAll(/^ {4}"(\w+)" (\d+) => \w+,$/gm)].map(([, name, arity]) => `${name} ${arity}`).sort();
}

const modules = readdirSync(CONTRACT)
  .map((file) => file.replace(/\.d\.ts$/, ""))
  .filter((name) => name !== "index");

test("contract: as many modules as the host has", () => {
  const files = readdirSync(MODULES).map((file) => file.replace(/\.rs$/, ""));
  assert.deepEqual(modules.toSorted(), files.toSorted());
  assert.equal(modules.length, 11);
});

for (const name of modules) {
  test(`contract: sys:${name} is what the host exports`, () => {
    const want = declared(readFileSync(join(CONTRACT, `${name}.d.ts`), "utf8"));
    assert.ok(want.length > 0);
    assert.deepEqual(exported(readFileSync(join(MODULES, `${name}.rs`), "utf8")), want);
  });
}
