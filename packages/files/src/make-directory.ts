// Makes a directory with its parents. Not node's `recursive`: that one never returns where the kernel answers ENOENT to new names
// whose parent exists (/proc, /sys), and any directory that a user names may be such a place.

import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes what is missing of a path, every new level with `mode`; true when the directory is new.
 * Fails with the system's error (`NodeJS.ErrnoException`), so that callers say what it was for.
 */
export function makeDirectory(directory: string, mode: number): boolean {
  if (tryMake(directory, mode)) return true;
  if (isDirectory(directory)) return false;
  const parent = dirname(directory);
  if (parent !== directory) makeDirectory(parent, mode);
  // Once more: either it works now, or the system says why not. Another process may have been quicker.
  try {
    mkdirSync(directory, { mode });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && isDirectory(directory)) return false;
    throw error;
  }
}

function tryMake(directory: string, mode: number): boolean {
  try {
    mkdirSync(directory, { mode });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EEXIST") return false;
    throw error;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
