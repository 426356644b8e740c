// Who may import whom: the table of ARCHITECTURE.md, with a reason for each refusal. Further: every import is declared in the
// package's package.json, portable code has no `node:*`, and some built-in modules are for listed folders only.

import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { isTest, loadSources, packageOf, place, report, type Source } from "./check/sources.ts";

interface Rule {
  /** Packages of ours it may import. */
  readonly may: readonly string[];
  /** Why no others. */
  readonly because: string;
}

const KERNEL_SIDE = "the kernel side is small and portable; what it knows comes from documents and from the kernel";

/** The table. */
export const TABLE: Readonly<Record<string, Rule>> = {
  base: { may: [], because: "base is the floor that everything stands on" },
  specs: { may: ["base"], because: "documents know nothing of images, hosts or programs" },
  sys: { may: ["base"], because: "the kernel contract knows nothing of containers" },
  files: { may: ["base"], because: "file primitives know nothing of images" },
  runtime: { may: ["base", "specs", "sys"], because: KERNEL_SIDE },
  shim: { may: ["base", "specs", "sys"], because: `${KERNEL_SIDE}; a runtime is a program to it, any OCI runtime` },
  image: {
    may: ["base", "specs", "files"],
    because: "image contents are understood without network, engine or host state",
  },
  distribution: {
    may: ["base", "specs", "files", "image"],
    because: "both ends of the protocol work without engine and without each other's program",
  },
  registry: {
    may: ["base", "specs", "files", "image", "distribution"],
    because: "a registry runs where no engine does",
  },
  engine: {
    may: ["base", "specs", "files", "image", "distribution", "shim"],
    because: "the engine serves builder and cli and knows neither",
  },
  builder: {
    may: ["base", "specs", "files", "image", "distribution", "engine"],
    because: "the builder stands on the engine; commands and registry are above or beside it",
  },
  cli: {
    may: ["base", "specs", "files", "image", "distribution", "registry", "engine", "builder"],
    because: "the command line goes through the engine, never around it to the kernel side",
  },
  testkit: {
    may: ["base", "specs", "image", "distribution", "registry"],
    because: "test tools use what they help to test",
  },
};

// Narrower than a package: the one file that may be used, and why.
const ONLY: readonly { readonly from: string; readonly to: string; readonly file: string; readonly because: string }[] =
  [
    {
      from: "engine",
      to: "shim",
      file: "@teu/shim/protocol",
      because: "the shim is another process: protocol.ts is all they share",
    },
  ];

const PORTABLE = [
  /^packages\/(runtime|shim)\//,
  /^packages\/sys\/(?!src\/fake\/)/,
  /^packages\/specs\/(?!src\/schema\/)/,
  /^packages\/base\/src\/(errors|bytes|utf8)\.ts$/,
];

// Modules that start programs, open sockets or threads, and the folders whose business that is.
const RESTRICTED: Readonly<Record<string, readonly RegExp[]>> = {
  "node:child_process": [
    /^packages\/engine\/src\/(containers|networks|doctor)\//,
    /^packages\/cli\//,
    /^packages\/builder\/src\/copy\//,
    // Credential helpers are programs.
    /^packages\/distribution\/src\/client\/credential-helper\.ts$/,
  ],
  "node:net": [/^packages\/engine\/src\/(containers|networks)\//, /^packages\/(distribution|registry|cli)\//],
  "node:http": [/^packages\/(distribution|registry)\//],
  "node:https": [/^packages\/(distribution|registry)\//],
  "node:sqlite": [/^packages\/engine\/src\/store\//, /^packages\/registry\//],
  "node:worker_threads": [/^packages\/image\//, /^packages\/registry\/src\/access\//],
  "node:vm": [],
  "node:cluster": [],
};

/** What a package.json says that matters here. */
export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Problems, one line each. `manifests` by package name; "" is the root's. */
export function checkDeps(sources: readonly Source[], manifests: Readonly<Record<string, Manifest>>): string[] {
  return sources.flatMap((source) =>
    source.imports.flatMap(({ from, offset }) => {
      const problem = importProblem(source.path, from, manifests);
      return problem === undefined ? [] : [`${place(source, offset)}: ${problem}`];
    }),
  );
}

function importProblem(path: string, from: string, manifests: Readonly<Record<string, Manifest>>): string | undefined {
  const owner = packageOf(path);
  if (from.startsWith(".")) {
    const target = join(path, "..", from);
    if (owner !== undefined && packageOf(target) !== owner)
      return `${from} leaves the package: import by name, as in @teu/base/errors`;
    return undefined;
  }
  if (from.startsWith("node:")) return builtinProblem(path, from);
  if (builtinModules.includes(from)) return `write node:${from}`;
  if (from.startsWith("sys:"))
    return owner === "sys" ? undefined : "only packages/sys imports sys:*; others are given a Kernel";
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? from;
  const undeclared = declarationProblem(path, owner, name, manifests);
  if (name.startsWith("@teu/")) return packageProblem(path, owner, name.slice(5), from) ?? undeclared;
  return undeclared;
}

function builtinProblem(path: string, from: string): string | undefined {
  if (isTest(path) || packageOf(path) === undefined) return undefined;
  if (PORTABLE.some((pattern) => pattern.test(path)))
    return `${from} in portable code: it also runs where there is no Node`;
  const folders = RESTRICTED[from];
  if (folders === undefined || folders.some((folder) => folder.test(path))) return undefined;
  return `${from} is not for this folder (tools/check-deps.ts, RESTRICTED)`;
}

function packageProblem(path: string, owner: string | undefined, target: string, from: string): string | undefined {
  if (from.includes("/internal/")) return `${from} is internal to @teu/${target}`;
  if (target === "testkit") return isTest(path) || path.startsWith("bench/") ? undefined : "testkit is for tests only";
  if (owner === undefined || owner === target || isTest(path)) return undefined;
  const rule = TABLE[owner];
  if (rule === undefined) return `packages/${owner} is not in the table of tools/check-deps.ts`;
  if (!rule.may.includes(target)) return `${owner} may not import ${target}: ${rule.because}`;
  const only = ONLY.find((one) => one.from === owner && one.to === target);
  if (only !== undefined && from !== only.file) return `${owner} may import only ${only.file}: ${only.because}`;
  return undefined;
}

function declarationProblem(
  path: string,
  owner: string | undefined,
  name: string,
  manifests: Readonly<Record<string, Manifest>>,
): string | undefined {
  if (name === `@teu/${owner}`) return undefined;
  const own = manifests[owner ?? ""];
  const root = manifests[""];
  const declared = own?.dependencies?.[name] ?? own?.devDependencies?.[name];
  if (declared !== undefined) return undefined;
  // Tests, schemas and tools are not shipped: for them the root's development dependencies count, and the workspace itself.
  const unshipped = owner === undefined || isTest(path) || path.startsWith("packages/specs/src/schema/");
  if (unshipped && (root?.devDependencies?.[name] !== undefined || name.startsWith("@teu/"))) return undefined;
  return `${name} is not declared in ${owner === undefined ? "package.json" : `packages/${owner}/package.json`}`;
}

/** The manifests of the checkout. */
export function loadManifests(root: string): Record<string, Manifest> {
  const read = (file: string): Manifest => JSON.parse(readFileSync(join(root, file), "utf8")) as Manifest;
  const out: Record<string, Manifest> = { "": read("package.json") };
  for (const name of Object.keys(TABLE)) out[name] = read(`packages/${name}/package.json`);
  return out;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  report("check-deps", checkDeps(loadSources(root), loadManifests(root)));
}
