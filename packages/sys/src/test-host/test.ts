// What tests need of node:test, for running inside the host: tests are collected, then run one after the other, and reported as
// TAP. tools/host-test.ts puts this in the place of node:test. No groups, timeouts, mocks or parallel runs.
// portable: runs in QuickJS only.

import { print } from "sys:host";
import { exit } from "sys:process";

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

const counts = { passed: 0, failed: 0, skipped: 0 };
const jobs: (() => Promise<void>)[] = [];

/** Registers a test. */
export function test(name: string, options?: TestOptions | TestBody, body?: TestBody): void {
  const skip = typeof options === "object" ? options.skip : undefined;
  const run = typeof options === "function" ? options : body;
  jobs.push(() => runOne(name, skip, run ?? (() => {})));
}

async function runOne(name: string, skip: boolean | string | undefined, body: TestBody): Promise<void> {
  let skipped = skip === true ? "" : skip === false ? undefined : skip;
  const endings: (() => unknown)[] = [];
  const failures: unknown[] = [];
  const context: TestContext = {
    name,
    test: (inner, innerBody) => runOne(`${name}: ${inner}`, undefined, innerBody),
    skip: (reason) => {
      skipped = reason ?? "";
    },
    diagnostic: (text) => {
      print(`# ${text}`);
    },
    after: (action) => {
      endings.push(action);
    },
  };
  const attempt = async (step: () => unknown): Promise<void> => {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  };
  if (skipped === undefined) {
    await attempt(() => body(context));
    for (const ending of endings.toReversed()) await attempt(ending);
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

/**
 * Runs what was registered, prints the counts as the last line, and ends the process: 1 when something failed or nothing ran.
 *
 * @public called by the entry that tools/host-test.ts writes around each test file
 */
export async function finish(): Promise<never> {
  print("TAP version 13");
  for (const job of jobs) await job();
  print(`1..${counts.passed + counts.failed + counts.skipped}`);
  print(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return exit(counts.failed > 0 || counts.passed + counts.skipped === 0 ? 1 : 0);
}
