// Takes a blob over from a file that is on the same file system already, as a second link to it. It is read once, to verify it,
// and nothing is written.

import { closeSync, constants, fdatasync, fstatSync, openSync } from "node:fs";

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { errnoOf, fileError } from "@teu/files/addon";
import { AT_FDCWD, AT_SYMLINK_FOLLOW } from "@teu/files/constants";
import { linkAt } from "@teu/files/entries";

import type { BlobInfo } from "./content-store.ts";
import { createPoolDigester, digestAlgorithm } from "./digest.ts";

/** Hashed before the next look at whether to stop, and before another blob's turn. */
const TURN_BYTES = 4 << 20;
/** What says that a file cannot be linked to: another file system, one without links, too many of them, somebody else's file. */
const NO_LINK: ReadonlySet<string> = new Set(["EXDEV", "EPERM", "EOPNOTSUPP", "EMLINK", "ENOENT"]);

/**
 * Links the file `from` to `to`, the blob's place in a directory that is there; false when it has to be copied instead. The content
 * survives a crash then; the name does when the caller has synced the directory.
 * @throws TeuError `corrupt` when the file's content is not the blob.
 */
export async function adoptBlob(scope: Scope, from: string, to: string, blob: BlobInfo): Promise<boolean> {
  // Opened, looked at, linked and closed by synchronous calls: each takes microseconds, and a turn through the thread pool, where
  // other blobs are hashed, as long as those take.
  const fd = openOwn(from, blob.size);
  if (fd === null) return false;
  try {
    await verify(scope, fd, blob);
    await syncContent(fd, blob);
    // By descriptor: what was verified is what gets the name, whatever has become of the path meanwhile.
    linkAt(AT_FDCWD, `/proc/self/fd/${fd}`, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
    return true;
  } catch (error) {
    const errno = errnoOf(error) ?? "";
    if (NO_LINK.has(errno)) return false;
    if (errno === "EEXIST") return true;
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** The file, when nobody but this user could change it afterwards; null otherwise, and when it is of another size. */
function openOwn(path: string, size: number): number | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    // Whoever copies it finds out what is wrong with it.
    return null;
  }
  const found = fstatSync(fd);
  const own = found.uid === process.geteuid?.() && (found.mode & 0o022) === 0;
  if (found.isFile() && found.size === size && own) return fd;
  closeSync(fd);
  return null;
}

async function verify(scope: Scope, fd: number, { digest, size }: BlobInfo): Promise<void> {
  const digester = createPoolDigester(digestAlgorithm(digest));
  while (digester.size < size) {
    scope.check("verify blob");
    const left = size - digester.size;
    if ((await digester.updateFromFile(fd, digester.size, Math.min(left, TURN_BYTES))) === 0) break;
  }
  const found = digester.digest();
  if (found === digest) return;
  throw new TeuError({ code: "corrupt", op: "copy blob", subject: digest, message: `content has digest ${found}` });
}

/** Whoever has written the file need not have synced it. Not its times and links, which would wait for the journal. */
function syncContent(fd: number, { digest }: BlobInfo): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => (error === null ? resolve() : reject(fileError("copy blob", digest, error))));
  });
}
