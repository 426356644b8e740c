// Patterns for repository names and tags: "*" is anything without a slash, "**" anything, "?" one character but a slash.
// Everything else means itself. The more of a pattern is literal, the more it says: that decides which of several rules counts.

/** A pattern that is ready to match. */
export interface Glob {
  readonly text: string;
  /** Characters that are no wildcards. */
  readonly literal: number;
  matches(name: string): boolean;
}

/** Reads a pattern. */
export function parseGlob(text: string): Glob {
  // Several "**" in a row would match the same in many ways: slowly.
  const parts = text.match(/\*\*+|\*|\?|[^*?]+/g) ?? [];
  const source = parts.map((part) => {
    if (part.startsWith("**")) return ".*";
    if (part === "*") return "[^/]*";
    return part === "?" ? "[^/]" : part.replace(/[^A-Za-z0-9]/g, "\\$&");
  });
  const pattern = new RegExp(`^${source.join("")}$`, "s");
  return { text, literal: text.replace(/[*?]/g, "").length, matches: (name) => pattern.test(name) };
}

/** The rule whose pattern matches and is the most literal; of equal ones the first. */
export function mostSpecific<T extends { readonly globs: readonly Glob[] }>(
  rules: readonly T[],
  name: string,
): T | undefined {
  let best: T | undefined;
  let most = -1;
  for (const rule of rules) {
    for (const glob of rule.globs) {
      if (glob.literal <= most || !glob.matches(name)) continue;
      best = rule;
      most = glob.literal;
    }
  }
  return best;
}
