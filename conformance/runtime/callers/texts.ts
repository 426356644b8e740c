// What callers read: texts on stderr and in the log, exit codes, forms of output (containerd, podman, CRI-O and dockerd grep them).
// crun 1.8.1 passes less: it takes unknown signals and lower-case names for signal 0, resumes what is not paused, has no table in ps,
// and sets memory before memory plus swap on cgroup v1.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Bench,
  type Outcome,
  type RuntimeCase,
  Skip,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  withProcess,
} from "../case.ts";

const running = (bench: Bench): string => bench.started(bench.script("sleep 30"));

function stopped(bench: Bench): string {
  const id = bench.started(bench.script("true"));
  bench.until("stopped", () => bench.status(id) === "stopped");
  return id;
}

interface TextCase {
  readonly name: string;
  readonly call: (bench: Bench) => Outcome;
  /** runc's, which is what callers look for; crun's where it differs and no caller minds. */
  readonly text: RegExp;
  /** runc's; crun ends with 1 or 255. */
  readonly code: number;
}

const TEXTS: readonly TextCase[] = [
  {
    name: "start of a running container",
    call: (bench) => bench.call("start", running(bench)),
    text: /cannot start an already running container|cannot open `.*exec.fifo`/,
    code: 1,
  },
  {
    name: "start of a stopped container",
    call: (bench) => bench.call("start", stopped(bench)),
    text: /cannot start a container that has stopped|is not running|not in .created. state|is not in created/i,
    code: 1,
  },
  {
    name: "exec in a stopped container",
    call: (bench) => bench.call("exec", stopped(bench), "/bin/true"),
    text: /cannot exec (in )?a (container that has )?stopped|is not running/,
    code: 255,
  },
  {
    name: "exec in a paused container",
    call: (bench) => {
      const id = running(bench);
      expectOk(bench.call("pause", id));
      bench.defer(() => void bench.call("resume", id));
      return bench.call("exec", id, "/bin/true");
    },
    text: /cannot exec in a paused container|is paused/,
    code: 255,
  },
  {
    name: "exec of a missing absolute path",
    call: (bench) => bench.call("exec", running(bench), "/nope"),
    text: /stat \/nope: no such file or directory|executable file .\/nope. not found/,
    code: 255,
  },
  {
    name: "exec of a missing name",
    call: (bench) => bench.call("exec", running(bench), "nope"),
    text: /executable file( .nope.)? not found/,
    code: 255,
  },
  {
    name: "exec of a directory",
    call: (bench) => bench.call("exec", running(bench), "/bin"),
    text: /is a directory|permission denied|Operation not permitted/,
    code: 255,
  },
  {
    name: "kill with an unknown signal",
    call: (bench) => bench.call("kill", running(bench), "FOO"),
    text: /unknown signal|invalid signal/i,
    code: 1,
  },
  {
    name: "delete of a running container",
    call: (bench) => bench.call("delete", running(bench)),
    text: /that is not stopped: running|is not in `created` or `stopped` state/,
    code: 1,
  },
  {
    name: "resume of a container that is not paused",
    call: (bench) => bench.call("resume", running(bench)),
    text: /not paused/i,
    code: 1,
  },
];

const isCrun = (bench: Bench): boolean => bench.runtime.includes("crun");

