// A user without privileges for cases: a name, ids and subordinate ids of its own in a private /etc, and the runtime started as it.

import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { defaultSpec } from "@teu/specs/runtime-default";
import type { IdMapping, Spec } from "@teu/specs/runtime";
import { type Bench, type Bundle, type Outcome, Skip, expectOk } from "../case.ts";

/** The user's id and that of its group. */
export const OWN = 41_234;
/** First of its 65,536 subordinate ids. */
export const SUBORDINATE = 300_000;

/** Root inside is the user, 1 and up are its subordinate ids. */
export const MANY: readonly IdMapping[] = [
  { containerID: 0, hostID: OWN, size: 1 },
  { containerID: 1, hostID: SUBORDINATE, size: 65_535 },
];

/** Skips a case about which this runtime, by its name, is known to think otherwise. */
export function skipFor(bench: Bench, name: "runc" | "crun", reason: string): void {
  if (basename(bench.runtime) === name) throw new Skip(`${name}: ${reason}`);
}

/** The tools of a case, used as the user. */
export class User {
  readonly #bench: Bench;
  /** $XDG_RUNTIME_DIR */
  readonly runtimeDirectory: string;
  readonly #etc: string;

  constructor(bench: Bench) {
    this.#bench = bench;
    this.runtimeDirectory = join(bench.directory, "run");
    this.#etc = join(bench.directory, "etc");
    chmodSync(bench.directory, 0o755);
    for (const path of [this.runtimeDirectory, join(bench.directory, "root"), join(bench.directory, "home")]) {
      mkdirSync(path, { recursive: true });
      chownSync(path, OWN, OWN);
    }
    mkdirSync(this.#etc);
    const extend = (name: string, line: string): void =>
      writeFileSync(
        join(this.#etc, name),
        `${existsSync(`/etc/${name}`) ? readFileSync(`/etc/${name}`, "utf8") : ""}${line}\n`,
      );
    extend("passwd", `teu-tester:x:${OWN}:${OWN}::${join(bench.directory, "home")}:/bin/sh`);
    extend("group", `teu-tester:x:${OWN}:`);
    for (const name of ["subuid", "subgid"]) {
      if (!existsSync(`/etc/${name}`)) throw new Skip(`no /etc/${name} to put subordinate ids into`);
      extend(name, `teu-tester:${SUBORDINATE}:65536`);
    }
    const reachable = spawnSync("setpriv", [
      "--reuid",
      String(OWN),
      "--regid",
      String(OWN),
      "--clear-groups",
      "test",
      "-x",
      bench.runtime,
    ]);
    if (reachable.status !== 0) throw new Skip(`${bench.runtime} cannot be reached by a user without privileges`);
  }

  /** A bundle that belongs to the user, as `spec --rootless` makes it, running a shell script. */
  script(text: string, change: (spec: Spec) => Spec = (spec) => spec): Bundle {
    return this.bundle((spec) =>
      change({ ...spec, process: { cwd: "/", ...spec.process, args: ["/bin/sh", "-c", text] } }),
    );
  }

  /** The same running true(1). */
  bundle(change: (spec: Spec) => Spec = (spec) => spec): Bundle {
    const spec = defaultSpec({ rootless: { uid: OWN, gid: OWN }, hostname: "box" });
    const plain: Spec = {
      ...spec,
      ociVersion: "1.0.2",
      process: { ...spec.process, cwd: "/", terminal: false, args: ["/bin/true"] },
    };
    const bundle = this.#bench.bundle(() => change(plain));
    spawnSync("chown", ["-hR", `${OWN}:${OWN}`, bundle.path]);
    return bundle;
  }

  /** Words that make a command the user's. `before`: a shell command that root runs first, in a mount namespace of this call's own. */
  through(before = "true"): string[] {
    const script = `etc=$1; shift; for f in passwd group subuid subgid; do mount --bind "$etc/$f" "/etc/$f" || exit 99; done
${before} || exit 99
exec setpriv --reuid ${OWN} --regid ${OWN} --init-groups --inh-caps=-all --bounding-set=+all "$@"`;
    return ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh", this.#etc];
  }

  /** What the user's commands find in their environment. */
  environment(): Readonly<Record<string, string>> {
    return { XDG_RUNTIME_DIR: this.runtimeDirectory, HOME: join(this.#bench.directory, "home"), USER: "teu-tester" };
  }

  /** Runs the runtime as the user. */
  call(...args: string[]): Outcome {
    return this.callWith({}, ...args);
  }

  /** The same with more of what `Bench.callWith` takes. */
  callWith(options: Parameters<Bench["callWith"]>[0], ...args: string[]): Outcome {
    const env = { ...this.environment(), ...options.env };
    return this.#bench.callWith({ through: this.through(), ...options, env }, ...args);
  }

  /** `run` in the foreground. */
  run(bundle: Bundle, ...flags: string[]): Outcome {
    return this.call("run", "--bundle", bundle.path, ...flags, this.#bench.id());
  }

  /** Created and started; the id. */
  started(bundle: Bundle): string {
    const id = this.#bench.id();
    expectOk(this.call("create", "--bundle", bundle.path, id));
    this.#bench.defer(() => void this.call("delete", "--force", id));
    expectOk(this.call("start", id));
    return id;
  }

  /** What `state` says. */
  status(id: string): string {
    return (JSON.parse(expectOk(this.call("state", id)).out) as { status: string }).status;
  }
}
