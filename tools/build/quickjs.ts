// QuickJS's sources as native/Cargo.toml takes them: the release of rquickjs-sys that native/quickjs/Cargo.lock names, in which counts of
// references go through native/quickjs/immortal.h and native/quickjs/freeze.c is the last part. native/quickjs/README.md says why.

import { createHash } from "node:crypto";
import { appendFileSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cargo } from "./cargo.ts";
import { ROOT, type Step } from "./step.ts";

const HOME = "native/quickjs";
const RESULT = `${HOME}/target/rquickjs-sys`;
const DEFINITION = "#define JS_REF_COUNT(p) (js_rc(p)->ref_count)\n";

/** How each change of a count is written in quickjs.c, how often, and what stands there instead. Another number is another QuickJS. */
const CHANGES: readonly (readonly [RegExp, number, string])[] = [
  [/--JS_REF_COUNT\(([\w>.-]+)\)/g, 7, "js_rc_dec($1)"],
  [/JS_REF_COUNT\(([\w>.-]+)\)--/g, 2, "js_rc_dec($1)"],
  [/JS_REF_COUNT\(([\w>.-]+)\)\+\+/g, 19, "js_rc_inc($1)"],
];

/** native/quickjs/target/rquickjs-sys. */
export const quickjsStep: Step = {
  name: "QuickJS sources",
  inputs: [`${HOME}/Cargo.toml`, `${HOME}/Cargo.lock`, `${HOME}/*.{c,h}`, "tools/build/quickjs.ts"],
  outputs: [`${RESULT}/Cargo.toml`, `${RESULT}/quickjs/quickjs.c`],
  run: makeSources,
};

function makeSources(): void {
  const vendored = join(ROOT, HOME, "target/vendor");
  rmSync(vendored, { recursive: true, force: true });
  cargo(["vendor", "--locked", "--versioned-dirs", "--manifest-path", `${HOME}/Cargo.toml`, vendored]);
  const release = /name = "rquickjs-sys"\nversion = "([^"]+)"/.exec(text(`${HOME}/Cargo.lock`))?.[1] ?? "";
  const made = join(ROOT, `${RESULT}.new`);
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  cpSync(join(vendored, `rquickjs-sys-${release}`), made, { recursive: true });
  const source = join(made, "quickjs/quickjs.c");
  const changed = withImmortals(readFileSync(source, "utf8"), text(`${HOME}/immortal.h`), text(`${HOME}/freeze.c`));
  writeFileSync(source, changed);
  // Its build script looks at no source: another script is what makes cargo build another engine.
  const digest = createHash("sha256").update(changed).digest("hex");
  appendFileSync(join(made, "build.rs"), `// quickjs.c: sha256 ${digest}\n`);
  rmSync(join(ROOT, RESULT), { recursive: true, force: true });
  renameSync(made, join(ROOT, RESULT));
}

/** `source`, quickjs.c, with `counting` where counts are defined and used instead of them, and `end` at its end. */
export function withImmortals(source: string, counting: string, end: string): string {
  let changed = source;
  for (const [pattern, wanted, replacement] of CHANGES) {
    const found = changed.match(pattern)?.length ?? 0;
    if (found !== wanted)
      throw new Error(`quickjs.c has ${found} places like ${pattern.source}, not ${wanted}: look at what is new there`);
    changed = changed.replaceAll(pattern, replacement);
  }
  if (changed.split(DEFINITION).length !== 2) throw new Error(`quickjs.c has not once ${DEFINITION.trim()}`);
  return `${changed.replace(DEFINITION, () => `${DEFINITION}\n${counting}\n`)}\n${end}`;
}

function text(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
