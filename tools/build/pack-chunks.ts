// Packs what every run of the hot path loads into two files: each file of Node's module loader costs a third of a millisecond, a part of a pack almost nothing.
// A part is a chunk in a function, made at its first use. Packs, and chunks outside of them, are loaded by `LOADER` with V8's compiled code
// beside them (code-cache.ts); chunks find parts through it.

/** A chunk as CommonJS, not yet minified. */
export interface Chunk {
  /** "main.cjs". */
  readonly name: string;
  readonly code: string;
  /** Source file whose dynamic import (or entry) it is; undefined for what several share. */
  readonly entry: string | undefined;
  /** Names of chunks that are needed at once. */
  readonly needs: readonly string[];
}

/** A file to write, not yet minified. */
export interface PackedFile {
  readonly name: string;
  readonly code: string;
}

/** The pack of the entry chunk and what it needs; loading it runs the entry. */
export const ENTRY_PACK = "main.cjs";
/** The pack of `hot` and what they need. */
export const HOT_PACK = "hot.cjs";

/**
 * Packs `chunks`; `hot` are the source files that the hot path imports dynamically. Each chunk is in exactly one file.
 * `ENTRY_PACK` must be the entry chunk's name.
 */
export function packChunks(chunks: readonly Chunk[], hot: readonly string[]): PackedFile[] {
  const first = closure(chunks, [ENTRY_PACK]);
  const roots = chunks.filter(({ entry }) => entry !== undefined && hot.includes(entry)).map(({ name }) => name);
  const second = new Set([...closure(chunks, roots)].filter((name) => !first.has(name)));
  const home = (name: string): string => (first.has(name) ? ENTRY_PACK : second.has(name) ? HOT_PACK : name);
  const linked = (chunk: Chunk, file: string): string => lazyBuiltins(link(chunk, chunks, file, home));
  const pack = (names: ReadonlySet<string>, file: string, end: string): PackedFile => ({
    name: file,
    code: `${PRELUDE}${PACK_PRELUDE}${chunks
      .filter(({ name }) => names.has(name))
      .map(
        (chunk) =>
          `__parts[${JSON.stringify(chunk.name)}] = function (module, exports) {\n${linked(chunk, file)}\n};\n`,
      )
      .join("")}${end}`,
  });
  const alone = chunks.filter(({ name }) => !first.has(name) && !second.has(name));
  return [
    pack(first, ENTRY_PACK, `__part(${JSON.stringify(ENTRY_PACK)});\n`),
    ...(second.size === 0 ? [] : [pack(second, HOT_PACK, "")]),
    ...alone.map((chunk) => ({ name: chunk.name, code: `${PRELUDE}${linked(chunk, chunk.name)}` })),
  ];
}

function closure(chunks: readonly Chunk[], roots: readonly string[]): Set<string> {
  const found = new Set<string>();
  const pending = [...roots];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    pending.push(...(chunks.find((chunk) => chunk.name === name)?.needs ?? []));
  }
  return found;
}

/** References to other chunks, where they are now. `import()` would start Node's other module loader, which costs milliseconds. */
function link(chunk: Chunk, chunks: readonly Chunk[], file: string, home: (name: string) => string): string {
  return chunks
    .reduce((code, { name }) => {
      const at = home(name);
      const quoted = JSON.stringify(name);
      const got =
        at === file && (at === ENTRY_PACK || at === HOT_PACK)
          ? `__part(${quoted})`
          : at === ENTRY_PACK || at === HOT_PACK
            ? `require("./${LOADER_FILE}")("${at}")(${quoted})`
            : `require("./${LOADER_FILE}")("${at}")`;
      return code
        .replaceAll(`require("./${name}")`, got)
        .replaceAll(`import("./${name}")`, `Promise.resolve().then(() => ${got})`);
    }, chunk.code)
    .replaceAll(/\bimport\(("node:[\w/]+")\)/g, "Promise.resolve().then(() => require($1))");
}

/** Node's modules are loaded when a name of theirs is first used: crypto alone takes 5 ms, and most commands never get to it. */
function lazyBuiltins(code: string): string {
  return code.replaceAll(
    /^var (\w+) = (?:__toESM\()?require\("(node:[\w/]+)"\)(?:, 1\))?\)?;$/gm,
    (_, variable: string, name: string) => `var ${variable} = __lazy(${JSON.stringify(name)});`,
  );
}

const PRELUDE = `const __moduleUrl = "file://" + encodeURI(__filename).replace(/[?#]/g, encodeURIComponent);
const __lazy = (name) => {
  let loaded;
  return new Proxy({}, {
    get: (_, key) => {
      loaded ??= require(name);
      return key === "default" ? loaded : loaded[key];
    },
  });
};
`;

const PACK_PRELUDE = `const __parts = { __proto__: null };
const __made = new Map();
const __part = (name) => {
  let module = __made.get(name);
  if (module === undefined) {
    module = { exports: {} };
    __made.set(name, module);
    __parts[name](module, module.exports);
  }
  return module.exports;
};
module.exports = __part;
`;

/** The file that loads the others: `require(LOADER_FILE)(ENTRY_PACK)` runs the program. */
export const LOADER_FILE = "load.cjs";

/** What stands around a file when it is compiled; the code cache is valid for exactly that text. */
export const WRAPPER: readonly [string, string] = [
  "(function (exports, require, module, __filename, __dirname) {",
  "\n})",
];

/** End of the name of a file's code cache. */
export const CACHE_SUFFIX = ".code";

/** Text of `LOADER_FILE`. A cache of another Node is rejected by V8, and a missing one costs time only. latin1: esbuild writes ASCII. */
export const LOADER: string = `const { readFileSync } = require("node:fs");
const { Script } = require("node:vm");
const loaded = new Map();
const cacheOf = (file) => {
  try {
    return readFileSync(file + "${CACHE_SUFFIX}");
  } catch {
    return undefined;
  }
};
module.exports = (name) => {
  let module = loaded.get(name);
  if (module === undefined) {
    module = { exports: {} };
    loaded.set(name, module);
    const filename = __dirname + "/" + name;
    const source = ${JSON.stringify(WRAPPER[0])} + readFileSync(filename, "latin1") + ${JSON.stringify(WRAPPER[1])};
    const script = new Script(source, { filename, cachedData: cacheOf(filename) });
    script.runInThisContext()(module.exports, require, module, filename, __dirname);
  }
  return module.exports;
};
`;
