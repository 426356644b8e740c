// seccomp with an agent that is asked about calls (runtime-spec, "Seccomp": SCMP_ACT_NOTIFY, "The Container Process State").

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerProcessState, Spec } from "@teu/specs/runtime";
import {
  type Bench,
  type RuntimeCase,
  Skip,
  expectEqual,
  expectFailure,
  expectOk,
  withLinux,
  withProcess,
} from "../case.ts";

/** mkdir on x86_64, and where it does not exist mkdirat. */
const MKDIR = process.arch === "x64" ? 83 : 34;

interface Agent {
  readonly socket: string;
  told(): ContainerProcessState;
}

function agent(bench: Bench): Agent {
  const program = join(bench.directory, "agent");
  const built = spawnSync("gcc", ["-O1", "-o", program, join(import.meta.dirname, "agent.c")], { encoding: "utf8" });
  if (built.error !== undefined) throw new Skip("no gcc to build the agent with");
  if (built.status !== 0) throw new Error(built.stderr);
  const socket = join(bench.directory, "agent.sock");
  const state = join(bench.directory, "agent.json");
  // A group of its own, for the processes that serve.
  const { pid } = spawn(program, [socket, state, String(MKDIR)], { stdio: "ignore", detached: true });
  if (pid !== undefined) bench.defer(() => void process.kill(-pid, "SIGKILL"));
  bench.until("agent listens", () => existsSync(socket));
  return {
    socket,
    told: () => {
      // crun sends a NUL behind the document.
      const text = (): string => readFileSync(state, "utf8").replace(/\0$/, "");
      bench.until("agent was told", () => existsSync(state) && text().endsWith("}"));
      return JSON.parse(text()) as ContainerProcessState;
    },
  };
}

function asking(listenerPath: string, names: readonly string[], noNewPrivileges: boolean): (spec: Spec) => Spec {
  return (spec) =>
    withLinux(withProcess({ ...spec, root: { path: "rootfs" } }, { noNewPrivileges }), {
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        listenerPath,
        listenerMetadata: "for the agent",
        syscalls: [{ names, action: "SCMP_ACT_NOTIFY" }],
      },
    });
}

const SCRIPT = "mkdir /tmp/d 2>/dev/null && echo made; touch /tmp/f && echo touched";

export const cases: readonly RuntimeCase[] = [
  ...[true, false].map((noNewPrivileges): RuntimeCase => ({
    name: `seccomp notify: the agent decides, and is told about the container (noNewPrivileges ${noNewPrivileges})`,
    run: (bench) => {
      const { socket, told } = agent(bench);
      const id = bench.id();
      const bundle = bench.script(SCRIPT, asking(socket, ["mkdir", "mkdirat"], noNewPrivileges));
      expectEqual(expectOk(bench.call("run", "--bundle", bundle.path, id)).out, "touched");
      const { fds, metadata, state, pid } = told();
      expectEqual([fds, metadata, state.id, state.bundle], [["seccompFd"], "for the agent", id, bundle.path]);
      expectEqual(pid, state.pid);
    },
  })),
  {
    name: "seccomp notify: with create and start",
    run: (bench) => {
      const { socket, told } = agent(bench);
      const bundle = bench.script(`${SCRIPT} > /out; sleep 30`, asking(socket, ["mkdir", "mkdirat"], true));
      bench.started(bundle);
      bench.until(
        "output",
        () => existsSync(join(bundle.rootfs, "out")) && readFileSync(join(bundle.rootfs, "out"), "utf8") !== "",
      );
      expectEqual(readFileSync(join(bundle.rootfs, "out"), "utf8").trim(), "touched");
      expectEqual(told().fds, ["seccompFd"]);
    },
  },
  {
    name: "seccomp notify: exec has an agent too",
    run: (bench) => {
      const { socket, told } = agent(bench);
      const id = bench.started(bench.script("sleep 30", asking(socket, ["mkdir", "mkdirat"], true)));
      const init = told().pid;
      expectEqual(expectOk(bench.call("exec", id, "/bin/sh", "-c", SCRIPT)).out, "touched");
      if (told().pid === init) throw new Error("the agent was told of init, not of the new process");
    },
  },
  ...[true, false].map((noNewPrivileges): RuntimeCase => ({
    name: `seccomp notify: a filter that asks about sendmsg, write and close is handed over all the same (noNewPrivileges ${noNewPrivileges})`,
    run: (bench) => {
      const { socket, told } = agent(bench);
      const names = ["sendmsg", "sendto", "write", "close", "read", "mkdir", "mkdirat", "execve"];
      const bundle = bench.script(SCRIPT, asking(socket, names, noNewPrivileges));
      expectEqual(expectOk(bench.run(bundle)).out, "touched");
      expectEqual(told().fds, ["seccompFd"]);
    },
  })),
  {
    name: "seccomp notify: error when there is no agent",
    run: (bench) =>
      void expectFailure(
        bench.run(bench.script("true", asking(join(bench.directory, "nobody.sock"), ["mkdir", "mkdirat"], true))),
      ),
  },
];
