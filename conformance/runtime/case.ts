// What a black-box case for an OCI runtime is, and the tools it gets: bundles, the runtime, clean-up. Knows no runtime in particular.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultSpec } from "@teu/specs/runtime-default";
import type { Mount, Process, Spec } from "@teu/specs/runtime";

/** One case. It passes when `run` returns, fails when it throws, is skipped when it throws `Skip`. */
export interface RuntimeCase {
  /** "kill: container not running when stopped" */
  readonly name: string;
  /** The attack that it stands against. */
  readonly cve?: string;
  run(bench: Bench): void;
}

/** Thrown to skip, with the reason. */
export class Skip extends Error {}

/** How a command of the runtime ended. `out` and `err` trimmed. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A bundle on disk. */
export interface Bundle {
  readonly path: string;
  readonly rootfs: string;
}

const APPLETS = [
  "sh",
  "ls",
  "cat",
  "true",
  "false",
  "id",
  "mount",
  "ps",
  "sleep",
  "echo",
  "hostname",
  "env",
  "grep",
  "stat",
  "kill",
  "wc",
  "mknod",
  "dd",
  "touch",
  "readlink",
  "pwd",
  "stty",
  "tty",
  "ulimit",
  "test",
  "umount",
  "mkdir",
  "ip",
];
const TIMEOUT_MS = 20_000;
const BUSYBOX = "/bin/busybox";

/** Tools of one case; everything it made is gone after `dispose`. */
export class Bench {
  readonly runtime: string;
  readonly directory: string;
  #next = 0;
  readonly #ids: string[] = [];
  readonly #undo: (() => void)[] = [];

  constructor(runtime: string) {
    this.runtime = runtime;
    this.directory = mkdtempSync(join(tmpdir(), "teu-conformance-"));
  }

  /** A bundle with a static busybox, its configuration as `change` makes it from the plain one (no terminal, `sh -c` ready). */
  bundle(change: (spec: Spec) => Spec = (spec) => spec): Bundle {
    const path = join(this.directory, `bundle${this.#next++}`);
    const rootfs = join(path, "rootfs");
    for (const name of ["bin", "proc", "sys", "dev", "etc", "tmp", "root"])
      mkdirSync(join(rootfs, name), { recursive: true });
    copyFileSync(BUSYBOX, join(rootfs, "bin/busybox"));
    for (const name of APPLETS) symlinkSync("busybox", join(rootfs, "bin", name));
    const spec = defaultSpec();
    // 1.0.2 is what the oldest runtime in use accepts; nothing here needs more.
    const plain: Spec = {
      ...spec,
      ociVersion: "1.0.2",
      hostname: "box",
      process: { ...spec.process, cwd: "/", terminal: false, args: ["/bin/true"] },
    };
    writeFileSync(join(path, "config.json"), JSON.stringify(change(plain)));
    return { path, rootfs };
  }

  /** A bundle whose process runs a shell script. */
  script(text: string, change: (spec: Spec) => Spec = (spec) => spec): Bundle {
    return this.bundle((spec) => change(withProcess(spec, { args: ["/bin/sh", "-c", text] })));
  }

  /** A fresh id; the container is deleted at the end. */
  id(): string {
    const id = `conf-${process.pid}-${this.#next++}`;
    this.#ids.push(id);
    return id;
  }

  /** Runs the runtime with --root in the case's directory. */
  call(...args: string[]): Outcome {
    return this.callWith({}, ...args);
  }

