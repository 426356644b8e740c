// YAML of other programs (lists of skopeo's sync, registries.d). Import this file when it is needed: with it comes the parser.

import { parseDocument } from "yaml";

/** How scalars and keys are read: as YAML has it with keys of text only, or all of them as text. */
export type YamlReading = "typed" | "text";

/** The document. @throws what `fault` makes of a line that says what is wrong: it is no YAML, has a name twice, or too many aliases. */
export function parseYaml(text: string, reading: YamlReading, fault: (message: string) => Error): unknown {
  try {
    const how = reading === "text" ? ({ schema: "failsafe" } as const) : { stringKeys: true };
    const document = parseDocument(text, { uniqueKeys: true, prettyErrors: true, ...how });
    const [problem] = document.errors;
    if (problem !== undefined) throw problem;
    // Aliases in aliases would make a small file enormous.
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    // Also a RangeError, for what is nested deeper than the stack.
    throw fault(cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : "it is no YAML");
  }
}
