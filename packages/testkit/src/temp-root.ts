// A directory for one test, gone when the test is over.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

/** A temporary directory. Disposing removes it with all that is in it. */
export interface TempRoot extends AsyncDisposable {
  readonly path: string;
  /** A path below it. */
  join(...parts: readonly string[]): string;
}

/** Makes one. */
export async function tempRoot(): Promise<TempRoot> {
  const root = await mkdtemp(path.join(tmpdir(), "teu-test-"));
  return {
    path: root,
    join: (...parts) => path.join(root, ...parts),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}
