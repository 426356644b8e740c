// Build arguments that nothing asked for: probably misspelt.

import { didYouMean } from "../dockerfile/did-you-mean.ts";
import type { BuildSession } from "./session.ts";

const ALWAYS_KNOWN =
  /^(?:(?:HTTPS?|FTP|NO|ALL)_PROXY|BUILDKIT_.*|SOURCE_DATE_EPOCH|(?:BUILD|TARGET)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)|TARGETSTAGE)$/i;

/** One sentence for each. */
export function unusedArguments({
  buildArgs,
  file,
  graph,
}: Pick<BuildSession, "buildArgs" | "file" | "graph">): string[] {
  const declared = new Set(file.globalArgs.flatMap(({ args }) => args.map(({ name }) => name)));
  for (const { stage } of graph.nodes) {
    for (const instruction of stage.instructions)
      if (instruction.kind === "arg") for (const { name } of instruction.args) declared.add(name);
  }
  return Object.keys(buildArgs)
    .filter((name) => !declared.has(name) && !ALWAYS_KNOWN.test(name))
    .map((name) => {
      const hint = didYouMean(name, [...declared]);
      return `the build argument ${name} is not used${hint === undefined ? "" : `: ${hint}`}`;
    });
}
