// What tests use of node:assert/strict, for running inside the host. Same names, same meaning, shorter messages.
// portable: no host types here.

/** Thrown when an assertion does not hold. */
class AssertionError extends Error {
  override readonly name = "AssertionError";
}

type Expected =
  | RegExp
  | ((error: unknown) => unknown)
  | (new (...args: never[]) => Error)
  | Readonly<Record<string, unknown>>;

function fail(message: string | undefined, otherwise: string): never {
  throw new AssertionError(message ?? otherwise);
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Error || typeof value !== "object" || value === null) return String(value);
  if (value instanceof Map || value instanceof Set) return `${value.constructor.name} ${show([...value])}`;
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? `${inner}n` : inner)) ?? "?";
}

/** Strict deep equality as node:assert has it: same prototype, same own enumerable properties; -0 is not 0, NaN is NaN. */
function isDeepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (a instanceof RegExp && b instanceof RegExp) return String(a) === String(b);
  if (a instanceof Error && b instanceof Error && (a.name !== b.name || a.message !== b.message)) return false;
  if (a instanceof Set && b instanceof Set) return isSameList([...a], [...b]);
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && isDeepEqual(value, b.get(key)));
  }
  return isSameRecord(a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>);
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((one) => b.some((other) => isDeepEqual(one, other)));
}

function isSameRecord(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  const [left, right] = [Object.keys(a), Object.keys(b)];
  if (left.length !== right.length || (Array.isArray(a) && a.length !== (b as { length?: unknown }).length))
    return false;
  return left.every((key) => Object.hasOwn(b, key) && isDeepEqual(a[key], b[key]));
}

function checkThrown(error: unknown, expected: Expected | undefined, message: string | undefined): void {
  if (expected === undefined) return;
  if (expected instanceof RegExp) {
    if (!expected.test(String(error))) fail(message, `${String(error)} does not match ${String(expected)}`);
  } else if (typeof expected === "object") {
    for (const [key, want] of Object.entries(expected)) {
      const got = (error as Readonly<Record<string, unknown>>)[key];
      const same = want instanceof RegExp && typeof got === "string" ? want.test(got) : isDeepEqual(got, want);
      if (!same) fail(message, `thrown ${String(error)}: ${key} is ${show(got)}, want ${show(want)}`);
    }
  } else if (expected.prototype instanceof Error || expected === (Error as unknown)) {
    if (!(error instanceof (expected as new () => Error))) throw error;
  } else if ((expected as (error: unknown) => unknown)(error) !== true) {
    fail(message, `thrown ${String(error)} is not what was expected`);
  }
}

/** The assertions of node:assert/strict that tests use. */
export interface Assert {
  (value: unknown, message?: string): asserts value;
  ok(value: unknown, message?: string): asserts value;
  equal(actual: unknown, expected: unknown, message?: string): void;
  notEqual(actual: unknown, expected: unknown, message?: string): void;
  deepEqual(actual: unknown, expected: unknown, message?: string): void;
  notDeepEqual(actual: unknown, expected: unknown, message?: string): void;
  match(text: string, pattern: RegExp, message?: string): void;
  doesNotMatch(text: string, pattern: RegExp, message?: string): void;
  fail(message?: string): never;
  throws(body: () => unknown, expected?: Expected | string, message?: string): void;
  doesNotThrow(body: () => unknown): void;
  rejects(
    body: Promise<unknown> | (() => Promise<unknown>),
    expected?: Expected | string,
    message?: string,
  ): Promise<void>;
}

function ok(value: unknown, message?: string): void {
  if (!value) fail(message, `${show(value)} is not true`);
}

/** The default export of node:assert/strict. */
export const assert: Assert = Object.assign(ok, {
  ok,
  equal: (actual: unknown, expected: unknown, message?: string): void => {
    if (!Object.is(actual, expected)) fail(message, `${show(actual)} is not ${show(expected)}`);
  },
  notEqual: (actual: unknown, expected: unknown, message?: string): void => {
    if (Object.is(actual, expected)) fail(message, `${show(actual)} is what it must not be`);
  },
  deepEqual: (actual: unknown, expected: unknown, message?: string): void => {
    if (!isDeepEqual(actual, expected)) fail(message, `got  ${show(actual)}\nwant ${show(expected)}`);
  },
  notDeepEqual: (actual: unknown, expected: unknown, message?: string): void => {
    if (isDeepEqual(actual, expected)) fail(message, `${show(actual)} is what it must not be`);
  },
  match: (text: string, pattern: RegExp, message?: string): void => {
    if (!pattern.test(text)) fail(message, `${show(text)} does not match ${String(pattern)}`);
  },
  doesNotMatch: (text: string, pattern: RegExp, message?: string): void => {
    if (pattern.test(text)) fail(message, `${show(text)} matches ${String(pattern)}`);
  },
  fail: (message?: string): never => fail(message, "failed"),
  throws: (body: () => unknown, expected?: Expected | string, message?: string): void => {
    const want = typeof expected === "string" ? undefined : expected;
    try {
      body();
    } catch (error) {
      checkThrown(error, want, message);
      return;
    }
    fail(message, "nothing was thrown");
  },
  doesNotThrow: (body: () => unknown): void => {
    body();
  },
  rejects: async (
    body: Promise<unknown> | (() => Promise<unknown>),
    expected?: Expected | string,
    message?: string,
  ): Promise<void> => {
    const want = typeof expected === "string" ? undefined : expected;
    try {
      await (typeof body === "function" ? body() : body);
    } catch (error) {
      checkThrown(error, want, message);
      return;
    }
    fail(message, "was not rejected");
  },
});
