// A Dockerfile's text to stages of typed instructions. Pure; expansion and meaning come later.

import { didYouMean } from "./did-you-mean.ts";
import type { Directives } from "./directives.ts";
import { type InstructionLine, splitInstruction } from "./instruction-line.ts";
import { parseAdd } from "./instructions/add.ts";
import { parseArg } from "./instructions/arg.ts";
import { parseCmd } from "./instructions/cmd.ts";
import { parseCopy } from "./instructions/copy.ts";
import { parseEntrypoint } from "./instructions/entrypoint.ts";
import { parseEnv } from "./instructions/env.ts";
import { parseExpose } from "./instructions/expose.ts";
import { parseFrom } from "./instructions/from.ts";
import { parseHealthcheck } from "./instructions/healthcheck.ts";
import type { ArgInstruction, FromInstruction, Instruction } from "./instructions/instruction.ts";
import { parseLabel } from "./instructions/label.ts";
import { parseMaintainer } from "./instructions/maintainer.ts";
import { parseOnbuild } from "./instructions/onbuild.ts";
import { parseRun } from "./instructions/run.ts";
import { parseShell } from "./instructions/shell.ts";
import { parseStopsignal } from "./instructions/stopsignal.ts";
import { parseUser } from "./instructions/user.ts";
import { parseVolume } from "./instructions/volume.ts";
import { parseWorkdir } from "./instructions/workdir.ts";
import { dockerfileError } from "./location.ts";
import { lexDockerfile } from "./logical-lines.ts";

/** One stage: FROM and what follows. */
export interface Stage {
  readonly index: number;
  readonly from: FromInstruction;
  readonly instructions: readonly Instruction[];
}

/** A whole Dockerfile. */
export interface Dockerfile {
  readonly directives: Directives;
  /** ARG lines in front of the first FROM. */
  readonly globalArgs: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
}

const PARSERS: Readonly<Record<string, (line: InstructionLine) => Instruction>> = {
  ADD: parseAdd,
  ARG: parseArg,
  CMD: parseCmd,
  COPY: parseCopy,
  ENTRYPOINT: parseEntrypoint,
  ENV: parseEnv,
  EXPOSE: parseExpose,
  HEALTHCHECK: parseHealthcheck,
  LABEL: parseLabel,
  MAINTAINER: parseMaintainer,
  ONBUILD: parseOnbuild,
  RUN: parseRun,
  SHELL: parseShell,
  STOPSIGNAL: parseStopsignal,
  USER: parseUser,
  VOLUME: parseVolume,
  WORKDIR: parseWorkdir,
};

/**
 * Reads a Dockerfile. `file` is the name shown in errors.
 * @throws TeuError `invalid` (with file and line) for whatever the format does not allow; `unsupported` for what is known but not built.
 */
export function parseDockerfile(file: string, source: string): Dockerfile {
  const lexed = lexDockerfile(file, source);
  const globalArgs: ArgInstruction[] = [];
  const stages: { index: number; from: FromInstruction; instructions: Instruction[] }[] = [];
  for (const logical of lexed.lines) {
    const line = splitInstruction(logical, lexed.directives.escape);
    if (line.keyword === "FROM") {
      stages.push({ index: stages.length, from: parseFrom(line), instructions: [] });
      continue;
    }
    const instruction = parseInstruction(line);
    const stage = stages.at(-1);
    if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") globalArgs.push(instruction);
    else
      throw dockerfileError(line.at, `${line.keyword} stands in front of the first FROM`, {
        hint: "only ARG may; begin with FROM image",
      });
  }
  if (stages.length === 0)
    throw dockerfileError({ file, line: 1, endLine: 1 }, "there is no FROM in it", {
      hint: "begin with FROM image, or FROM scratch",
    });
  return { directives: lexed.directives, globalArgs, stages };
}

/** Reads the ONBUILD triggers of a base image as instructions that stand at `from`. */
export function parseTriggers(from: FromInstruction, triggers: readonly string[]): Instruction[] {
  return triggers.flatMap((text) =>
    lexDockerfile(from.at.file, text).lines.map((logical) => {
      const line = splitInstruction({ ...logical, at: from.at }, "\\");
      if (["FROM", "ONBUILD", "MAINTAINER"].includes(line.keyword))
        throw dockerfileError(from.at, `the base image has a trigger ${line.keyword}, which cannot be one`);
      return parseInstruction(line);
    }),
  );
}

function parseInstruction(line: InstructionLine): Instruction {
  const parse = Object.hasOwn(PARSERS, line.keyword) ? PARSERS[line.keyword] : undefined;
  if (parse !== undefined) return parse(line);
  throw dockerfileError(line.at, `instruction ${JSON.stringify(line.keyword)} is not known`, {
    hint: didYouMean(line.keyword, [...Object.keys(PARSERS), "FROM"]),
  });
}
