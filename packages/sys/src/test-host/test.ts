// What tests need of node:test, for running inside the host: tests are collected, then run one after the other, and reported as
// TAP. tools/host-test.ts puts this in the place of node:test. No timeouts, no mocks, no parallel runs.
// portable: runs in QuickJS only.

import { exit } from "sys:process";
import { print } from "sys:host";

/** What a test function is given: subtests, skipping, and what is to be done at its end. */
export interface TestContext {
  readonly name: string;
  test(name: string, body: TestBody): Promise<void>;
  skip(reason?: string): void;
  diagnostic(text: string): void;
  after(action: () => unknown): void;
}

/** A test, synchronous or not. */
export type TestBody = (context: TestContext) => unknown;

/** `skip`: a reason, or true. */
export interface TestOptions {
  readonly skip?: boolean | string;
}

type Hook = () => unknown;
interface Suite {
  readonly prefix: string;
  readonly before: Hook[];
  readonly after: Hook[];
  readonly beforeEach: Hook[];
  readonly afterEach: Hook[];
}
type Job = () => Promise<void>;

const newSuite = (prefix: string): Suite => ({ prefix, before: [], after: [], beforeEach: [], afterEach: [] });
const counts = { passed: 0, failed: 0, skipped: 0 };
const jobs: Job[] = [];
let suite = newSuite("");
let queue = jobs;

function add(name: string, options: TestOptions | TestBody | undefined, body: TestBody | undefined): void {
  const skip = typeof options === "object" ? options.skip : undefined;
  const run = typeof options === "function" ? options : body;
  const owner = suite;
  queue.push(() => runOne(owner, owner.prefix + name, skip, run ?? (() => {})));
}

/** Registers a test. */
export function test(name: string, options?: TestOptions | TestBody, body?: TestBody): void {
  add(name, options, body);
}

/** The same as `test`. */
export const it: typeof test = test;

/** Registers a group of tests; its name goes before theirs. */
export function describe(name: string, body: () => void): void {
  const [outer, outerQueue] = [suite, queue];
  const inner = newSuite(`${outer.prefix}${name}: `);
  const own: Job[] = [];
  inner.beforeEach.push(...outer.beforeEach);
  inner.afterEach.push(...outer.afterEach);
  [suite, queue] = [inner, own];
  body();
  [suite, queue] = [outer, outerQueue];
  queue.push(async () => {
    for (const hook of inner.before) await hook();
    for (const job of own) await job();
    for (const hook of inner.after) await hook();
  });
}

/** Before the first test of the group. */
export function before(hook: Hook): void { suite.before.push(hook); }
/** After the last test of the group. */
export function after(hook: Hook): void { suite.after.push(hook); }
/** Before each test of the group. */
export function beforeEach(hook: Hook): void { suite.beforeEach.push(hook); }
/** After each test of the group. */
export function afterEach(hook: Hook): void { suite.afterEach.push(hook); }

async function runOne(owner: Suite, name: string, skip: boolean | string | undefined, body: TestBody): Promise<void> {
  let skipped = skip === true ? "" : skip === false ? undefined : skip;
  const endings: Hook[] = [];
  const context: TestContext = {
    name,
    test: (inner, innerBody) => runOne(owner, `${name}: ${inner}`, undefined, innerBody),
    skip: (reason) => { skipped = reason ?? ""; },
    diagnostic: (text) => { print(`# ${text}`); },
    after: (action) => { endings.push(action); },
  };
  const failures: unknown[] = [];
  const attempt = async (step: () => unknown): Promise<void> => {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  };
  if (skipped === undefined) {
    for (const hook of owner.beforeEach) await attempt(hook);
    if (failures.length === 0) await attempt(() => body(context));
    for (const ending of endings.reverse()) await attempt(ending);
    for (const hook of owner.afterEach) await attempt(hook);
  }
  report(name, failures, skipped);
}

function report(name: string, failures: readonly unknown[], skipped: string | undefined): void {
  const number = counts.passed + counts.failed + counts.skipped + 1;
  if (failures.length > 0) {
    counts.failed++;
    print(`not ok ${number} - ${name}`);
    for (const error of failures) print(describeError(error).replaceAll(/^/gm, "  # "));
  } else if (skipped !== undefined) {
    counts.skipped++;
    print(`ok ${number} - ${name} # SKIP ${skipped}`);
  } else {
    counts.passed++;
    print(`ok ${number} - ${name}`);
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ""}`.trimEnd() : String(error);
}

/** Runs what was registered, prints the counts as the last line, and ends the process: 1 when something failed or nothing ran. */
export async function finish(): Promise<never> {
  print("TAP version 13");
  for (const hook of suite.before) await hook();
  for (const job of jobs) await job();
  for (const hook of suite.after) await hook();
  print(`1..${counts.passed + counts.failed + counts.skipped}`);
  print(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return exit(counts.failed > 0 || counts.passed + counts.skipped === 0 ? 1 : 0);
}
