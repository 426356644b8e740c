// One stage from FROM to its last instruction.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Instruction } from "../dockerfile/instructions/instruction.ts";
import { parseTriggers } from "../dockerfile/parse-dockerfile.ts";
import { type StageNode, stageLabel } from "../graph/build-graph.ts";
import { applyMetadata, type MetadataScope } from "./apply-metadata.ts";
import { findImage, stateFromImage } from "./base-image.ts";
import { copyStep } from "./copy-step.ts";
import { runStep } from "./run-step.ts";
import type { BuildSession } from "./session.ts";
import { emptyState, type StageState } from "./stage-state.ts";
import { workdirStep } from "./workdir-step.ts";

/** Solves stage `index`; earlier stages are solved on demand. */
export async function solveStage(scope: Scope, session: BuildSession, index: number): Promise<StageState> {
  const node = session.graph.nodes[index];
  if (node === undefined)
    throw new TeuError({
      code: "internal",
      op: "build stage",
      subject: String(index),
      message: "there is no such stage",
    });
  const steps = new StepNames(session, node);
  const base = await baseState(scope, session, node, steps);
  const triggers = parseTriggers(node.stage.from, base.triggers);
  steps.add(triggers);
  let state = base.state;
  const metadata: MetadataScope = {
    escape: session.file.directives.escape,
    buildArgs: session.buildArgs,
    globals: session.graph.globals,
  };
  for (const instruction of [...triggers, ...node.stage.instructions]) {
    scope.check("build");
    state = await applyInstruction(scope, session, index, state, instruction, metadata, steps);
  }
  return state;
}

async function applyInstruction(
  scope: Scope,
  session: BuildSession,
  index: number,
  state: StageState,
  instruction: Instruction,
  metadata: MetadataScope,
  steps: StepNames,
): Promise<StageState> {
  switch (instruction.kind) {
    case "run":
      return await runStep(scope, session, index, state, instruction, steps.next(instruction.text));
    case "copy":
    case "add":
      return await copyStep(scope, session, index, state, instruction, steps.next(instruction.text));
    case "workdir":
      return await workdirStep(scope, session, state, instruction, metadata, steps.next(instruction.text));
    default:
      return applyMetadata(state, instruction, metadata);
  }
}

interface BaseState {
  readonly state: StageState;
  readonly triggers: readonly string[];
}

async function baseState(scope: Scope, session: BuildSession, node: StageNode, steps: StepNames): Promise<BaseState> {
  const { base } = node;
  if (base.kind === "scratch") return { state: emptyState(session.graph.platform), triggers: [] };
  if (base.kind === "stage") {
    const below = await session.stage(base.index);
    const { OnBuild, ...config } = below.config;
    return { state: { ...below, config, ownCommand: false }, triggers: OnBuild ?? [] };
  }
  return await session.reporter.step(steps.next(`FROM ${base.reference}`), scope.signal, async (report) => {
    const found = await findImage(scope, session, base.reference, base.platform, node.stage.from.at, report);
    return { cached: false, value: stateFromImage(found) };
  });
}

/** "[build 2/4] RUN make": numbers the steps of a stage that do something. */
class StepNames {
  readonly #label: string;
  #total: number;
  #last = 0;

  constructor(session: BuildSession, { stage, base }: StageNode) {
    this.#label = session.graph.reachable.length > 1 || stage.from.stage !== undefined ? `${stageLabel(stage)} ` : "";
    this.#total = countSteps(stage.instructions) + (base.kind === "image" ? 1 : 0);
  }

  add(instructions: readonly Instruction[]): void {
    this.#total += countSteps(instructions);
  }

  next(text: string): string {
    return `[${this.#label}${++this.#last}/${this.#total}] ${text.replace(/\s+/g, " ")}`;
  }
}

function countSteps(instructions: readonly Instruction[]): number {
  return instructions.filter(({ kind }) => kind === "run" || kind === "copy" || kind === "add" || kind === "workdir")
    .length;
}
