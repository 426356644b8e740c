import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { createScope, type Log, silentLog } from "@teu/base/scope";
import type { AccessAction, AccessDecision } from "@teu/distribution/server/access";
import { tempRoot } from "@teu/testkit/temp-root";
import { hashSync } from "bcryptjs";

import { AccessDesk } from "./access-desk.ts";

const ANN = `ann:${hashSync("right", 4)}`;
const BOB = `bob:${hashSync("pässwörd:x", 4)}`;

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

// A clock that tests move, and a log that they read.
function setting(): { scope: ReturnType<typeof createScope>; clock: { now: number }; lines: string[] } {
  const clock = { now: 0 };
  const lines: string[] = [];
  const log: Log = { ...silentLog, warn: (message) => lines.push(message), info: (message) => lines.push(message) };
  return { scope: createScope({ log, now: () => clock.now }), clock, lines };
}

async function ask(desk: AccessDesk, authorization?: string, action: AccessAction = "push"): Promise<AccessDecision> {
  const headers = authorization === undefined ? {} : { authorization };
  return desk.access.decide(createScope(), { headers }, { action, repository: "a" });
}

test("GuardedAccess: lets in who knows the password, and nobody else", async () => {
  await using root = await tempRoot();
  await writeFile(root.join("users"), `${ANN}\n${BOB}\n`);
  await using desk = await AccessDesk.open(createScope(), { htpasswd: root.join("users") });
  assert.deepEqual(await ask(desk, basic("ann", "right")), { allowed: true, identity: { name: "ann" } });
  assert.deepEqual(await ask(desk, basic("bob", "pässwörd:x").replace("Basic", "bASIC ")), {
    allowed: true,
    identity: { name: "bob" },
  });
  const refused = [
    undefined,
    "",
    "Basic",
    "Basic ???",
    "Bearer abc",
    basic("ann", "wrong"),
    basic("ann", ""),
    basic("ann", "right\0"),
    basic("nobody", "right"),
    basic("", "right"),
    basic("ANN", "right"),
    `Basic ${Buffer.from("ann").toString("base64")}`,
    `${basic("ann", "right")}, ${basic("ann", "right")}`,
  ];
  for (const header of refused) {
    const decision = await ask(desk, header, "pull");
    assert.equal(decision.allowed, false, header);
    assert.match((decision as { challenge?: string }).challenge ?? "", /^Basic realm="/, header);
  }
});

test("GuardedAccess: with anonymousPull, pulls need nothing, but wrong passwords stay wrong", async () => {
  await using root = await tempRoot();
  await writeFile(root.join("users"), ANN);
  await using desk = await AccessDesk.open(createScope(), { htpasswd: root.join("users"), anonymousPull: true });
  const allowed = async (header: string | undefined, action: AccessAction): Promise<boolean> =>
    (await ask(desk, header, action)).allowed;
  assert.equal(await allowed(undefined, "pull"), true);
  assert.equal(await allowed("Basic Og==", "pull"), true);
  assert.equal(await allowed(basic("ann", "wrong"), "pull"), false);
  assert.equal(await allowed("Bearer x", "pull"), false);
  for (const action of ["any", "push", "delete", "catalog"] as const) {
    assert.equal(await allowed(undefined, action), false, action);
    assert.equal(await allowed(basic("ann", "right"), action), true, action);
  }
});

test("GuardedAccess: computes once what many requests ask at once, and remembers what was right", async () => {
  await using root = await tempRoot();
  await writeFile(root.join("users"), `ann:${hashSync("right", 10)}`);
  await using desk = await AccessDesk.open(createScope(), { htpasswd: root.join("users") });
  // More than may wait for the thread.
  const decisions = await Promise.all(Array.from({ length: 100 }, () => ask(desk, basic("ann", "right"))));
  assert.ok(decisions.every(({ allowed }) => allowed));
  const timed = async (header: string): Promise<number> => {
    const from = process.cpuUsage();
    await ask(desk, header);
    const { user, system } = process.cpuUsage(from);
    return user + system;
  };
  const [wrong, right] = [await timed(basic("ann", "wrong")), await timed(basic("ann", "right"))];
  assert.ok(right < wrong / 4, `${right} us of CPU for what is remembered, ${wrong} for a check`);
});

test("GuardedAccess: a user that does not exist costs as much as one that does, and the event loop goes on", async () => {
  await using root = await tempRoot();
  await writeFile(root.join("users"), `${ANN}\nbob:${hashSync("right", 10)}`);
  await using desk = await AccessDesk.open(createScope(), { htpasswd: root.join("users") });
  await ask(desk, basic("bob", "first"));
  // CPU time, which a busy machine does not change, and in turns.
  const least = { known: Number.POSITIVE_INFINITY, unknown: Number.POSITIVE_INFINITY };
  const measure = async (kind: keyof typeof least, header: string): Promise<void> => {
    const from = process.cpuUsage();
    await ask(desk, header);
    const { user, system } = process.cpuUsage(from);
    least[kind] = Math.min(least[kind], user + system);
  };
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 5);
  for (let i = 0; i < 5; i++) {
    await measure("known", basic("bob", `wrong${i}`));
    await measure("unknown", basic("nobody", `wrong${i}`));
  }
  clearInterval(ticking);
  const { known, unknown } = least;
  assert.ok(unknown > known / 2 && unknown < known * 2, `${known} us, ${unknown} us`);
  assert.ok(ticks > 20, `${ticks} turns of the event loop meanwhile`);
});

