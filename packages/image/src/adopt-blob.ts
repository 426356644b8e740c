// Takes a blob over from a file that is on the same file system already, as a second link to it. It is read once, to verify it,
// and nothing is written.

import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { errnoOf } from "@teu/files/addon";
import { AT_FDCWD, AT_SYMLINK_FOLLOW } from "@teu/files/constants";
import { linkAt } from "@teu/files/entries";
import { syncDirectory } from "@teu/files/replace-file";

import type { BlobInfo } from "./content-store.ts";
import { createPoolDigester, digestAlgorithm } from "./digest.ts";

/** Hashed before the next look at whether to stop. */
const READ_BYTES = 16 << 20;
/** What says that a file cannot be linked to: another file system, one without links, too many of them, somebody else's file. */
const NO_LINK: ReadonlySet<string> = new Set(["EXDEV", "EPERM", "EOPNOTSUPP", "EMLINK", "ENOENT"]);

/**
 * Links the file `from` to `to`, the blob's place in a directory that is there; false when it has to be copied instead.
 * @throws TeuError `corrupt` when the file's content is not the blob.
 */
export async function adoptBlob(scope: Scope, from: string, to: string, blob: BlobInfo): Promise<boolean> {
  await using file = await openOwn(from, blob.size);
  if (file === null) return false;
  await verify(scope, file, blob);
  await file.sync();
  try {
    // By descriptor: what was verified is what gets the name, whatever has become of the path meanwhile.
    linkAt(AT_FDCWD, `/proc/self/fd/${file.fd}`, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
  } catch (error) {
    const errno = errnoOf(error) ?? "";
    if (NO_LINK.has(errno)) return false;
    if (errno !== "EEXIST") throw error;
  }
  await syncDirectory(dirname(to));
  return true;
}

/** The file, when nobody but this user could change it afterwards; null otherwise, and when it is of another size. */
async function openOwn(path: string, size: number): Promise<FileHandle | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    // Whoever copies it finds out what is wrong with it.
    return null;
  }
  const found = await file.stat();
  const own = found.uid === process.geteuid?.() && (found.mode & 0o022) === 0;
  if (found.isFile() && found.size === size && own) return file;
  await file.close();
  return null;
}

async function verify(scope: Scope, file: FileHandle, { digest, size }: BlobInfo): Promise<void> {
  const digester = createPoolDigester(digestAlgorithm(digest));
  while (digester.size < size) {
    scope.check("verify blob");
    const left = size - digester.size;
    if ((await digester.updateFromFile(file.fd, digester.size, Math.min(left, READ_BYTES))) === 0) break;
  }
  const found = digester.digest();
  if (found === digest) return;
  throw new TeuError({ code: "corrupt", op: "copy blob", subject: digest, message: `content has digest ${found}` });
}
