// Dockerfile instructions that change a config alone, without a build: `import --change`, `commit --change`.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { ImageConfig } from "@teu/specs/image";
import type { Instruction } from "./dockerfile/instructions/instruction.ts";
import { parseDockerfile } from "./dockerfile/parse-dockerfile.ts";
import { applyMetadata, type MetadataInstruction } from "./solve/apply-metadata.ts";
import type { StageState } from "./solve/stage-state.ts";

/** As Docker has it; the others would make a layer, or mean something in a build only. */
const ALLOWED: ReadonlySet<string> = new Set([
  "cmd",
  "entrypoint",
  "env",
  "expose",
  "healthcheck",
  "label",
  "onbuild",
  "stopsignal",
  "user",
  "volume",
  "workdir",
]);

const OP = "change config";

/**
 * The config with instructions applied, one each ("ENV A=1", 'CMD ["sh"]'). Its history is not touched.
 * @throws TeuError `invalid` for what is no instruction, or one that changes more than the config.
 */
export function applyChanges(config: ImageConfig, changes: readonly string[]): ImageConfig {
  if (changes.length === 0) return config;
  for (const change of changes) check(change);
  const { directives, stages } = parseDockerfile("--change", ["FROM scratch", ...changes].join("\n"));
  const [stage] = stages;
  const { os, architecture, variant } = config;
  let state: StageState = {
    chainId: null,
    platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
    config: config.config ?? {},
    history: [],
    created: null,
    args: new Map(),
    ownCommand: false,
  };
  for (const instruction of stage?.instructions ?? []) {
    if (!isAllowed(instruction)) throw refused(instruction.kind);
    state = applyMetadata(state, instruction, { escape: directives.escape, buildArgs: {}, globals: new Map() });
  }
  return { ...config, config: state.config };
}

// One at a time, so that an error says which of them it is. A further FROM has nothing behind it that could be looked at.
function check(change: string): void {
  const [word = ""] = change.trim().split(/\s/);
  if (word === "") return;
  if (!ALLOWED.has(word.toLowerCase())) throw refused(word);
  try {
    if (parseDockerfile("--change", `FROM scratch\n${change}`).stages.length > 1) throw refused("FROM");
  } catch (error) {
    if (!isTeuError(error) || error.op === OP) throw error;
    const { code, what: message, hint } = error;
    throw new TeuError({ code, op: OP, subject: change, message, ...(hint === undefined ? {} : { hint }) });
  }
}

function isAllowed(instruction: Instruction): instruction is MetadataInstruction {
  return ALLOWED.has(instruction.kind);
}

function refused(word: string): TeuError {
  return new TeuError({
    code: "invalid",
    op: OP,
    subject: word.toUpperCase(),
    message: "this is no instruction that changes the config alone",
    hint: `use one of ${[...ALLOWED].map((name) => name.toUpperCase()).join(", ")}`,
  });
}