test("GuardedAccess: too many different passwords at once are told to come back", async () => {
  await using root = await tempRoot();
  await writeFile(root.join("users"), `ann:${hashSync("right", 8)}`);
  await using desk = await AccessDesk.open(createScope(), {
    htpasswd: root.join("users"),
    attempts: { perUser: 1000, perAddress: 1000 },
  });
  const tries = Array.from({ length: 64 }, (_, n) => ask(desk, basic("ann", `wrong${n}`)));
  const decisions = await Promise.all(tries);
  assert.ok(decisions.some((decision) => !decision.allowed && decision.retryAfter === 1));
  assert.ok(decisions.every(({ allowed }) => !allowed));
  assert.equal((await ask(desk, basic("ann", "right"))).allowed, true);
});

test("GuardedAccess: reads the file again when it changes; removed users and old passwords are out", async () => {
  await using root = await tempRoot();
  const { scope, clock, lines } = setting();
  const file = root.join("users");
  await writeFile(file, `${ANN}\n${BOB}`);
  await using desk = await AccessDesk.open(scope, { htpasswd: file });
  const allowed = async (user: string, password: string): Promise<boolean> => {
    clock.now += 1000;
    const request = { action: "pull", repository: "a" } as const;
    return (await desk.access.decide(scope, { headers: { authorization: basic(user, password) } }, request)).allowed;
  };
  assert.deepEqual([await allowed("ann", "right"), await allowed("bob", "pässwörd:x")], [true, true]);
  await writeFile(file, `ann:${hashSync("new", 4)}`);
  assert.deepEqual([await allowed("ann", "right"), await allowed("bob", "pässwörd:x")], [false, false]);
  assert.equal(await allowed("ann", "new"), true);
  assert.deepEqual(lines, ["passwords were read again"]);
  // What cannot be understood, and what is gone, changes nothing, and is said once.
  await writeFile(file, "ann:plain");
  assert.deepEqual([await allowed("ann", "new"), await allowed("ann", "plain")], [true, false]);
  await rm(file);
  assert.deepEqual([await allowed("ann", "new"), await allowed("ann", "new")], [true, true]);
  assert.deepEqual(lines.slice(1), ["passwords stay as they were", "passwords stay as they were"]);
  await writeFile(file, ANN);
  assert.deepEqual([await allowed("ann", "new"), await allowed("ann", "right")], [false, true]);
});

test("AccessDesk.open: not-found without the file, invalid for other hashes than bcrypt", async () => {
  await using root = await tempRoot();
  await assert.rejects(AccessDesk.open(createScope(), { htpasswd: root.join("missing") }), { code: "not-found" });
  await writeFile(root.join("users"), "ann:{SHA}x");
  await assert.rejects(AccessDesk.open(createScope(), { htpasswd: root.join("users") }), { code: "invalid" });
});

test("GuardedAccess: closing ends checks under way", async () => {
  await using root = await tempRoot();
  await writeFile(root.join("users"), `ann:${hashSync("right", 12)}`);
  const desk = await AccessDesk.open(createScope(), { htpasswd: root.join("users") });
  const refused = assert.rejects(ask(desk, basic("ann", "right")), { code: "cancelled" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  await desk[Symbol.asyncDispose]();
  await refused;
});
