// A value that is made when it is first asked for, and once.

import type { Scope } from "@teu/base/scope";

/** Calls `make` at the first call and remembers the result; a failure is not remembered: the next caller tries again. */
export function once<T>(make: (scope: Scope) => Promise<T>): (scope: Scope) => Promise<T> {
  let made: Promise<T> | undefined;
  return (scope) => {
    made ??= make(scope).catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
