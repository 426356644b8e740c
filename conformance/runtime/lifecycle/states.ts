// Life of a container: create, start, kill, delete, and what each refuses (runtime-spec, "Lifecycle"; runc's texts, which callers grep).

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type RuntimeCase, expectEqual, expectFailure, expectMatch, expectOk } from "../case.ts";

export const cases: readonly RuntimeCase[] = [
  {
    name: "create: state is created, and the program has not run",
    run: (bench) => {
      const bundle = bench.script("touch /ran", (spec) => ({ ...spec, root: { path: "rootfs" } }));
      const id = bench.id();
      const pidFile = join(bench.directory, "pid");
      expectOk(bench.call("create", "--bundle", bundle.path, "--pid-file", pidFile, id));
      expectEqual(bench.status(id), "created");
      expectMatch(readFileSync(pidFile, "utf8"), /^\d+$/);
      expectFailure(bench.call("exec", id, "/bin/cat", "/ran"));
    },
  },
  {
    name: "start: runs, then stopped",
    run: (bench) => {
      const id = bench.started(bench.script("exit 0"));
      bench.until("stopped", () => bench.status(id) === "stopped");
    },
  },
  {
    name: "start: error on a running container",
    run: (bench) => void expectFailure(bench.call("start", bench.started(bench.script("sleep 30")))),
  },
  {
    name: "create: error when the id is taken",
    run: (bench) => {
      const bundle = bench.script("sleep 30");
      const id = bench.started(bundle);
      expectFailure(bench.call("create", "--bundle", bundle.path, id));
      expectEqual(bench.status(id), "running");
    },
  },
  {
    name: "create: error that names the root file system when it is not there",
    run: (bench) => {
      const bundle = bench.bundle((spec) => ({ ...spec, root: { path: "elsewhere" } }));
      // More than once: it is the first process that finds out, while the runtime still talks to it.
      for (let round = 0; round < 5; round++) {
        const outcome = bench.call("create", "--bundle", bundle.path, bench.id());
        expectMatch(expectFailure(outcome).err, /elsewhere/);
      }
    },
  },
  {
    name: "kill: signal reaches init",
    run: (bench) => {
      const id = bench.started(bench.script("trap 'exit 0' TERM; while :; do sleep 0.1; done"));
      bench.until(
        "trap is set",
        () => bench.call("exec", id, "/bin/grep", "-q", "SigCgt:.*4", "/proc/1/status").code === 0,
      );
      expectOk(bench.call("kill", id, "TERM"));
      bench.until("stopped", () => bench.status(id) === "stopped");
    },
  },
  {
    name: "kill: error on a stopped container",
    run: (bench) => {
      const id = bench.started(bench.script("true"));
      bench.until("stopped", () => bench.status(id) === "stopped");
      expectFailure(bench.call("kill", id, "TERM"));
    },
  },
  {
    name: "delete: error on a running container, which goes on",
    run: (bench) => {
      const id = bench.started(bench.script("sleep 30"));
      expectFailure(bench.call("delete", id));
      expectEqual(bench.status(id), "running");
      expectOk(bench.call("delete", "--force", id));
      expectFailure(bench.call("state", id));
    },
  },
  {
    name: "delete: --force succeeds when there is no such container",
    run: (bench) => void expectOk(bench.call("delete", "--force", bench.id())),
  },
  {
    name: "state: says does not exist for an unknown id",
    run: (bench) => expectMatch(expectFailure(bench.call("state", bench.id())).err, /does not exist/),
  },
  ...[0, 1, 42].map((code): RuntimeCase => ({
    name: `run: exit status ${code} is passed on`,
    run: (bench) => expectEqual(bench.run(bench.script(`exit ${code}`)).code, code),
  })),
  {
    name: "exec: death by signal 9 is 137",
    run: (bench) =>
      expectEqual(bench.call("exec", bench.started(bench.script("sleep 30")), "/bin/sh", "-c", "kill -9 $$").code, 137),
  },
  {
    name: "pause, resume: state says so, and processes stand still",
    run: (bench) => {
      const id = bench.started(bench.script("sleep 30"));
      expectOk(bench.call("pause", id));
      expectEqual(bench.status(id), "paused");
      expectOk(bench.call("resume", id));
      expectEqual(bench.status(id), "running");
    },
  },
  {
    name: "ps: --format json is an array of host pids",
    run: (bench) => {
      const id = bench.started(bench.script("sleep 30 & sleep 30; true"));
      bench.until(
        "three processes",
        () => (JSON.parse(expectOk(bench.call("ps", "--format", "json", id)).out) as number[]).length === 3,
      );
    },
  },
];
