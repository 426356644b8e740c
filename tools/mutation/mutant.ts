// A copy of the sources of runtime, images and client with one change, and what runs on it: its tests, or the black-box cases on a
// program that is built from it.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { assemblePrograms } from "../build/programs.ts";
import type { Defence, Killer } from "./defence.ts";

const ROOT = join(import.meta.dirname, "../..");
const TRIPLE = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-gnu`;
const RELEASE = join(ROOT, "native/target", TRIPLE, "release");
const PACKAGES = ["base", "specs", "sys", "runtime", "files", "image", "distribution", "registry", "testkit"];
/** Not packages of ours, and used as they are. */
const LINKED = ["dist", "native"];
const SEAL = ["create", "run", "exec", "restore"];
const TIMEOUT_MS = 120_000;

/** What a test or case said: it passed, it failed, or there is none of that name. */
export type Verdict = "passed" | "failed" | "missing";

/** The text of a file with the defence's changes. Throws when what is to be changed is not there exactly once. */
export function mutated(text: string, { name, file, changes }: Defence): string {
  return changes.reduce((before, [find, replace]) => {
    const parts = before.split(find);
    if (parts.length !== 2)
      throw new Error(
        `${name}: ${file} has ${parts.length - 1} places with ${JSON.stringify(find)}, want one: change the table in tools/mutation with it`,
      );
    return parts.join(replace);
  }, text);
}

/** A copy of the sources. Dispose removes it. */
export class Mutant {
  readonly #directory: string;

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "teu-mutation-"));
    // Tests that become another user read it too.
    chmodSync(this.#directory, 0o755);
    mkdirSync(join(this.#directory, "node_modules/@teu"), { recursive: true });
    for (const name of PACKAGES) {
      cpSync(join(ROOT, "packages", name), join(this.#directory, "packages", name), {
        recursive: true,
        filter: (path) => !path.endsWith("node_modules"),
      });
      symlinkSync(join(this.#directory, "packages", name), join(this.#directory, "node_modules/@teu", name));
    }
    cpSync(join(ROOT, "tests/system"), join(this.#directory, "tests/system"), { recursive: true });
    for (const name of readdirSync(join(ROOT, "node_modules"))) {
      if (name === "@teu" || name.startsWith(".")) continue;
      symlinkSync(join(ROOT, "node_modules", name), join(this.#directory, "node_modules", name));
    }
    for (const name of LINKED) symlinkSync(join(ROOT, name), join(this.#directory, name));
    writeFileSync(join(this.#directory, "package.json"), '{ "type": "module" }\n');
  }

  /** Makes the change; returns what takes it back. */
  apply(defence: Defence): () => void {
    const path = join(this.#directory, defence.file);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, mutated(text, defence));
    return () => writeFileSync(path, text);
  }

  /** Runs what should notice. `seal`: the program protects its own file, as it should. */
  async run(killer: Killer, seal: boolean): Promise<Verdict> {
    return "test" in killer ? this.#runTest(killer.test, killer.name) : this.#runCase(killer.case, seal);
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #runTest(file: string, name: string): Verdict {
    const pattern = `^${name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`;
    const { stdout, error } = spawnSync(
      process.execPath,
      // In this one process: another would outlive the time-out, and without its defence it may be after all memory.
      ["--test", "--test-isolation=none", "--test-reporter=tap", `--test-name-pattern=${pattern}`, file],
      {
        cwd: this.#directory,
        encoding: "utf8",
        timeout: TIMEOUT_MS,
        killSignal: "SIGKILL",
        env: { PATH: process.env["PATH"] },
      },
    );
    if (error !== undefined) return "failed";
    const count = (what: string): number => Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(stdout)?.[1] ?? 0);
    if (count("fail") > 0) return "failed";
    return count("pass") > 0 ? "passed" : "missing";
  }

  async #runCase(name: string, seal: boolean): Promise<Verdict> {
    let program: string;
    try {
      program = await this.#build(seal);
    } catch (error) {
      throw new Error(`the changed source does not build`, { cause: error });
    }
    const runner = join(ROOT, "conformance/runtime/run.ts");
    const { stdout } = spawnSync(process.execPath, [runner, "--runtime", program, "--only", name], {
      encoding: "utf8",
      timeout: TIMEOUT_MS,
    });
    const line = stdout.split("\n").find((one) => {
      const text = one.replace(/^(not )?ok \d+ - /, "");
      return text !== one && (text === name || text.startsWith(`${name} (`));
    });
    if (line === undefined) return "missing";
    return line.startsWith("not ok") ? "failed" : "passed";
  }

  async #build(seal: boolean): Promise<string> {
    const out = join(this.#directory, "out");
    mkdirSync(out, { recursive: true });
    await build({
      entryPoints: ["packages/runtime/src/main.ts"],
      outfile: join(out, "teu-runtime.js"),
      bundle: true,
      format: "esm",
      platform: "neutral",
      target: "es2024",
      mainFields: ["module", "main"],
      conditions: ["import"],
      external: ["sys:*"],
      logLevel: "silent",
      absWorkingDir: this.#directory,
    });
    tool(out, "teu-dev", "teu-dev", ["compile", "teu-runtime.js", "teu-runtime.qbc", "--name", "teu-runtime"]);
    tool(out, "teu-host", "teu-freeze", ["teu-runtime.qbc", "teu-runtime.heap"]);
    const heap = readFileSync(join(out, "teu-runtime.heap"));
    const host = readFileSync(join(RELEASE, "teu-host"));
    const program = join(out, "teu-runtime");
    rmSync(program, { force: true });
    writeFileSync(program, assemblePrograms(host, [{ name: "teu-runtime", seal: seal ? SEAL : [], heap }]), {
      mode: 0o755,
    });
    return program;
  }
}

function tool(cwd: string, file: string, argv0: string, argv: readonly string[]): void {
  const result = spawnSync(join(RELEASE, file), argv, { cwd, argv0, stdio: ["ignore", "ignore", "pipe"] });
  if (result.status !== 0) throw new Error(`${argv0} failed: ${result.stderr.toString()}`);
}
