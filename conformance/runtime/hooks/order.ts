// Hooks: when, in what order, with which state, and what a failure means (runtime-spec, "POSIX-platform Hooks").

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Hook, Hooks } from "@teu/specs/runtime";
import { type Bench, type RuntimeCase, expectEqual, expectFailure, expectOk } from "../case.ts";

/** A hook that appends its name and the state's id and status to a log. */
function logging(bench: Bench, kind: keyof Hooks): Hook {
  const log = join(bench.directory, "hooks.log");
  return {
    path: "/bin/sh",
    args: ["sh", "-c", `read -r line; echo "${kind} $line" >> ${log}`],
    env: ["PATH=/bin:/usr/bin"],
  };
}

function logged(
  bench: Bench,
): { kind: string; state: { id?: string; status?: string; pid?: number; bundle?: string } }[] {
  const path = join(bench.directory, "hooks.log");
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const cut = line.indexOf(" ");
      return { kind: line.slice(0, cut), state: JSON.parse(line.slice(cut)) as { id?: string; status?: string } };
    });
}

export const cases: readonly RuntimeCase[] = [
  {
    name: "hooks: prestart and createRuntime at create, poststart at start, poststop at delete",
    run: (bench) => {
      const kinds = ["prestart", "createRuntime", "poststart", "poststop"] as const;
      const hooks = Object.fromEntries(kinds.map((kind) => [kind, [logging(bench, kind)]]));
      const bundle = bench.script("sleep 30", (spec) => ({ ...spec, hooks }));
      const id = bench.id();
      expectOk(bench.call("create", "--bundle", bundle.path, id));
      expectEqual(
        logged(bench).map(({ kind }) => kind),
        ["prestart", "createRuntime"],
      );
      expectOk(bench.call("start", id));
      expectEqual(
        logged(bench).map(({ kind }) => kind),
        ["prestart", "createRuntime", "poststart"],
      );
      expectOk(bench.call("delete", "--force", id));
      expectEqual(
        logged(bench).map(({ kind }) => kind),
        [...kinds],
      );
    },
  },
  {
    name: "hooks: the state on stdin has id, bundle and the host's pid",
    run: (bench) => {
      const bundle = bench.script("sleep 30", (spec) => ({
        ...spec,
        hooks: { createRuntime: [logging(bench, "createRuntime")], poststart: [logging(bench, "poststart")] },
      }));
      const id = bench.started(bundle);
      const pid = (JSON.parse(bench.call("state", id).out) as { pid: number }).pid;
      for (const { state } of logged(bench)) expectEqual([state.id, state.bundle, state.pid], [id, bundle.path, pid]);
      expectEqual(logged(bench).at(-1)?.state.status, "running");
    },
  },
  {
    name: "hooks: without an environment of its own a hook has the runtime's",
    run: (bench) => {
      const log = join(bench.directory, "environment.log");
      const hook = (env?: readonly string[]): Hook => ({
        path: "/bin/sh",
        args: ["sh", "-c", `echo "<$HOOK_TEST>" >> ${log}`],
        ...(env === undefined ? {} : { env }),
      });
      const hooks = { createRuntime: [hook(), hook(["HOOK_TEST=own"]), hook([])] };
      const bundle = bench.script("sleep 30", (spec) => ({ ...spec, hooks }));
      expectOk(bench.callWith({ env: { HOOK_TEST: "inherited" } }, "create", "--bundle", bundle.path, bench.id()));
      expectEqual(readFileSync(log, "utf8"), "<inherited>\n<own>\n<>\n");
    },
  },
  {
    name: "hooks: startContainer runs inside, before the program",
    run: (bench) => {
      const bundle = bench.script("cat /tmp/order; echo program", (spec) => ({
        ...spec,
        root: { path: "rootfs" },
        hooks: { startContainer: [{ path: "/bin/sh", args: ["sh", "-c", "cat >/dev/null; echo hook > /tmp/order"] }] },
      }));
      expectEqual(expectOk(bench.run(bundle)).out.split("\n"), ["hook", "program"]);
    },
  },
  {
    name: "hooks: a failing createRuntime hook fails create and leaves nothing",
    run: (bench) => {
      const id = bench.id();
      expectFailure(
        bench.call(
          "create",
          "--bundle",
          bench.script("true", (spec) => ({ ...spec, hooks: { createRuntime: [{ path: "/bin/false" }] } })).path,
          id,
        ),
      );
      expectFailure(bench.call("state", id));
    },
  },
  {
    name: "hooks: a timeout kills the hook and fails create",
    run: (bench) => {
      const started = Date.now();
      expectFailure(
        bench.call(
          "create",
          "--bundle",
          bench.script("true", (spec) => ({
            ...spec,
            hooks: { createRuntime: [{ path: "/bin/sleep", args: ["sleep", "15"], timeout: 1 }] },
          })).path,
          bench.id(),
        ),
      );
      if (Date.now() - started > 8000) throw new Error("the hook was waited for");
    },
  },
  {
    name: "hooks: a failing poststop hook does not fail delete",
    run: (bench) => {
      const script = join(bench.directory, "fail.sh");
      writeFileSync(script, "#!/bin/sh\nexit 1\n", { mode: 0o755 });
      const id = bench.id();
      expectOk(
        bench.call(
          "create",
          "--bundle",
          bench.script("true", (spec) => ({ ...spec, hooks: { poststop: [{ path: script }] } })).path,
          id,
        ),
      );
      expectOk(bench.call("delete", "--force", id));
      expectFailure(bench.call("state", id));
    },
  },
];
