// podman of a test's own, as root's or a user's: its storage, configuration and containers are in a sandbox.

import assert from "node:assert/strict";
import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxArchive, hasCapability, type Outcome, RUNTIME, type RunOptions, Sandbox } from "./dropin-harness.ts";

/** The image that there is. */
export const IMAGE = "example.org/busybox:1";
/** The program. */
export const PODMAN = "/usr/bin/podman";
/** The user's. */
export const UID = 4321;
const CAP_SYS_RESOURCE = 24;

/** podman for root, or for a user, with nothing of it outside of the sandbox. */
export class Podman implements Disposable {
  readonly sandbox: Sandbox = new Sandbox();
  readonly #rootless: boolean;
  #count = 0;

  constructor(rootless: boolean) {
    this.#rootless = rootless;
    try {
      this.#setUp();
    } catch (error) {
      this.sandbox[Symbol.dispose]();
      throw error;
    }
  }

  #setUp(): void {
    const { directory } = this.sandbox;
    const limits = hasCapability(CAP_SYS_RESOURCE) ? [] : ['default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]'];
    const configuration = [
      "[containers]",
      // Without CAP_SYS_RESOURCE podman's default limits cannot be set.
      ...limits,
      "[engine]",
      'cgroup_manager = "cgroupfs"',
      'events_logger = "file"',
      'runtime = "teu-runtime"',
      'runtime_supports_json = ["crun", "runc", "teu-runtime"]',
      "[engine.runtimes]",
      `teu-runtime = ["${RUNTIME}"]`,
    ];
    writeFileSync(join(directory, "containers.conf"), configuration.join("\n"));
    const places = this.#rootless ? [] : [`runroot = "${directory}/runroot"`, `graphroot = "${directory}/storage"`];
    writeFileSync(join(directory, "storage.conf"), ["[storage]", 'driver = "overlay"', ...places].join("\n"));
    if (this.#rootless) this.#makeUser();
    const archive = busyboxArchive(directory, IMAGE);
    chmodSync(archive, 0o644);
    this.ok("load", "--input", archive);
  }

  /** A user with subordinate ids, in the sandbox's own /etc/passwd and the like. */
  #makeUser(): void {
    const { directory } = this.sandbox;
    for (const name of ["home", "xdg"]) {
      chownSync(this.sandbox.path(name), UID, UID);
      chmodSync(join(directory, name), 0o700);
    }
    this.sandbox.addAccount("somebody", UID, join(directory, "home"));
  }

  /** Runs podman. */
  run(...args: readonly string[]): Outcome {
    return this.runWith({}, ...args);
  }

  runWith(options: RunOptions, ...args: readonly string[]): Outcome {
    const [command = "", ...rest] = this.command(args);
    return this.sandbox.run(command, rest, options);
  }

  /** With what makes it this podman. */
  command(args: readonly string[]): string[] {
    const { directory } = this.sandbox;
    const home = this.#rootless ? join(directory, "home") : directory;
    const who = this.#rootless ? ["setpriv", "--reuid", String(UID), "--regid", String(UID), "--clear-groups"] : [];
    return [
      ...who,
      "env",
      `--chdir=${home}`,
      ...[`HOME=${home}`, `TMPDIR=${home}`, `CONTAINERS_CONF=${directory}/containers.conf`],
      `CONTAINERS_STORAGE_CONF=${directory}/storage.conf`,
      ...(this.#rootless ? [`XDG_RUNTIME_DIR=${directory}/xdg`, PODMAN] : [PODMAN, "--tmpdir", `${directory}/tmp`]),
      ...args,
    ];
  }

  /** What it prints; it must work. */
  ok(...args: readonly string[]): string {
    return expect(this.run(...args)).out;
  }

  /** Flags of every container: no network to configure, and a cgroup that is ours to remove. */
  get flags(): string[] {
    return ["--network", "none", ...(this.#rootless ? [] : ["--cgroup-parent", `/${this.sandbox.cgroup}`])];
  }

  /** `podman run --rm`. */
  box(flags: readonly string[], ...command: readonly string[]): Outcome {
    return this.run("run", "--rm", ...this.flags, ...flags, IMAGE, ...command);
  }

  shell(flags: readonly string[], script: string): string {
    return expect(this.box(flags, "sh", "-c", script)).out;
  }

  detached(flags: readonly string[], ...command: readonly string[]): string {
    const name = `box${this.#count++}`;
    this.ok("run", "--detach", "--name", name, ...this.flags, ...flags, IMAGE, ...command);
    return name;
  }

  inspect(name: string, format: string): string {
    return this.ok("inspect", "--format", format, name);
  }

  [Symbol.dispose](): void {
    this.sandbox[Symbol.dispose]();
  }
}

/** The outcome, which must have this code. */
export function expect(outcome: Outcome, code = 0): Outcome {
  assert.equal(outcome.code, code, outcome.all);
  return outcome;
}
