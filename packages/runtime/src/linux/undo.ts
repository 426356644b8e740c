// A stack of steps to take back. The kernel-side engine has no DisposableStack.
// portable: no host types here.

/** Push what undoes each step; `run` takes them back, last first. */
export class Undo {
  readonly #steps: (() => void)[] = [];

  push(step: () => void): void {
    this.#steps.push(step);
  }

  /** Takes back everything; a step that fails does not stop the others. Returns the failures, since the original error is the one to tell. */
  run(): unknown[] {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        step();
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }
}
