// Packs what the frequent commands load into few files: each file costs a third of a millisecond, a part of a pack almost nothing, but a pack is read
// and its compiled code taken over whole. So chunks are together that the same commands need, and no command loads what it does not.
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

/** Something that is done often. */
export interface HotPath {
  /** Source files that it imports dynamically: "packages/cli/src/commands/run.ts". */
  readonly files: readonly string[];
  /** Another one that always goes before it, and so has loaded what it needs itself. */
  readonly after?: string;
}

/** By names of which those of packs are made. */
export type HotPaths = Readonly<Record<string, HotPath>>;

/** Characters. A smaller pack costs less as a part of one that is loaded anyway, or even of one that is loaded sometimes. */
const SMALL_PACK = 12_000;

/** A file to be, and whose it is. */
interface Pack {
  readonly users: readonly string[];
  readonly chunks: Set<Chunk>;
}

/**
 * Packs `chunks`: those that the same of `paths` need are in one file, named after them ("pull+copy.cjs"), those that none needs in
 * files of their own. Each chunk is in exactly one file. `ENTRY_PACK` must be the entry chunk's name.
 */
export function packChunks(chunks: readonly Chunk[], paths: HotPaths): PackedFile[] {
  const first = closure(chunks, [ENTRY_PACK]);
  const packs = packsOf(
    chunks.filter(({ name }) => !first.has(name)),
    needsOf(chunks, paths),
  );
  const homes = new Map([...first].map((name) => [name, ENTRY_PACK]));
  for (const { users, chunks: held } of packs) for (const { name } of held) homes.set(name, packName(users));
  const linked = (chunk: Chunk, file: string): string => lazyBuiltins(link(chunk, chunks, file, homes));
  const write = (file: string, end = ""): PackedFile => ({
    name: file,
    code: `${PRELUDE}${PACK_PRELUDE}${chunks
      .filter(({ name }) => homes.get(name) === file)
      .map(
        (chunk) =>
          `__parts[${JSON.stringify(chunk.name)}] = function (module, exports) {\n${linked(chunk, file)}\n};\n`,
      )
      .join("")}${end}`,
  });
  const alone = chunks.filter(({ name }) => !homes.has(name));
  return [
    write(ENTRY_PACK, `__part(${JSON.stringify(ENTRY_PACK)});\n`),
    ...packs.map(({ users }) => write(packName(users))),
    ...alone.map((chunk) => ({ name: chunk.name, code: `${PRELUDE}${linked(chunk, chunk.name)}` })),
  ];
}

function packName(users: readonly string[]): string {
  return `${users.join("+")}.cjs`;
}

/** The names of the chunks that each path needs and that no path before it has loaded. */
function needsOf(chunks: readonly Chunk[], paths: HotPaths): Map<string, Set<string>> {
  const whole = new Map<string, Set<string>>();
  for (const [path, { files }] of Object.entries(paths)) {
    const roots = chunks.filter(({ entry }) => entry !== undefined && files.includes(entry)).map(({ name }) => name);
    whole.set(path, closure(chunks, roots));
  }
  const before = (path: string): Set<string> => whole.get(paths[path]?.after ?? "") ?? new Set();
  return new Map([...whole].map(([path, names]) => [path, names.difference(before(path))]));
}

function packsOf(chunks: readonly Chunk[], needs: ReadonlyMap<string, ReadonlySet<string>>): Pack[] {
  const packs = new Map<string, Pack>();
  for (const chunk of chunks) {
    const users = [...needs].filter(([, names]) => names.has(chunk.name)).map(([path]) => path);
    if (users.length === 0) continue;
    const pack = packs.get(packName(users)) ?? { users, chunks: new Set() };
    packs.set(packName(users), pack);
    pack.chunks.add(chunk);
  }
  const all = [...packs.values()];
  return all.filter((pack) => {
    if (sizeOf(pack) >= SMALL_PACK) return true;
    const home = all
      .filter(
        (one) => one !== pack && sizeOf(one) >= SMALL_PACK && pack.users.every((user) => one.users.includes(user)),
      )
      .toSorted((one, other) => one.users.length - other.users.length)[0];
    for (const chunk of home === undefined ? [] : pack.chunks) home?.chunks.add(chunk);
    return home === undefined;
  });
}

function sizeOf({ chunks }: Pack): number {
  return [...chunks].reduce((sum, { code }) => sum + code.length, 0);
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
function link(chunk: Chunk, chunks: readonly Chunk[], file: string, homes: ReadonlyMap<string, string>): string {
  return chunks
    .reduce((code, { name }) => {
      const home = homes.get(name);
      const quoted = JSON.stringify(name);
      const elsewhere = `require("./${LOADER_FILE}")("${home ?? name}")`;
      const got = home === undefined ? elsewhere : home === file ? `__part(${quoted})` : `${elsewhere}(${quoted})`;
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
