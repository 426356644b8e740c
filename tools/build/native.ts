// Everything in Rust, with cargo: the Node-API addon, the host, and the kernel-side programs inside it. native/README.md has the
// same steps as commands. Results are put in place by rename: a process that has the old file mapped keeps it.

import { spawnSync } from "node:child_process";
import { copyFileSync, linkSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { ROOT, type Step } from "./step.ts";

const TRIPLE = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-gnu`;
const RELEASE = `native/target/${TRIPLE}/release`;

// A program is at most this much bytecode: start-up grows with it.
const BYTECODE_LIMIT = 300 << 10;

interface KernelProgram {
  readonly name: string;
  readonly entry: string;
  /** A part of the program of this name, for these commands: they start sooner, since less is loaded. */
  readonly words?: readonly string[];
  /** Commands before which the host seals its own file against being overwritten from inside a container (CVE-2019-5736). */
  readonly seal: readonly string[];
  /** Reached from another program only: no name in bin/, and no limit of size, since nobody waits for its start. */
  readonly hidden?: boolean;
}

const SEAL = ["create", "run", "exec", "restore"];

const PROGRAMS: readonly KernelProgram[] = [
  { name: "teu-runtime", entry: "packages/runtime/src/main.ts", seal: SEAL },
  { name: "teu-runtime", entry: "packages/runtime/src/start-main.ts", seal: SEAL, words: ["create", "run"] },
  { name: "teu-runtime", entry: "packages/runtime/src/exec-main.ts", seal: SEAL, words: ["exec"] },
  {
    name: "teu-runtime",
    entry: "packages/runtime/src/manage-main.ts",
    seal: [],
    words: ["start", "state", "kill", "delete"],
  },
  { name: "teu-shim", entry: "packages/shim/src/main.ts", seal: [] },
  // What `teu-runtime --explain` becomes.
  { name: "teu-explain", entry: "packages/runtime/src/explain-main.ts", seal: [], hidden: true },
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
  "native/Cargo.toml",
  "native/Cargo.lock",
  "native/{sys,host,programs}/{Cargo.toml,build.rs}",
  "native/{sys,host,programs}/src/**/*.rs",
];

/** The host and its compiler, native/target/.../teu-dev. */
export const hostStep: Step = {
  name: "host",
  inputs: RUST_INPUTS,
  outputs: [`${RELEASE}/teu-dev`],
  run: () => {
    cargoStatic([]);
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
  ],
  outputs: ["bin/teu-runtime", "bin/teu-shim"],
  run: buildPrograms,
};

async function buildPrograms(): Promise<void> {
  const bytecode = join(ROOT, "dist/bytecode");
  rmSync(bytecode, { recursive: true, force: true });
  mkdirSync(bytecode, { recursive: true });
  for (const program of PROGRAMS) {
    await bundleProgram(program);
    compileProgram(program);
  }
  cargoStatic(["-p", "teu-programs"], { TEU_BYTECODE_DIR: bytecode });
  replaceFile(`${RELEASE}/teu-host`, "bin/teu-runtime");
  const shim = join(ROOT, "bin/teu-shim");
  rmSync(`${shim}.new`, { force: true });
  linkSync(join(ROOT, "bin/teu-runtime"), `${shim}.new`);
  renameSync(`${shim}.new`, shim);
}

// As native/programs/build.rs reads it.
function fileName({ name, words }: KernelProgram): string {
  return words === undefined ? name : `${name}+${words.join(",")}`;
}

// Only syntax is minified: bytecode carries no source text, and names make stack traces readable.
async function bundleProgram(program: KernelProgram): Promise<void> {
  const { build } = await import("esbuild");
  await build({
    entryPoints: [program.entry],
    outfile: `dist/kernel/${fileName(program)}.js`,
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

function compileProgram(program: KernelProgram): void {
  const { seal, hidden } = program;
  const name = fileName(program);
  const argv = ["compile", `dist/kernel/${name}.js`, `dist/bytecode/${name}.qbc`, "--name", program.name];
  if (seal.length > 0) argv.push("--seal", seal.join(","));
  const result = spawnSync(join(ROOT, RELEASE, "teu-dev"), argv, {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", 2],
  });
  if (result.status !== 0) throw new Error(`compiling ${name} to bytecode failed`);
  const size = Number.parseInt(result.stdout, 10);
  console.error(`  ${name}: ${(size / 1024).toFixed(0)} KiB of bytecode`);
  if (hidden !== true && !(size <= BYTECODE_LIMIT))
    throw new Error(`${name} has ${size} bytes of bytecode; the limit is ${BYTECODE_LIMIT}`);
}

function cargoStatic(argv: readonly string[], env: Readonly<Record<string, string>> = {}): void {
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
  cargo(all, { RUSTFLAGS: "-C target-feature=+crt-static", ...env });
}

function cargo(argv: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const path = [process.env["PATH"] ?? "", join(process.env["CARGO_HOME"] ?? join(homedir(), ".cargo"), "bin")].join(
    delimiter,
  );
  const quiet = ["--quiet", ...argv.slice(1)];
  const result = spawnSync("cargo", [argv[0] ?? "", ...quiet], {
    cwd: ROOT,
    env: { ...process.env, PATH: path, ...env },
    stdio: ["ignore", 2, 2],
  });
  if (result.error !== undefined) throw new Error("cargo is missing: install Rust 1.95 or newer");
  if (result.status !== 0) throw new Error(`cargo ${argv.join(" ")} failed; its output is above`);
}

// Copies `from` to `to` (both below the checkout) so that `to` is never half-written.
function replaceFile(from: string, to: string): void {
  const target = join(ROOT, to);
  mkdirSync(join(target, ".."), { recursive: true });
  copyFileSync(join(ROOT, from), `${target}.new`);
  renameSync(`${target}.new`, target);
}
