// One process serves one root: two would be safe for the data, but each would answer "unknown" to uploads that the other has open.
// Commands that work beside a server (gc, verify, export, backup ...) need no lock.

import path from "node:path";
import { TeuError } from "@teu/base/errors";
import { FileLock } from "@teu/files/file-lock";

/** Takes the lock of a root; dispose it to give it back. @throws TeuError `conflict` when another process serves it. */
export function lockRoot(root: string): Disposable {
  const lock = FileLock.tryAcquire(path.join(root, "serve.lock"));
  if (lock !== null) return lock;
  throw new TeuError({
    code: "conflict",
    op: "open registry",
    subject: root,
    message: "another registry is serving this directory",
    hint: "stop it first, or give this one a directory of its own",
  });
}
