// Where the policy is. No file at all means that everything is taken, as Docker does; a file that cannot be read means that nothing is.

import { lstat } from "node:fs/promises";
import { join } from "node:path";

import { isTeuError, TeuError } from "@teu/base/errors";

import { readLimitedFile } from "../limited-file.ts";
import { LARGEST_POLICY, parsePolicy } from "./parse-policy.ts";
import type { SignaturePolicy } from "./policy.ts";

/** Files that are looked for, the first one counts. */
export function policyFiles(home: string | undefined): readonly string[] {
  const own = home?.startsWith("/") === true ? [join(home, ".config/containers/policy.json")] : [];
  return [...own, "/etc/containers/policy.json"];
}

/** The policy of a file that must be there. @throws TeuError `not-found`, `invalid`, `denied`. */
export async function readPolicy(file: string): Promise<SignaturePolicy> {
  const bytes = await bytesOf(file);
  if (bytes !== null) return parsePolicy(bytes, file);
  throw unreadable("not-found", file, "no such file");
}

/** The first policy that there is; null: none. */
export async function findPolicy(files: readonly string[]): Promise<SignaturePolicy | null> {
  for (const file of files) {
    const bytes = await bytesOf(file);
    if (bytes !== null) return parsePolicy(bytes, file);
  }
  return null;
}

/** A file of at most `limit` bytes; null: there is none. @throws TeuError for one that cannot be read, a link to nowhere among them. */
async function bytesOf(file: string): Promise<Uint8Array | null> {
  try {
    return await readLimitedFile(file, LARGEST_POLICY);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined || isTeuError(cause)) throw cause;
    // Somebody wanted a policy there: a broken link does not turn it off.
    if ((code === "ENOENT" || code === "ENOTDIR") && !(await isThere(file))) return null;
    throw unreadable(code === "EACCES" ? "denied" : "unavailable", file, "it cannot be read", cause);
  }
}

async function isThere(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}

function unreadable(
  code: "not-found" | "denied" | "unavailable",
  file: string,
  message: string,
  cause?: unknown,
): TeuError {
  return new TeuError({
    code,
    op: "read",
    subject: file,
    message,
    ...(cause === undefined ? {} : { cause }),
  });
}
