import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { rawRequest } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

import { collect } from "./admin/collect.ts";
import { OpenRoot } from "./admin/open-root.ts";
import { CLOCK_NOTE, timeBeside } from "./clock-note.ts";
import { Registry } from "./registry.ts";

const DAY = 86_400_000;

test("timeBeside: the server's time while it serves on this start of the system, else the clock's", async () => {
  await using root = await tempRoot();
  const scope = createScope({ now: () => 10 * DAY });
  const at = (passed: number, boot: string | null = "a"): number => timeBeside(scope, root.path, { boot, passed });
  assert.equal(at(5000), 10 * DAY, "no server");
  writeFileSync(root.join(CLOCK_NOTE), JSON.stringify({ boot: "a", passed: 5000, time: DAY }));
  assert.equal(at(65_000), DAY + 60_000, "the clock was set forward");
  assert.equal(at(65_000, "b"), 10 * DAY, "another start of the system");
  assert.equal(at(65_000, null), 10 * DAY);
  assert.equal(at(4000), 10 * DAY, "before it was written");
  assert.equal(at(1_000_000), 10 * DAY, "nobody has written for long");
  writeFileSync(root.join(CLOCK_NOTE), JSON.stringify({ boot: "a", passed: 5000, time: 20 * DAY }));
  assert.equal(at(65_000), 10 * DAY, "the clock was set back since");
  for (const text of ["", "null", "[]", '{"boot":"a"}', "{"]) {
    writeFileSync(root.join(CLOCK_NOTE), text);
    assert.equal(at(65_000), 10 * DAY, text);
  }
});

test("collect: a clock that was set forward while the server runs makes nothing old, in no process", async () => {
  await using root = await tempRoot();
  const clock = { ahead: 0 };
  const scope = createScope({ now: () => Date.now() + clock.ahead });
  const text = "unused so far";
  {
    await using registry = await Registry.listen({ root: root.path, scope, sweepInterval: 0 });
    const url = `${registry.url}/v2/a/blobs/uploads/?digest=${digestOf(text)}`;
    assert.equal((await rawRequest(url, { method: "POST", body: text })).status, 201);
    clock.ahead = 2 * DAY;
    await using opened = await OpenRoot.open(scope, root.path);
    const options = { grace: DAY, uploadExpiry: DAY, untagged: false };
    const { blobs } = await collect(scope, opened, { ...options, now: timeBeside(scope, root.path) });
    assert.equal(blobs, 0);
    assert.equal(typeof (JSON.parse(readFileSync(root.join(CLOCK_NOTE), "utf8")) as { time: unknown }).time, "number");
  }
  assert.ok(!existsSync(root.join(CLOCK_NOTE)), "it serves no more");
  await using opened = await OpenRoot.open(scope, root.path);
  const options = { grace: DAY, uploadExpiry: DAY, untagged: false, now: timeBeside(scope, root.path) };
  assert.equal((await collect(scope, opened, options)).blobs, 1, "without a server the clock counts");
});