  /** The same with more environment, input or inherited files from fd 3 up. */
  callWith(
    options: {
      readonly env?: Readonly<Record<string, string>>;
      readonly input?: string;
      readonly fds?: readonly number[];
      /** A command that starts the runtime: its words come before the runtime's. */
      readonly through?: readonly string[];
      /** Instead of the case's own --root; "": none is given. */
      readonly root?: string;
      /** Private memory that the runtime may use: some read an endless file until the machine has none left. */
      readonly memoryKiB?: number;
    },
    ...args: string[]
  ): Outcome {
    const root = options.root ?? join(this.directory, "root");
    // Output to files: a created container keeps the descriptors, and a pipe would then never end.
    const result = spawnSync(
      "/bin/sh",
      [
        "-c",
        'out=$1 err=$2; shift 2; [ -z "$LISTEN_FDS" ] || export LISTEN_PID=$$; [ -z "$MEMORY_KIB" ] || ulimit -d "$MEMORY_KIB"; unset MEMORY_KIB; exec "$@" >"$out" 2>"$err"',
        "sh",
        this.#file("out"),
        this.#file("err"),
        ...(options.through ?? []),
        this.runtime,
        ...(root === "" ? [] : ["--root", root]),
        ...args,
      ],
      {
        input: options.input ?? "",
        stdio: ["pipe", "ignore", "ignore", ...(options.fds ?? [])],
        timeout: TIMEOUT_MS,
        // Some block every signal that can be blocked.
        killSignal: "SIGKILL",
        env: {
          PATH: process.env["PATH"] ?? "",
          ...options.env,
          ...(options.memoryKiB === undefined ? {} : { MEMORY_KIB: String(options.memoryKiB) }),
        },
      },
    );
    const read = (name: string): string => spawnSync("cat", [this.#file(name)], { encoding: "utf8" }).stdout.trim();
    return { code: result.status ?? -1, out: read("out"), err: read("err") };
  }

  /** `run` in the foreground. */
  run(bundle: Bundle, ...flags: string[]): Outcome {
    return this.call("run", "--bundle", bundle.path, ...flags, this.id());
  }

  /** Created and started; the id. */
  started(bundle: Bundle): string {
    const id = this.id();
    expectOk(this.call("create", "--bundle", bundle.path, id));
    expectOk(this.call("start", id));
    return id;
  }

  /** What `state` says. */
  status(id: string): string {
    return (JSON.parse(expectOk(this.call("state", id)).out) as { status: string }).status;
  }

  /** Waits until it is so; fails after five seconds. */
  until(what: string, test: () => boolean): void {
    for (let tries = 0; tries < 100; tries++) {
      if (test()) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
    throw new Error(`timed out: ${what}`);
  }

  /** Taken back at the end of the case. */
  defer(undo: () => void): void {
    this.#undo.push(undo);
  }

  dispose(): void {
    for (const id of this.#ids) this.call("delete", "--force", id);
    for (const undo of this.#undo.reverse()) undo();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #file(name: string): string {
    return join(this.directory, `std.${name}`);
  }
}

/** The part of what `features` answers that cases ask about. */
interface FeaturesAnswer {
  readonly ociVersionMax?: string;
  readonly mountOptions?: readonly string[];
  readonly linux?: Readonly<Record<string, unknown>>;
}

/** Skips a case for a runtime that does not say itself that it has what the case is about. */
export function needs(bench: Bench, what: string, has: (features: FeaturesAnswer) => boolean): void {
  const { code, out } = bench.call("features");
  if (code !== 0) throw new Skip(`this runtime has no features command to say whether it has ${what}`);
  if (!has(JSON.parse(out) as FeaturesAnswer)) throw new Skip(`this runtime has no ${what}`);
}

/** The spec with one mount more, and a root that can be written. */
export function addMount(spec: Spec, mount: Mount): Spec {
  return { ...spec, root: { path: "rootfs" }, mounts: [...(spec.mounts ?? []), mount] };
}

/** The spec with another process. */
export function withProcess(spec: Spec, process: Partial<Process>): Spec {
  return { ...spec, process: { cwd: "/", ...spec.process, ...process } };
}

/** The spec with another Linux part. */
export function withLinux(spec: Spec, linux: NonNullable<Spec["linux"]>): Spec {
  return { ...spec, linux: { ...spec.linux, ...linux } };
}

/** Fails unless the command succeeded. */
export function expectOk(outcome: Outcome): Outcome {
  if (outcome.code !== 0) throw new Error(`exit ${outcome.code}: ${outcome.err || outcome.out}`);
  return outcome;
}

/** Fails unless the command failed. */
export function expectFailure(outcome: Outcome): Outcome {
  if (outcome.code === 0) throw new Error(`succeeded, but should not have: ${outcome.out}`);
  return outcome;
}

/** Fails unless equal. */
export function expectEqual(have: unknown, want: unknown, what = "value"): void {
  if (JSON.stringify(have) !== JSON.stringify(want))
    throw new Error(`${what}: have ${JSON.stringify(have)}, want ${JSON.stringify(want)}`);
}

/** Fails unless the text matches. */
export function expectMatch(text: string, pattern: RegExp): void {
  if (!pattern.test(text)) throw new Error(`${JSON.stringify(text)} does not match ${pattern}`);
}
