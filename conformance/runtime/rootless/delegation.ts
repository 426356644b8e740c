// Cgroup v2 that is delegated to the user, and cgroup v2 that is not. On a hybrid host its v2 hierarchy stands for the whole of
// /sys/fs/cgroup, in a mount namespace of each call's own: no controllers, but freezing, killing and membership are all there.

import { chownSync, existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import type { Spec } from "@teu/specs/runtime";
import {
  type Bench,
  type Bundle,
  type Outcome,
  type RuntimeCase,
  Skip,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  withLinux,
} from "../case.ts";
import { OWN, User, skipFor } from "./user.ts";

const STAY = "exec sleep 60";

/** The user's commands on a host with nothing but cgroup v2. */
class Delegated {
  readonly user: User;
  /** The hierarchy as the case sees it, and the directory in it that is the user's. */
  readonly hierarchy: string;
  readonly name: string;
  readonly directory: string;
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
    this.user = new User(bench);
    const hybrid = "/sys/fs/cgroup/unified";
    this.hierarchy = existsSync(join(hybrid, "cgroup.procs")) ? hybrid : "/sys/fs/cgroup";
    if (!existsSync(join(this.hierarchy, "cgroup.procs"))) throw new Skip("no cgroup v2 on this host");
    this.name = `teu-conformance-${process.pid}`;
    this.directory = join(this.hierarchy, this.name);
    mkdirSync(join(this.directory, "session"), { recursive: true });
    bench.defer(() => this.#remove());
    for (const path of ["", "session"]) {
      for (const file of ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"])
        chownSync(join(this.directory, path, file), OWN, OWN);
    }
  }

  /** `where`: the cgroup that the runtime itself is in. */
  call(where: string, ...args: string[]): Outcome {
    const move = `echo $$ > '${join(this.hierarchy, where)}/cgroup.procs'`;
    const show = this.hierarchy === "/sys/fs/cgroup" ? "true" : `mount --bind ${this.hierarchy} /sys/fs/cgroup`;
    return this.user.callWith({ through: this.user.through(`${move} && ${show}`) }, ...args);
  }

  /** From inside what is delegated. */
  within(...args: string[]): Outcome {
    return this.call(`${this.name}/session`, ...args);
  }

  started(bundle: Bundle): string {
    const id = this.#bench.id();
    expectOk(this.within("create", "--bundle", bundle.path, id));
    this.#bench.defer(() => void this.within("delete", "--force", id));
    expectOk(this.within("start", id));
    return id;
  }

  status(id: string): string {
    return (JSON.parse(expectOk(this.within("state", id)).out) as { status: string }).status;
  }

  cgroupOf(id: string): string {
    const { pid } = JSON.parse(expectOk(this.within("state", id)).out) as { pid: number };
    return /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "";
  }

  /** Names of the directories in what is delegated. */
  children(): string[] {
    return readdirSync(this.directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  }

  #remove(): void {
    for (const name of this.children()) rmdirSync(join(this.directory, name));
    rmdirSync(this.directory);
  }
}

const named = (spec: Spec, cgroupsPath: string): Spec => withLinux(spec, { cgroupsPath });

export const cases: readonly RuntimeCase[] = [
  {
    name: "rootless: a delegated cgroup v2 is used, and removed again",
    run: (bench) => {
      skipFor(bench, "crun", "it makes only a cgroup that is named");
      const host = new Delegated(bench);
      const id = host.started(host.user.script(STAY));
      // crun makes another level.
      expectMatch(host.cgroupOf(id), new RegExp(`^/${host.name}/.*${id}`));
      expectOk(host.within("delete", "--force", id));
      bench.until("it is gone", () => !host.children().some((name) => name.includes(id)));
    },
  },
  {
    name: "rootless: pause, resume, ps, exec and kill --all in a delegated cgroup v2",
    run: (bench) => {
      skipFor(bench, "crun", "it makes only a cgroup that is named");
      const host = new Delegated(bench);
      const id = host.started(host.user.script("sleep 60 & exec sleep 61"));
      expectOk(host.within("exec", "--detach", id, "/bin/sleep", "62"));
      const pids = (): number =>
        (JSON.parse(expectOk(host.within("ps", "--format", "json", id)).out) as number[]).length;
      bench.until("all three are there", () => pids() === 3);
      expectOk(host.within("pause", id));
      expectEqual(host.status(id), "paused");
      expectOk(host.within("resume", id));
      expectEqual(host.status(id), "running");
      expectOk(host.within("kill", "--all", id, "KILL"));
      bench.until("it is stopped", () => host.status(id) === "stopped");
      expectOk(host.within("delete", id));
    },
  },
  {
    name: "rootless: a cgroup v2 that is named and delegated",
    run: (bench) => {
      const host = new Delegated(bench);
      const id = host.started(host.user.script(STAY, (spec) => named(spec, `/${host.name}/chosen`)));
      expectMatch(host.cgroupOf(id), new RegExp(`^/${host.name}/chosen`));
    },
  },
  {
    name: "rootless: cgroup v2 that is not delegated is done without, unless it is named or limits need it",
    run: (bench) => {
      const host = new Delegated(bench);
      const { user } = host;
      const run = (change?: (spec: Spec) => Spec): Outcome =>
        host.call("", "run", "--bundle", user.script("echo runs", change).path, bench.id());
      expectEqual(expectOk(run()).out, "runs");
      expectMatch(expectFailure(run((spec) => named(spec, "/teu-refused"))).err, /permission denied/i);
      skipFor(bench, "crun", "it drops the limit without a word");
      const limited = run((spec) => withLinux(spec, { resources: { pids: { limit: 20 } } }));
      expectMatch(expectFailure(limited).err, /rootless needs no limits|pids\.max/);
    },
  },
  {
    name: "rootless: error, and nothing left, when a cgroup v2 may be made but nobody moved there",
    run: (bench) => {
      const host = new Delegated(bench);
      const bundle = host.user.script("true", (spec) => named(spec, `/${host.name}/chosen`));
      // The common parent of here and there is not the user's.
      expectMatch(expectFailure(host.call("", "run", "--bundle", bundle.path, bench.id())).err, /permi/i);
      skipFor(bench, "crun", "1.8 leaves the directory behind");
      expectEqual(host.children(), ["session"]);
    },
  },
];