export const cases: readonly RuntimeCase[] = [
  ...TEXTS.map(({ name, call, text, code }): RuntimeCase => ({
    name: `texts: ${name}`,
    run: (bench) => {
      const outcome = expectFailure(call(bench));
      expectMatch(outcome.err, text);
      if (!isCrun(bench)) expectEqual(outcome.code, code, "exit status");
    },
  })),
  {
    name: "log: one JSON document with level, msg and an RFC 3339 time for a create that fails, and the text on stderr",
    run: (bench) => {
      const log = join(bench.directory, "log.json");
      const bundle = bench.bundle((spec) => withProcess(spec, { args: ["/nope"] }));
      const { err } = expectFailure(
        bench.call("--log", log, "--log-format", "json", "create", "--bundle", bundle.path, bench.id()),
      );
      const line = JSON.parse(readFileSync(log, "utf8")) as { level: string; msg: string; time: string };
      expectEqual(line.level, "error");
      expectMatch(line.msg, /no such file or directory|not found/);
      expectMatch(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
      expectMatch(err, /no such file or directory|not found/);
    },
  },
  {
    name: "log: nothing in it, and nothing printed, when all goes well",
    run: (bench) => {
      const log = join(bench.directory, "log.json");
      const outcome = expectOk(
        bench.call("--log", log, "--log-format", "json", "run", "--bundle", bench.script("true").path, bench.id()),
      );
      expectEqual([outcome.out, outcome.err], ["", ""]);
      expectEqual(existsSync(log) ? readFileSync(log, "utf8") : "", "");
    },
  },
  ...["TERM", "SIGTERM", "15", "term"].map((signal): RuntimeCase => ({
    name: `kill: ${signal} is SIGTERM`,
    run: (bench) => {
      const id = bench.started(bench.script("trap 'echo got > /got; exit 0' TERM; while :; do sleep 0.1; done"));
      bench.until(
        "trap is set",
        () => bench.call("exec", id, "/bin/grep", "-q", "SigCgt:.*4", "/proc/1/status").code === 0,
      );
      expectOk(bench.call("kill", id, signal));
      bench.until("stopped", () => bench.status(id) === "stopped");
    },
  })),
  {
    name: "delete: a created container is killed and gone, as containerd counts on",
    run: (bench) => {
      const id = bench.id();
      expectOk(bench.call("create", "--bundle", bench.script("sleep 30").path, id));
      expectOk(bench.call("delete", id));
      expectFailure(bench.call("state", id));
    },
  },
  {
    name: "flags: long ones with one dash (-no-subreaper, as containerd's shim restores)",
    run: (bench) => {
      if (isCrun(bench)) throw new Skip("crun takes long flags with two dashes only");
      const id = bench.id();
      expectOk(bench.call("run", "-detach", "-no-subreaper", "-bundle", bench.script("sleep 30").path, id));
    },
  },
  {
    name: "list: ids alone, a table with a head, JSON with pid and status",
    run: (bench) => {
      const id = running(bench);
      expectEqual(expectOk(bench.call("list", "-q")).out, id);
      const [head = "", row = ""] = expectOk(bench.call("list")).out.split("\n");
      expectMatch(head, /^(ID|NAME) +PID +STATUS +BUNDLE +/);
      expectMatch(row, new RegExp(`^${id} +\\d+ +running +/`));
      const [entry] = JSON.parse(expectOk(bench.call("list", "--format", "json")).out) as [
        { id: string; status: string },
      ];
      expectEqual([entry.id, entry.status], [id, "running"]);
      expectFailure(bench.call("list", "--format", "xml"));
    },
  },
  {
    name: "ps: a table of the host's ps with the container's processes only",
    run: (bench) => {
      if (!existsSync("/usr/bin/ps") && !existsSync("/bin/ps")) throw new Skip("no ps on this host");
      const id = running(bench);
      const { out } = expectOk(bench.call("ps", id));
      expectMatch(out, /PID/);
      expectMatch(out, /sleep 30/);
    },
  },
  {
    name: "update: every flag that the kernel here has",
    run: (bench) => {
      const id = running(bench);
      expectOk(bench.call("update", "--pids-limit", "33", "--cpu-share", "512", "--cpuset-cpus", "0", id));
      expectOk(bench.call("update", "--cpu-period", "50000", "--cpu-quota", "20000", id));
      expectOk(bench.call("update", "--memory", "50331648", id));
      // A raise beyond what memory and swap together may be: the order matters on v1.
      expectOk(bench.call("update", "--memory", "134217728", "--memory-swap", "268435456", id));
      expectOk(bench.call("update", "--memory", "67108864", "--memory-swap", "67108864", id));
      expectOk(bench.call("update", "--memory", "-1", id));
      expectFailure(bench.call("update", "--resources", join(bench.directory, "none"), id));
    },
  },
  {
    name: "mounts: added to a running container and removed",
    run: (bench) => {
      const bundle = bench.script("sleep 30");
      mkdirSync(join(bundle.rootfs, "data"));
      const id = bench.started(bundle);
      if (/unknown command|No help topic/.test(bench.call("mounts", "add", id, "/nowhere").err))
        throw new Skip("no mounts command");
      const source = join(bench.directory, "source");
      mkdirSync(source);
      writeFileSync(join(source, "file"), "hot");
      const file = join(bench.directory, "mounts.json");
      writeFileSync(
        file,
        JSON.stringify([
          { destination: "/data", type: "bind", source, options: ["bind", "ro"] },
          { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=64k"] },
        ]),
      );
      expectOk(bench.call("mounts", "add", id, file));
      expectEqual(expectOk(bench.call("exec", id, "/bin/cat", "/data/file")).out, "hot");
      expectFailure(bench.call("exec", id, "/bin/touch", "/data/new"));
      expectOk(bench.call("exec", id, "/bin/touch", "/tmp/new"));
      expectOk(bench.call("mounts", "remove", id, file));
      expectFailure(bench.call("exec", id, "/bin/cat", "/data/file"));
      expectFailure(bench.call("mounts", "remove", id, file));
    },
  },
];
