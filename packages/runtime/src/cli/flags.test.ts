import assert from "node:assert/strict";
import { test } from "node:test";
import { type Flag, parseFlags } from "./flags.ts";

const FLAGS: readonly Flag[] = [
  { name: "bundle", aliases: ["b"], kind: "string", doc: "" },
  { name: "detach", aliases: ["d"], kind: "boolean", doc: "" },
  { name: "preserve-fds", kind: "number", doc: "" },
  { name: "env", aliases: ["e"], kind: "list", doc: "" },
];

const GOOD: readonly (readonly [string[], string, boolean, string[]])[] = [
  [["--bundle", "x", "id"], "x", false, ["id"]],
  [["-bundle=x=y", "id"], "x=y", false, ["id"]],
  [["-b", "x", "-d", "id", "-d"], "x", true, ["id", "-d"]],
  [["--detach=false", "id"], "", false, ["id"]],
  [["-d", "--", "-b"], "", true, ["-b"]],
  [["-", "-d"], "", false, ["-", "-d"]],
  [["--bundle=", "id"], "", false, ["id"]],
];
for (const [argv, bundle, detach, operands] of GOOD) {
  test(`parseFlags: ${argv.join(" ")}`, () => {
    const parsed = parseFlags(FLAGS, argv);
    assert.deepEqual(
      [parsed.values.string("bundle"), parsed.values.boolean("detach"), parsed.operands],
      [bundle, detach, operands],
    );
  });
}

const BAD: readonly (readonly [string[], string])[] = [
  [["--nope"], "flag provided but not defined: -nope"],
  [["--bundle"], "flag needs an argument: -bundle"],
  [["--preserve-fds", "x"], 'invalid value "x" for flag -preserve-fds: parse error'],
  [["-d=maybe"], 'invalid boolean value "maybe" for -d: parse error'],
  [["---bundle"], "bad flag syntax: ---bundle"],
];
for (const [argv, text] of BAD) {
  test(`parseFlags: ${text}`, () => assert.throws(() => parseFlags(FLAGS, argv), { what: text }));
}

test("parseFlags: a list keeps its order", () => {
  assert.deepEqual(parseFlags(FLAGS, ["-e", "A=1", "--env=B=2"]).values.list("env"), ["A=1", "B=2"]);
});
