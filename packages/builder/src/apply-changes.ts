// Dockerfile instructions that change a config alone, without a build: `import --change`, `commit --change`.

import { TeuError } from "@teu/base/errors";
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

/**
 * The config with instructions applied, one each ("ENV A=1", 'CMD ["sh"]'). Its history is not touched.
 * @throws TeuError `invalid` for what is no instruction, or one that changes more than the config.
 */
export function applyChanges(config: ImageConfig, changes: readonly string[]): ImageConfig {
  if (changes.length === 0) return config;
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
    if (!isAllowed(instruction) || stages.length > 1) throw refused(instruction);
    state = applyMetadata(state, instruction, { escape: directives.escape, buildArgs: {}, globals: new Map() });
  }
  return { ...config, config: state.config };
}

function isAllowed(instruction: Instruction): instruction is MetadataInstruction {
  return ALLOWED.has(instruction.kind);
}

function refused({ kind }: Instruction): TeuError {
  return new TeuError({
    code: "invalid",
    op: "change config",
    subject: kind.toUpperCase(),
    message: "the instruction does not stand alone, or changes more than the config",
    hint: `use one of ${[...ALLOWED].map((name) => name.toUpperCase()).join(", ")}`,
  });
}
