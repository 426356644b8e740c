// Many containers come and go, 20 at once, and the runtime is killed at random moments of it: whatever is left of a command that was
// killed, `delete --force` cleans up, the id can be taken again, and at the end nothing is left at all.
// TEU_CHURN_CYCLES says how many (default 300), TEU_CHURN_SEED repeats a run. Needs root.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
} from "node:fs";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { defaultSpec } from "@teu/specs/runtime-default";

const RUNTIME = process.env["RUNTIME"] ?? join(import.meta.dirname, "../../bin/teu-runtime");
const CYCLES = Number(process.env["TEU_CHURN_CYCLES"] ?? 300);
const SEED = Number(process.env["TEU_CHURN_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const AT_ONCE = 20;
/** Of the commands this part is killed. */
const KILLED = 0.4;
/** After so long; the logarithm is uniform, since how long a command takes depends on what else the machine does. */
const MIN_MS = 1;
const MAX_MS = 150;
const skip = process.geteuid?.() !== 0 && "needs root";

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Churn {
  readonly directory = mkdtempSync(join(tmpdir(), "teu-churn-"));
  readonly cgroup = `teu-churn-${process.pid}`;
  /** Seconds that a container sleeps: what its command line is known by. */
  readonly marker = String(7_000_000_000 + process.pid);
  readonly random = randomFrom(SEED);
  readonly problems: string[] = [];
  killed = 0;
  started = 0;
  #next = 0;

  /** A bundle for each worker: the cgroup's path is in it. */
  bundle(name: string): string {
    const bundle = join(this.directory, name);
    mkdirSync(join(bundle, "rootfs/bin"), { recursive: true });
    copyFileSync("/bin/busybox", join(bundle, "rootfs/bin/sleep"));
    const spec = defaultSpec();
    const config = {
      ...spec,
      process: { ...spec.process, terminal: false, args: ["/bin/sleep", this.marker] },
      linux: {
        ...spec.linux,
        cgroupsPath: `/${this.cgroup}/${name}`,
        resources: { ...spec.linux?.resources, pids: { limit: 20 } },
      },
    };
    writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
    return bundle;
  }

  /** Runs a command; true when it was killed on its way. Others are told of when they fail. */
  async call(...args: string[]): Promise<boolean> {
    const kill = this.random() < KILLED;
    const errors = join(this.directory, `error-${this.#next++}`);
    const fd = openSync(errors, "w");
    // timeout(1) has finer clocks than we. In the foreground it kills the runtime alone, as the kernel would for want of memory.
    const limit = ["--foreground", "--signal=KILL", ((MIN_MS / 1000) * (MAX_MS / MIN_MS) ** this.random()).toFixed(5)];
    const command = [...(kill ? ["timeout", ...limit] : []), RUNTIME, "--root", join(this.directory, "state"), ...args];
    const child = spawn(command[0] ?? "", command.slice(1), { stdio: ["ignore", "ignore", fd] });
    closeSync(fd);
    const code = await endOf(child);
    const text = readFileSync(errors, "utf8").trim();
    rmSync(errors);
    // 137, or 124 when it had just ended.
    const killed = kill && (code === 137 || code === 124);
    if (killed) this.killed++;
    else if (code !== 0) this.problems.push(`${args.join(" ")}: exit ${code}: ${text}`);
    return killed;
  }

  /** One life. A step after a killed one could fail for good reason, so that the life ends there. */
  async cycle(id: string, bundle: string): Promise<void> {
    const steps = [
      ["create", "--bundle", bundle, id],
      ["start", id],
      ["kill", id, "KILL"],
    ];
    for (const step of steps) {
      if (await this.call(...step)) break;
      if (step[0] === "start") this.started++;
    }
    // Killed as well, now and then; the last one is let live.
    for (let tries = 0; tries < 10; tries++) if (!(await this.call("delete", "--force", id))) return;
    this.problems.push(`${id}: delete was killed ten times`);
  }
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code));
  });
}

/** Directories of the test in every hierarchy. */
function cgroupsOf(name: string): string[] {
  const base = "/sys/fs/cgroup";
  return [base, ...readdirSync(base).map((hierarchy) => join(base, hierarchy))]
    .map((hierarchy) => join(hierarchy, name))
    .filter((path) => existsSync(path));
}

/** Processes whose command line names the test: its containers' and the runtime's own. */
function processesOf(...names: readonly string[]): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return names.some((name) => line.includes(name)) ? [`${pid}: ${line}`] : [];
      } catch {
        return []; // It has just ended.
      }
    });
}

test(
  `churn: ${CYCLES} containers, ${AT_ONCE} at once, the runtime killed at random (seed ${SEED})`,
  { skip },
  async (t) => {
    const churn = new Churn();
    try {
      let left = CYCLES;
      const worker = async (number: number): Promise<void> => {
        const bundle = churn.bundle(`box${number}`);
        // The same id again and again: what one life leaves is in the way of the next.
        while (left-- > 0 && churn.problems.length === 0) await churn.cycle(`box${number}`, bundle);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, (_, number) => worker(number)));
      t.diagnostic(`${churn.started} started, ${churn.killed} commands killed`);
      assert.deepEqual(churn.problems, []);
      assert.ok(churn.killed > CYCLES / 10, "hardly any command was killed");
      assert.ok(churn.started > CYCLES / 10, "hardly any container was started");
      const state = join(churn.directory, "state");
      assert.deepEqual(
        readdirSync(state).filter((name) => name !== ".cache"),
        [],
        "state directories",
      );
      assert.deepEqual(
        cgroupsOf(churn.cgroup).flatMap((path) => readdirSync(path).filter((name) => name.startsWith("box"))),
        [],
        "cgroups",
      );
      // A child whose parent was killed ends by itself, as soon as it looks.
      for (let tries = 0; tries < 50 && processesOf(churn.directory).length > 0; tries++) await sleep(100);
      assert.deepEqual(processesOf(churn.directory), [], "processes");
      assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), new RegExp(churn.directory), "mounts");
    } finally {
      for (const path of cgroupsOf(churn.cgroup)) rmdirSync(path);
      rmSync(churn.directory, { recursive: true, force: true });
    }
  },
);
