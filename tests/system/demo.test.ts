// `npm start`'s demonstration as a user meets it: told to its end, stopped by Ctrl-C in each of its steps, twice at once.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempDisposableSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { containerCgroups, leftBehind } from "../../tools/demo/left-behind.ts";

const DEMO = join(import.meta.dirname, "../../tools/demo.ts");

interface Ending {
  readonly code: number | null;
  readonly text: string;
}

/** Runs the demonstration in a process group of its own; `watch` sees all output so far at each new piece. */
function demo(watch: (text: string, child: ChildProcess) => void = () => {}, temporary = tmpdir()): Promise<Ending> {
  const child = spawn(process.execPath, [DEMO], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: { ...process.env, NO_COLOR: "1", TMPDIR: temporary },
  });
  let text = "";
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        watch(text, child);
      });
    }
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code, text });
    });
  });
}

test("demo: proves what it claims and leaves nothing when told to its end", async () => {
  const { code, text } = await demo();
  assert.equal(code, 0, text);
  assert.match(text, /Proved in/);
  assert.match(text, /exit code 42, as the program wanted/);
  assert.match(text, /nothing is left/);
});

for (const step of [1, 2, 3, 4, 5, 6, 7]) {
  test(`demo: exit code 130 and nothing left when Ctrl-C comes in step ${step}`, async () => {
    let sent = false;
    const before = containerCgroups();
    using temporary = mkdtempDisposableSync(join(tmpdir(), "teu-test-"));
    const { code, text } = await demo((soFar, child) => {
      // After the step's first command is shown, and to the whole group, as a terminal does it.
      if (sent || !new RegExp(`^${step}\\. .*\\n   \\$ `, "m").test(soFar) || child.pid === undefined) return;
      sent = true;
      process.kill(-child.pid, "SIGINT");
    }, temporary.path);
    assert.ok(sent, text);
    assert.equal(code, 130, text);
    assert.match(text, /stopped by SIGINT/);
    // The demonstration has looked already; looked at again from outside, since it might not have got so far.
    // Every name of its begins so.
    assert.deepEqual(await leftBehind(join(temporary.path, "teu-demo-"), before), []);
    assert.deepEqual(readdirSync(temporary.path), []);
  });
}

test("demo: two at once do not disturb each other", async () => {
  const endings = await Promise.all([demo(), demo()]);
  for (const { code, text } of endings) assert.equal(code, 0, text);
});
