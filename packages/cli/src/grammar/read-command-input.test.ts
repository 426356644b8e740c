import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { command as build } from "../commands/build.ts";
import { command as logs } from "../commands/logs.ts";
import { command as ps } from "../commands/ps.ts";
import { command as run } from "../commands/run.ts";
import type { Command, CommandInput } from "../command.ts";
import { readCommandInput } from "./read-command-input.ts";

const words = (line: string): string[] => line.split(" ").filter((word) => word !== "");
const read = (command: Command, line: string): CommandInput =>
  readCommandInput(command, command.usage.split(" ")[0] ?? "", words(line));

test("readCommandInput: Docker's grammar whole", () => {
  const input = read(run, "-it --rm=false -eX=1 -p80:80 img cmd -x");
  assert.deepEqual(input.args, ["img", "cmd", "-x"]);
  assert.equal(input.flag("interactive") && input.flag("tty"), true);
  assert.equal(input.flag("rm"), false);
  assert.deepEqual(input.list("env"), ["X=1"]);
  assert.deepEqual(input.list("publish"), ["80:80"]);
});

const RUN_CASES: readonly { line: string; args: string[]; check: (input: CommandInput) => void }[] = [
  {
    line: "--name x --env=A=1 -e B=2 --env C img",
    args: ["img"],
    check: (input) => assert.deepEqual([input.text("name"), input.list("env")], ["x", ["A=1", "B=2", "C"]]),
  },
  { line: "-dit img", args: ["img"], check: (input) => assert.equal(input.flag("detach"), true) },
  { line: "-itv /a:/b img", args: ["img"], check: (input) => assert.deepEqual(input.list("volume"), ["/a:/b"]) },
  { line: "--rm --rm=false --rm img", args: ["img"], check: (input) => assert.equal(input.flag("rm"), true) },
  { line: "--rm=true --rm=0 img", args: ["img"], check: (input) => assert.equal(input.flag("rm"), false) },
  {
    line: "--sig-proxy=false img --rm",
    args: ["img", "--rm"],
    check: (input) => assert.deepEqual([input.flag("sig-proxy"), input.flag("rm")], [false, false]),
  },
  {
    line: "img --sig-proxy=false",
    args: ["img", "--sig-proxy=false"],
    check: (input) => assert.equal(input.flag("sig-proxy"), true),
  },
  {
    line: "--user=0:0 -w/ -h name -- img -x",
    args: ["img", "-x"],
    check: (input) =>
      assert.deepEqual([input.text("user"), input.text("workdir"), input.text("hostname")], ["0:0", "/", "name"]),
  },
  {
    line: "--env --rm=false img",
    args: ["img"],
    check: (input) => assert.deepEqual(input.list("env"), ["--rm=false"]),
  },
  { line: "-e=X=1 img", args: ["img"], check: (input) => assert.deepEqual(input.list("env"), ["X=1"]) },
  {
    line: "-i=false -t img -",
    args: ["img", "-"],
    check: (input) => assert.deepEqual([input.flag("interactive"), input.flag("tty")], [false, true]),
  },
];

for (const { line, args, check } of RUN_CASES) {
  test(`readCommandInput: run ${line}`, () => {
    const input = read(run, line);
    assert.deepEqual(input.args, args);
    check(input);
  });
}

test("readCommandInput: flags may stand behind arguments where nothing is passed through", () => {
  const input = read(logs, "web -f --tail 5");
  assert.deepEqual([input.args, input.flag("follow"), input.text("tail")], [["web"], true, "5"]);
});

const BAD: readonly (readonly [Command, string, string, string])[] = [
  [run, "--nmae x img", "unknown flag --nmae", "did you mean --name?"],
  [run, "--xyzzy img", "unknown flag --xyzzy", "see teu run --help"],
  [run, "-X img", "unknown flag -X", "see teu run --help"],
  [
    run,
    "--gpus all img",
    "the flag --gpus is not supported yet",
    "it is Docker's and not ignored on purpose; leave it out",
  ],
  [run, "--rm=maybe img", 'flag --rm is true or false, not "maybe"', "see teu run --help"],
  [run, "--name", "flag --name needs a value", "see teu run --help"],
  [run, "", "teu run needs at least 1 argument", "see teu run --help"],
  [ps, "x", "teu ps takes no arguments", "see teu ps --help"],
  [build, ". x", "teu build needs exactly 1 argument", "see teu build --help"],
  [
    build,
    "--secret id=x .",
    "the flag --secret is not supported yet",
    "it is Docker's and not ignored on purpose; leave it out",
  ],
];

for (const [command, line, message, hint] of BAD) {
  test(`readCommandInput: error for ${command.usage.split(" ")[0] ?? ""} ${line}`, () => {
    assert.throws(
      () => read(command, line),
      (error) => {
        assert.ok(isTeuError(error), String(error));
        assert.deepEqual([error.what, error.hint, error.detail["usage"]], [message, hint, true]);
        return true;
      },
    );
  });
}
