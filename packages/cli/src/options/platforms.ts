// --platform of commands that take several platforms of an image.

import { parsePlatform } from "@teu/image/platform";
import type { CommandInput, OptionSpec } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";

/** The flag; `help` says what happens to these platforms. */
export function platformsOption(help: string): OptionSpec {
  return {
    long: "platform",
    value: "string",
    repeat: true,
    help: `${help} ("linux/arm64"); several times: all of them`,
  };
}

/** What was given, each parsed once: once per flag or, as Docker's users write it, with commas. @throws TeuError `invalid`. */
export function platformsOf(input: CommandInput): readonly string[] {
  const texts = input.list("platform").flatMap((text) => text.split(","));
  for (const text of texts) parsePlatform(text);
  return texts;
}

/** The same, or "all" for --all-platforms. @throws TeuError `invalid` (usage) for both. */
export function platformsOrAll(input: CommandInput): readonly string[] | "all" {
  const named = platformsOf(input);
  if (!input.flag("all-platforms")) return named;
  if (named.length === 0) return "all";
  throw usageError("--all-platforms and --platform exclude each other", { fallback: "leave one of them out" });
}
