// .dockerignore: which files of the context do not exist for a build. `<Dockerfile>.dockerignore` beside the Dockerfile wins over the one at the root.

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import dockerignore from "@balena/dockerignore";
import { TeuError } from "@teu/base/errors";

/** Rules of one ignore file. */
export interface IgnoreRules {
  /** Whether a path ("a/b", no leading slash) is left out. */
  ignores(path: string): boolean;
  /** Whether everything below an ignored directory is left out too: no `!` rule can bring something back. */
  readonly prunable: boolean;
}

/** Rules that leave out nothing. */
export const IGNORE_NOTHING: IgnoreRules = { ignores: () => false, prunable: true };

const LARGEST = 1 << 20;

/** Rules from the text of an ignore file. */
export function parseIgnoreFile(text: string): IgnoreRules {
  const lines = (text.startsWith("\ufeff") ? text.slice(1) : text).split(/\r?\n/);
  const patterns = lines
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.trim())
    .filter((line) => line !== "" && line !== "." && line !== "/");
  if (patterns.length === 0) return IGNORE_NOTHING;
  // File names are case-sensitive; the library's default is not.
  const matcher = dockerignore.default({ ignorecase: false }).add(patterns);
  return {
    ignores: (path) => path !== "" && matcher.ignores(path),
    prunable: !patterns.some((pattern) => pattern.startsWith("!")),
  };
}

/**
 * The rules for a build; `dockerfile` is an absolute path, or null when it is not a file.
 * @throws TeuError when an ignore file is there but cannot be read.
 */
export async function readIgnoreRules(context: string, dockerfile: string | null): Promise<IgnoreRules> {
  const candidates = [
    ...(dockerfile === null || dirname(dockerfile) === "" ? [] : [`${dockerfile}.dockerignore`]),
    join(context, ".dockerignore"),
  ];
  for (const path of candidates) {
    const text = await readIfThere(path);
    if (text !== null) return parseIgnoreFile(text);
  }
  return IGNORE_NOTHING;
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > LARGEST)
      throw new TeuError({
        code: "invalid",
        op: "read ignore file",
        subject: path,
        message: `larger than ${LARGEST} bytes`,
      });
    return bytes.toString("utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw cause instanceof TeuError
      ? cause
      : new TeuError({
          code: "denied",
          op: "read ignore file",
          subject: path,
          message: "it is there but cannot be read",
          cause,
        });
  }
}
