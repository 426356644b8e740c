// A file under another name: a hard link where that is wanted and possible, else a copy, which shares its blocks where the file
// system can do that. A copy is on disk when this returns; its name is the caller's to sync.

import { copyFile, constants, link, open } from "node:fs/promises";

import { isErrno } from "./file-error.ts";

/** How to bring a file. */
export interface BringOptions {
  /** Make a hard link if the file system allows it. */
  readonly link: boolean;
  /** Of a copy. */
  readonly mode: number;
}

/** Brings `from` to `to`, which must not be there. */
export async function bringFile(from: string, to: string, options: BringOptions): Promise<void> {
  if (options.link && (await linked(from, to))) return;
  await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  const handle = await open(to, "r+");
  try {
    await handle.chmod(options.mode);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    // Another file system, one without links, too many links, or protected_hardlinks.
    if (["EXDEV", "EPERM", "EMLINK", "ENOTSUP"].some((name) => isErrno(error, name))) return false;
    throw error;
  }
}
