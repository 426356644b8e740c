// Command lines: exactly go-runc's.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createArguments,
  deleteArguments,
  execArguments,
  globalArguments,
  killArguments,
} from "./runtime-arguments.ts";

const cases: readonly [string, readonly string[], string][] = [
  [
    "globals",
    globalArguments({ root: "/r", args: ["--systemd-cgroup"], log: "/l" }),
    "--root /r --log /l --log-format json --systemd-cgroup",
  ],
  ["create", createArguments({ id: "x", bundle: "/b", pidFile: "/p" }), "create --bundle /b --pid-file /p x"],
  [
    "create with a terminal",
    createArguments({ id: "x", bundle: "/b", pidFile: "/p", consoleSocket: "/s" }),
    "create --bundle /b --pid-file /p --console-socket /s x",
  ],
  ["exec", execArguments({ id: "x", processFile: "/f", pidFile: "/p" }), "exec --process /f --detach --pid-file /p x"],
  [
    "exec with a terminal",
    execArguments({ id: "x", processFile: "/f", pidFile: "/p", consoleSocket: "/s" }),
    "exec --process /f --console-socket /s --detach --pid-file /p x",
  ],
  ["kill", killArguments("x", 15, false), "kill x 15"],
  ["kill all", killArguments("x", 9, true), "kill --all x 9"],
  ["delete", deleteArguments("x", false), "delete x"],
  ["delete by force", deleteArguments("x", true), "delete --force x"],
];

for (const [name, args, want] of cases) test(`runtime arguments: ${name}`, () => assert.equal(args.join(" "), want));
