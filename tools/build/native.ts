// Everything in Rust, with cargo: the Node-API addon, the host, and the kernel-side programs inside it. native/README.md has the
// same steps as commands. Results are put in place by rename: a process that has the old file mapped keeps it.

import { spawnSync } from "node:child_process";
import { copyFileSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cargo } from "./cargo.ts";
import { assemblePrograms, type FrozenProgram } from "./programs.ts";
import { ROOT, type Step } from "./step.ts";

const TRIPLE = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-gnu`;
// Not relocated: heaps that were made when the program was built point into it.
// Linked with musl: native/sys/src/musl.rs says why.
const RUST_FLAGS = "-C linker=musl-gcc -C target-feature=+crt-static -C relocation-model=static";
const C_TARGET = TRIPLE.replaceAll("-", "_");
const C_COMPILER = { [`CC_${C_TARGET}`]: "musl-gcc", [`CFLAGS_${C_TARGET}`]: "-fno-pic" };
const RELEASE = `native/target/${TRIPLE}/release`;

interface KernelProgram {
  readonly name: string;
  readonly entry: string;
  /** Commands before which the host seals its own file against being overwritten from inside a container (CVE-2019-5736). */
  readonly seal: readonly string[];
}

const PROGRAMS: readonly KernelProgram[] = [
  {
    name: "teu-runtime",
    entry: "packages/runtime/src/main.ts",
    seal: ["create", "run", "exec", "restore", "checkpoint", "mounts"],
  },
  { name: "teu-shim", entry: "packages/shim/src/main.ts", seal: [] },
  // What `teu-runtime --explain` becomes.
  { name: "teu-explain", entry: "packages/runtime/src/explain-main.ts", seal: [] },
];

/** dist/native/teu-files.node. */
export const addonStep: Step = {
  name: "file addon",
  inputs: ["native/node/Cargo.toml", "native/node/Cargo.lock", "native/node/src/**/*.rs", "native/node/build.rs"],
  outputs: ["dist/native/teu-files.node"],
  run: () => {
    cargo(["build", "--release", "--locked", "-j2", "--manifest-path", "native/node/Cargo.toml"]);
    replaceFile("native/node/target/release/libteu_files.so", "dist/native/teu-files.node");
  },
};

const RUST_INPUTS = [
  // The sources made of them are named by native/Cargo.toml.
  "native/quickjs/*",
  "tools/build/quickjs.ts",
  "native/Cargo.toml",
  "native/Cargo.lock",
  "native/{sys,host,programs}/{Cargo.toml,build.rs}",
  "native/{sys,host,programs}/src/**/*.rs",
];

/** The host without programs, native/target/.../teu-host, and its compiler, teu-dev. */
export const hostStep: Step = {
  name: "host",
  inputs: RUST_INPUTS,
  outputs: [`${RELEASE}/teu-dev`, `${RELEASE}/teu-host`],
  run: () => {
    cargoStatic(["--workspace"]);
  },
};

/** bin/teu-runtime and bin/teu-shim: one file under two names, which chooses the program by the name it is started with. */
export const programsStep: Step = {
  name: "kernel-side programs",
  inputs: [
    ...RUST_INPUTS,
    "packages/{base,specs,sys,runtime,shim}/src/**/*.ts",
    "packages/{base,specs,sys,runtime,shim}/package.json",
    "package-lock.json",
    "tools/build/native.ts",
    "tools/build/programs.ts",
  ],
  outputs: ["bin/teu-runtime", "bin/teu-shim"],
  run: buildPrograms,
};

async function buildPrograms(): Promise<void> {
  const built = join(ROOT, "dist/kernel");
  rmSync(built, { recursive: true, force: true });
  mkdirSync(built, { recursive: true });
  const frozen: FrozenProgram[] = [];
  for (const { name, entry, seal } of PROGRAMS) {
    await bundleProgram(name, entry);
    frozen.push({ name, seal, heap: freezeProgram(name) });
  }
  writeFileSync(join(built, "teu-host"), assemblePrograms(readFileSync(join(ROOT, RELEASE, "teu-host")), frozen), {
    mode: 0o755,
  });
  replaceFile("dist/kernel/teu-host", "bin/teu-runtime");
  const shim = join(ROOT, "bin/teu-shim");
  rmSync(`${shim}.new`, { force: true });
  linkSync(join(ROOT, "bin/teu-runtime"), `${shim}.new`);
  renameSync(`${shim}.new`, shim);
}

// Only syntax is minified: bytecode carries no source text, and names make stack traces readable.
async function bundleProgram(name: string, entry: string): Promise<void> {
  const { build } = await import("esbuild");
  await build({
    entryPoints: [entry],
    outfile: `dist/kernel/${name}.js`,
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2024",
    mainFields: ["module", "main"],
    conditions: ["import"],
    external: ["sys:*"],
    minifySyntax: true,
    legalComments: "none",
    logLevel: "warning",
    absWorkingDir: ROOT,
  });
}

// To bytecode, then run up to where its main would be called; the heap that it has then.
function freezeProgram(name: string): Uint8Array {
  const [bytecode, heap] = [`dist/kernel/${name}.qbc`, `dist/kernel/${name}.heap`];
  runTool("teu-dev", join(ROOT, RELEASE, "teu-dev"), ["compile", `dist/kernel/${name}.js`, bytecode, "--name", name]);
  runTool("teu-freeze", join(ROOT, RELEASE, "teu-host"), [bytecode, heap]);
  const content = readFileSync(join(ROOT, heap));
  console.error(`  ${name}: ${(content.length / 1024).toFixed(0)} KiB`);
  return content;
}

function runTool(name: string, file: string, argv: readonly string[]): void {
  const result = spawnSync(file, argv, { cwd: ROOT, argv0: name, stdio: ["ignore", "ignore", 2] });
  if (result.status !== 0) throw new Error(`${name} ${argv.join(" ")} failed (${result.signal ?? result.status})`);
}

function cargoStatic(argv: readonly string[]): void {
  const all = [
    "build",
    "--release",
    "--locked",
    "-j2",
    "--target",
    TRIPLE,
    "--manifest-path",
    "native/Cargo.toml",
    ...argv,
  ];
  cargo(all, { RUSTFLAGS: RUST_FLAGS, ...C_COMPILER });
}

// Copies `from` to `to` (both below the checkout) so that `to` is never half-written.
function replaceFile(from: string, to: string): void {
  const target = join(ROOT, to);
  mkdirSync(join(target, ".."), { recursive: true });
  copyFileSync(join(ROOT, from), `${target}.new`);
  renameSync(`${target}.new`, target);
}
