// Mistakes on the command line: exit code 125, as Docker has it for its own flags.

import { TeuError } from "@teu/base/errors";
import { nearestWord } from "@teu/builder/dockerfile/did-you-mean";

/** What helps. */
export interface UsageHint {
  /** The word that is wrong, and those that it could be. */
  readonly word?: string;
  readonly known?: readonly string[];
  /** Hint when nothing is near. */
  readonly fallback: string;
}

/** An `invalid` error with `detail.usage`; its text is the message alone. */
export function usageError(message: string, { word, known, fallback }: UsageHint): TeuError {
  const near = word === undefined || known === undefined ? undefined : nearestWord(word, known);
  return new TeuError({
    code: "invalid",
    op: "read command line",
    message,
    detail: { usage: true },
    hint: near === undefined ? fallback : `did you mean ${near}?`,
  });
}

/** What does the work of a flag that cannot be had. */
const INSTEAD: Readonly<Record<string, string>> = {
  "all-tags": "`teu sync` copies all tags of a repository",
  "multi-arch": "--all is for all platforms, --platform for one",
};

/** A flag of Docker's that cannot be had yet. */
export function unsupportedFlag(flag: string): TeuError {
  return new TeuError({
    code: "unsupported",
    op: "read command line",
    message: `the flag --${flag} is not supported yet`,
    detail: { usage: true, flag },
    hint: Object.hasOwn(INSTEAD, flag) ? INSTEAD[flag] : "it is Docker's and not ignored on purpose; leave it out",
  });
}
