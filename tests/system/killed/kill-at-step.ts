// Loaded into a program under test (`node --import`): counts what it changes in files, database and registries, and kills it right
// before one of these steps. So a kill can be put between any two steps, and a run that found something can be had again.
//
// TEU_KILL_AT       number of the step before which the program is killed; 0: never
// TEU_KILL_REPORT   file that gets one line for each step

import fs from "node:fs";
import promises from "node:fs/promises";
import http from "node:http";
import { DatabaseSync, StatementSync } from "node:sqlite";

type Callable = (this: unknown, ...args: unknown[]) => unknown;
type Target = Record<string, unknown>;

const killAt = Number(process.env["TEU_KILL_AT"] ?? 0);
const report = fs.openSync(process.env["TEU_KILL_REPORT"] ?? "/dev/null", "a");
const write = fs.writeSync;
let steps = 0;

function step(name: string, args: readonly unknown[]): void {
  steps++;
  const shown = args.filter((arg) => typeof arg === "string" || typeof arg === "number").join(" ");
  write(report, `${steps} ${name} ${shown.slice(0, 200).replaceAll("\n", " ")}\n`);
  if (steps === killAt) process.kill(process.pid, "SIGKILL");
}

function count(target: object, names: readonly string[], label: string): void {
  for (const name of names) {
    const original = (target as Target)[name];
    if (typeof original !== "function") throw new Error(`${label} has no ${name}`);
    (target as Target)[name] = function (this: unknown, ...args: unknown[]): unknown {
      step(`${label}.${name}`, args);
      return (original as Callable).apply(this, args);
    };
  }
}

const CHANGES = [
  "rename",
  "link",
  "unlink",
  "rm",
  "rmdir",
  "mkdir",
  "mkdtemp",
  "writeFile",
  "open",
  "chmod",
  "symlink",
];
const handle = await promises.open("/dev/null");
count(Object.getPrototypeOf(handle) as object, ["write", "writeFile", "sync", "chmod", "truncate"], "handle");
await handle.close();
count(promises, CHANGES, "promises");
count(
  fs,
  CHANGES.filter((name) => name !== "open").map((name) => `${name}Sync`),
  "fs",
);
count(fs, ["rename", "unlink", "open", "write"], "fs");
count(http, ["request"], "http");
count(DatabaseSync.prototype, ["exec"], "sqlite");
count(StatementSync.prototype, ["run"], "sqlite");

const ADDON = [
  "openat2",
  "tryFlock",
  "mkdirat",
  "mknodat",
  "symlinkat",
  "linkat",
  "unlinkat",
  "renameat2",
  "fchown",
  "setXattr",
  "writeNewFile",
  "writeAll",
  "ftruncate",
  "copyRange",
  "exitNow",
];
const load = process.dlopen.bind(process);
process.dlopen = (module: object, file: string, flags?: number): void => {
  if (flags === undefined) load(module, file);
  else load(module, file, flags);
  if (file.endsWith("teu-files.node")) count((module as { exports: object }).exports, ADDON, "addon");
};
