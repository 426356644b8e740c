// The life of a container whose owner has no privileges: every command on it, as the user.

import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Spec } from "@teu/specs/runtime";
import {
  type RuntimeCase,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  withLinux,
  withProcess,
} from "../case.ts";
import { MANY, OWN, User, skipFor } from "./user.ts";

const STAY = "exec sleep 60";
const many = (spec: Spec): Spec => withLinux(spec, { uidMappings: [...MANY], gidMappings: [...MANY] });

export const cases: readonly RuntimeCase[] = [
  {
    name: "rootless: create, start, state, list, kill, delete",
    run: (bench) => {
      const user = new User(bench);
      const id = bench.id();
      const pidFile = join(user.runtimeDirectory, "pid");
      expectOk(user.call("create", "--bundle", user.script(STAY).path, "--pid-file", pidFile, id));
      bench.defer(() => void user.call("delete", "--force", id));
      expectEqual(user.status(id), "created");
      expectMatch(readFileSync(pidFile, "utf8"), /^\d+$/);
      expectOk(user.call("start", id));
      expectEqual(user.status(id), "running");
      expectMatch(expectOk(user.call("list", "-q")).out, new RegExp(id));
      expectOk(user.call("kill", id, "KILL"));
      bench.until("it is stopped", () => user.status(id) === "stopped");
      expectOk(user.call("delete", id));
      expectFailure(user.call("state", id));
    },
  },
  {
    name: "rootless: delete --force ends a running container",
    run: (bench) => {
      const user = new User(bench);
      const id = user.started(user.script(STAY));
      expectOk(user.call("delete", "--force", id));
      expectFailure(user.call("state", id));
    },
  },
  {
    name: "rootless: exit status of run, and of a process that is killed",
    run: (bench) => {
      const user = new User(bench);
      expectEqual(user.run(user.script("exit 7")).code, 7);
      expectEqual(user.run(user.script("kill -9 $$; sleep 1; exit 3")).code, 3);
    },
  },
  {
    name: "rootless: exec is in every namespace of the container",
    run: (bench) => {
      const user = new User(bench);
      const id = user.started(user.script(STAY));
      const links = "for n in user pid mnt ipc uts net; do readlink /proc/$P/ns/$n; done; id -u; hostname";
      const inside = (pid: string): string =>
        expectOk(user.call("exec", id, "/bin/sh", "-c", links.replaceAll("$P", pid))).out;
      expectEqual(inside("self"), inside("1"));
      expectMatch(inside("self"), /\n0\nbox$/);
    },
  },
  {
    name: "rootless: exec as another mapped user, its input, exit status and environment",
    run: (bench) => {
      const user = new User(bench);
      const id = user.started(user.script(STAY, many));
      expectEqual(expectOk(user.call("exec", "--user", "7:8", id, "/bin/sh", "-c", "id -u; id -g")).out, "7\n8");
      expectEqual(expectOk(user.callWith({ input: "typed" }, "exec", id, "/bin/cat")).out, "typed");
      expectEqual(user.call("exec", id, "/bin/sh", "-c", "exit 9").code, 9);
      expectEqual(expectOk(user.call("exec", "--env", "A=b", id, "/bin/sh", "-c", "echo $A")).out, "b");
    },
  },
  {
    name: "rootless: exec that cannot start says why",
    run: (bench) => {
      const user = new User(bench);
      const id = user.started(user.script(STAY));
      expectMatch(expectFailure(user.call("exec", id, "/nowhere")).err, /no such file or directory|not found/i);
    },
  },
  {
    name: "rootless: exec in the background, its pid file, and its end with the container",
    run: (bench) => {
      const user = new User(bench);
      const id = user.started(user.script(STAY));
      const pidFile = join(user.runtimeDirectory, "exec.pid");
      expectOk(user.call("exec", "--detach", "--pid-file", pidFile, id, "/bin/sleep", "60"));
      const pid = readFileSync(pidFile, "utf8");
      expectMatch(pid, /^\d+$/);
      expectMatch(readFileSync(`/proc/${pid}/status`, "utf8"), new RegExp(`\nUid:\t${OWN}\t`));
      expectOk(user.call("delete", "--force", id));
      bench.until("it is gone", () => {
        const stat = `/proc/${pid}/stat`;
        return !existsSync(stat) || / Z /.test(readFileSync(stat, "utf8"));
      });
    },
  },
  {
    name: "rootless: exec with an OOM score of its own",
    run: (bench) => {
      const user = new User(bench);
      const id = user.started(user.script(STAY));
      const file = join(user.runtimeDirectory, "process.json");
      const process = { cwd: "/", user: {}, args: ["/bin/cat", "/proc/self/oom_score_adj"], oomScoreAdj: 650 };
      writeFileSync(file, JSON.stringify(process));
      // runc 1.1 keeps the score of the configuration.
      skipFor(bench, "runc", "it takes no OOM score with exec");
      skipFor(bench, "crun", "it takes no OOM score with exec");
      expectEqual(expectOk(user.call("exec", "--process", file, id)).out, "650");
    },
  },
  {
    name: "rootless: ps without a cgroup",
    run: (bench) => {
      skipFor(bench, "runc", "it knows processes by their cgroup only");
      skipFor(bench, "crun", "it knows processes by their cgroup only");
      const user = new User(bench);
      const id = user.started(user.script("sleep 60 & exec sleep 61"));
      expectOk(user.call("exec", "--detach", id, "/bin/sleep", "62"));
      const pids = (): number[] => JSON.parse(expectOk(user.call("ps", "--format", "json", id)).out) as number[];
      bench.until("all three are there", () => pids().length === 3);
      const names = pids().map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim());
      expectEqual(names.sort(), ["/bin/sleep 62", "sleep 60", "sleep 61"]);
    },
  },
  {
    name: "rootless: pause and update say that there is no cgroup",
    run: (bench) => {
      const user = new User(bench);
      const id = user.started(user.script(STAY));
      expectMatch(expectFailure(user.call("pause", id)).err, /cgroup/);
      expectMatch(expectFailure(user.call("update", "--pids-limit", "20", id)).err, /cgroup|limit|pids\.max/);
      expectEqual(user.status(id), "running");
    },
  },
  {
    name: "rootless: kill --all without a cgroup and without a pid namespace reaches the first process",
    run: (bench) => {
      const user = new User(bench);
      const bundle = user.script(STAY, (spec) => ({
        ...withLinux(spec, { namespaces: (spec.linux?.namespaces ?? []).filter(({ type }) => type !== "pid") }),
        // A new procfs needs a pid namespace that is one's own.
        mounts: (spec.mounts ?? []).map((mount) =>
          mount.destination === "/proc" ? { ...mount, type: "bind", source: "/proc", options: ["rbind"] } : mount,
        ),
      }));
      const id = user.started(bundle);
      user.call("kill", "--all", id, "KILL");
      user.call("kill", id, "KILL");
      bench.until("it is stopped", () => user.status(id) === "stopped");
    },
  },
  {
    name: "rootless: hooks run as the user",
    run: (bench) => {
      const user = new User(bench);
      const file = join(user.runtimeDirectory, "who");
      const hook = (text: string) => ({ path: "/bin/sh", args: ["sh", "-c", text], env: ["PATH=/bin:/usr/bin"] });
      const bundle = user.bundle((spec) => ({
        ...spec,
        hooks: { prestart: [hook(`id -u > ${file}`)], poststop: [hook(`echo over >> ${file}`)] },
      }));
      expectOk(user.run(bundle));
      expectEqual(readFileSync(file, "utf8").trim().split("\n"), [String(OWN), "over"]);
    },
  },
  {
    name: "rootless: a terminal",
    run: (bench) => {
      const user = new User(bench);
      const socket = join(user.runtimeDirectory, "console");
      // Bound and listening at once; what is sent waits in its queue.
      const server = createServer().listen(socket);
      bench.defer(() => void server.close());
      chmodSync(socket, 0o777);
      const bundle = user.script(STAY, (spec) =>
        withProcess(spec, { terminal: true, consoleSize: { height: 30, width: 90 } }),
      );
      const id = bench.id();
      expectOk(user.call("create", "--bundle", bundle.path, "--console-socket", socket, id));
      bench.defer(() => void user.call("delete", "--force", id));
      expectOk(user.call("start", id));
      const look = "readlink /proc/1/fd/0; stty size < /proc/1/fd/0; stat -c %t:%T:%u /dev/console";
      const { out } = expectOk(user.call("exec", id, "/bin/sh", "-c", look));
      expectEqual(out.split("\n"), ["/dev/pts/0", "30 90", "88:0:0"]);
    },
  },
  {
    name: "rootless: state is kept below XDG_RUNTIME_DIR, where nobody tidies it up",
    run: (bench) => {
      const user = new User(bench);
      const id = bench.id();
      const call = (...args: string[]) => user.callWith({ root: "" }, ...args);
      expectOk(call("create", "--bundle", user.script(STAY).path, id));
      bench.defer(() => void call("delete", "--force", id));
      const found = ["runc", "crun", "teu/runtime"].map((name) => join(user.runtimeDirectory, name)).filter(existsSync);
      expectEqual(found.length, 1);
      expectEqual(existsSync(join(found[0] ?? "", id)), true);
      if (!(found[0] ?? "").endsWith("crun")) expectEqual(statSync(found[0] ?? "").mode & 0o1077, 0o1000);
      expectOk(call("delete", "--force", id));
    },
  },
];
