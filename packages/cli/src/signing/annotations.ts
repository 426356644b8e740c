// Annotations of signatures on the command line.

import type { CommandInput, OptionSpec } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";

/** cosign's flag. */
export function annotationsOption(help: string): OptionSpec {
  return { long: "annotations", short: "a", value: "key=value", repeat: true, help };
}

/** What was given. @throws TeuError `invalid` (usage). */
export function annotationsOf(input: CommandInput): Readonly<Record<string, string>> {
  const pairs = input.list("annotations").flatMap((text) => text.split(","));
  return Object.fromEntries(
    pairs.map((text) => {
      const equals = text.indexOf("=");
      if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)] as const;
      throw usageError(`the annotation ${JSON.stringify(text)} is not KEY=VALUE`, { fallback: "write -a KEY=VALUE" });
    }),
  );
}
