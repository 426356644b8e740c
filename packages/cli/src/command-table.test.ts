import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { COMMANDS, GROUPS } from "./command-table.ts";
import { commandHelp } from "./grammar/help-text.ts";
import { readCommandInput } from "./grammar/read-command-input.ts";
import { ENVIRONMENT, readEnvironment } from "./environment.ts";
import { rootHelp } from "./output/root-help.ts";
import { VERSION } from "./version-text.ts";

const entries = [
  ...Object.entries(COMMANDS),
  ...Object.entries(GROUPS).flatMap(([noun, { verbs }]) =>
    Object.entries(verbs).map(([verb, entry]) => [`${noun} ${verb}`, entry] as const),
  ),
];

test("commands: every one loads, is described, and has sane flags and true examples", async () => {
  for (const [name, entry] of entries) {
    const { command } = await entry.load();
    const longs = command.options.map(({ long }) => long);
    assert.equal(new Set(longs).size, longs.length, `${name}: a flag is there twice`);
    const shorts = command.options.flatMap(({ short }) => short ?? []);
    assert.equal(new Set(shorts).size, shorts.length, `${name}: a short flag is there twice`);
    assert.deepEqual(
      longs.filter((long) => command.unsupported?.includes(long)),
      [],
      `${name}: supported and unsupported`,
    );
    assert.match(command.summary, /^[A-Z].*[^.]$/, name);
    assert.ok(command.examples.length > 0, `${name}: no example`);
    assert.ok(commandHelp(command, name).startsWith(`Usage:  teu ${name}`), name);
    // The noun is said by the table: a verb that says it too has it twice in its help.
    assert.doesNotMatch(commandHelp(command, name), /^Usage: +teu \w+ ([a-z]+) \1\b/, name);
    const hostname = command.options.some(({ short }) => short === "h");
    if (!hostname) assert.equal(readCommandInput(command, name, ["-h"]).flag("help"), true, name);
  }
});

test("commands: their examples can be read", async () => {
  for (const [name, entry] of Object.entries(COMMANDS)) {
    const { command } = await entry.load();
    for (const example of command.examples) {
      const words =
        example
          .split(/ [|<>] | \$\(/)[0]
          ?.split(" ")
          .slice(1) ?? [];
      if (words[0] !== name || /['$]/.test(example)) continue;
      readCommandInput(command, name, words.slice(1));
    }
  }
});

test("rootHelp: names every command and group", () => {
  const text = rootHelp();
  for (const name of [...Object.keys(COMMANDS), ...Object.keys(GROUPS)])
    assert.match(text, new RegExp(`^  ${name} `, "m"), name);
  assert.match(rootHelp("image"), /^Usage:  teu image COMMAND/);
});

test("environment: defaults, and each variable documented", () => {
  assert.deepEqual(readEnvironment({}), {
    root: "/var/lib/teu",
    runroot: "/run/teu",
    runtime: undefined,
    shim: undefined,
    debug: false,
    term: "",
    columns: undefined,
    registry: {},
    temporary: "/var/tmp",
    home: undefined,
    keyPassword: undefined,
    sourceDateEpoch: undefined,
  });
  assert.equal(readEnvironment({ TEU_DEBUG: "0" }).debug, false);
  assert.equal(readEnvironment({ TEU_DEBUG: "1", TEU_ROOT: "" }).debug, true);
  assert.equal(readEnvironment({ COSIGN_PASSWORD: "" }).keyPassword, "");
  for (const { doc } of ENVIRONMENT) assert.ok(doc.length > 10);
});

test("VERSION: the package's", () => {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  assert.equal((JSON.parse(text) as { version: string }).version, VERSION);
});
