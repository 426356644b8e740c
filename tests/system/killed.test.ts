// Commands that move images are killed at random points: whatever is visible then is whole, the same command goes on and succeeds,
// and after a prune nothing is left of the killed ones.
// TEU_CRASH_ROUNDS says how many (default 6; `npm run test:crash`: 200), TEU_CRASH_SEED repeats a run. Needs root.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { UNABLE } from "./cli-harness.ts";
import { type Act, actsOf, forget } from "./killed/acts.ts";
import { brokenThings, leftovers } from "./killed/check-store.ts";
import { type Ended, type Kill, World } from "./killed/world.ts";

const ROUNDS = Number(process.env["TEU_CRASH_ROUNDS"] ?? 6);
const SEED = Number(process.env["TEU_CRASH_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** Of the kills this part is by the clock, the others between two steps. */
const BY_TIME = 0.3;

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Crashes {
  readonly world: World;
  readonly random = randomFrom(SEED);
  /** What acts took when nobody killed them: steps and milliseconds. */
  readonly costs = new Map<string, { steps: number; milliseconds: number }>();
  killed = 0;

  constructor(world: World) {
    this.world = world;
  }

  /** Kills before each commit of something: where files and rows that belong together are changed one after the other. */
  async eachCommit(act: Act): Promise<void> {
    await act.before();
    const { steps } = await this.world.run(act.args);
    const commits = steps.flatMap((step, index) =>
      step.endsWith(" COMMIT") && !steps[index - 1]?.includes(" BEGIN") ? [index + 1] : [],
    );
    assert.ok(commits.length > 0, `${act.name} commits nothing`);
    for (const step of commits) await this.round(act, { step });
  }

  async round(act: Act, kill: Kill = this.#kill(act)): Promise<void> {
    await act.before();
    const ended = await this.#besides(() => this.world.run(act.args, kill));
    const told = `${act.name}, killed ${JSON.stringify(kill)} after ${ended.steps.slice(-3).join(" | ")}`;
    if (ended.killed) this.killed++;
    else assert.equal(ended.code, 0, `${told}: ${ended.text}`);
    await this.#whole(told);
    await act.afterKill?.();
    if (this.random() < 0.3) await this.#prunedClean(told);
    if (ended.killed) {
      const again = await this.world.run(act.again ?? act.args);
      assert.equal(again.code, 0, `again: ${told}: ${again.text}`);
      if (act.again === undefined)
        this.costs.set(act.name, { steps: again.steps.length, milliseconds: again.milliseconds });
      await this.#whole(`again: ${told}`);
    }
    await act.afterAll?.();
    await this.#prunedClean(told);
  }

  /** At the very end nothing is needed, and so nothing is left. */
  async end(): Promise<void> {
    await forget(this.world);
    await this.#prunedClean("the end");
    const { root } = this.world.places;
    for (const name of ["content/blobs/sha256", "snapshots/layers", "snapshots/workspaces", "containers"])
      assert.deepEqual(existsSync(`${root}/${name}`) ? readdirSync(`${root}/${name}`) : [], [], name);
  }

  #kill(act: Act): Kill {
    const { steps, milliseconds } = this.costs.get(act.name) ?? { steps: 80, milliseconds: 400 };
    return this.random() < BY_TIME
      ? { after: Math.floor(this.random() * milliseconds) }
      : { step: 1 + Math.floor(this.random() * steps) };
  }

  /** Now and then somebody prunes meanwhile. */
  async #besides(run: () => Promise<Ended>): Promise<Ended> {
    if (this.random() > 0.2) return await run();
    let over = false;
    const pruning = (async () => {
      await using engine = await this.world.engine();
      while (!over) {
        await engine.prune(this.world.scope, { images: "none", containers: false });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    try {
      return await run();
    } finally {
      over = true;
      await pruning;
    }
  }

  async #whole(told: string): Promise<void> {
    assert.deepEqual(await brokenThings(this.world.scope, this.world.places, this.world.known), [], told);
  }

  async #prunedClean(told: string): Promise<void> {
    await using engine = await this.world.engine();
    await engine.prune(this.world.scope, { images: "none", containers: false });
    assert.deepEqual(leftovers(this.world.places), [], told);
  }
}

test("killed: before each commit of what makes and removes directories with rows", { skip: UNABLE }, async () => {
  await using world = await World.open();
  const crashes = new Crashes(world);
  for (const act of actsOf(world, 0)) if (["create", "rmi"].includes(act.name)) await crashes.eachCommit(act);
  await crashes.end();
});

test(`killed: ${ROUNDS} commands at random points (seed ${SEED})`, { skip: UNABLE }, async (t) => {
  await using world = await World.open();
  const crashes = new Crashes(world);
  let acts: Act[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Every act once before any comes again.
    if (acts.length === 0) acts = actsOf(world, round);
    const [act] = acts.splice(Math.floor(crashes.random() * acts.length), 1);
    if (act !== undefined) await crashes.round(act);
  }
  await crashes.end();
  t.diagnostic(`${crashes.killed} of ${ROUNDS} killed`);
  // Of a few none may be hit.
  if (ROUNDS >= 50) assert.ok(crashes.killed > ROUNDS / 4, "hardly any command was killed");
});
