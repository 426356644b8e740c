// From a Dockerfile and the build's arguments to the stages that are needed, each with its base and what it copies from. Pure.

import { TeuError } from "@teu/base/errors";
import type { Platform } from "@teu/specs/image";
import { didYouMean } from "../dockerfile/did-you-mean.ts";
import { expandWord } from "../dockerfile/expand.ts";
import type { Instruction } from "../dockerfile/instructions/instruction.ts";
import { dockerfileError, type Location } from "../dockerfile/location.ts";
import type { Dockerfile, Stage } from "../dockerfile/parse-dockerfile.ts";
import { hostPlatform, parsePlatform, platformArguments } from "./platform-arguments.ts";
import { parseRunMount } from "./run-mount.ts";

/** What a stage stands on. */
export type StageBase =
  | { readonly kind: "scratch" }
  | { readonly kind: "stage"; readonly index: number }
  | { readonly kind: "image"; readonly reference: string; readonly platform: Platform };

/** What a `--from` names. */
export type FromSource =
  | { readonly kind: "stage"; readonly index: number }
  | { readonly kind: "image"; readonly reference: string };

/** One stage of the graph. */
export interface StageNode {
  readonly stage: Stage;
  readonly base: StageBase;
  /** Numbers of the stages that it needs. */
  readonly needs: readonly number[];
}

/** A build's stages. */
export interface BuildGraph {
  /** All stages, also those that are not needed. */
  readonly nodes: readonly StageNode[];
  readonly target: number;
  /** Numbers of the stages that the target needs, itself included, in order. */
  readonly reachable: readonly number[];
  readonly platform: Platform;
  /** Values of ARG lines in front of the first FROM, and of the platform. */
  readonly globals: ReadonlyMap<string, string>;
}

/** What the graph depends on. */
export interface GraphOptions {
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly platform?: string;
}

/**
 * Builds the graph.
 * @throws TeuError `not-found` for an unknown target, `invalid` for a stage that needs itself or a later one, or an empty image name.
 */
export function buildGraph(file: Dockerfile, options: GraphOptions): BuildGraph {
  const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  const target = options.target === undefined ? file.stages.length - 1 : findTarget(file, options.target);
  const globals = globalArguments(file, options.buildArgs, platform, file.stages[target]?.from.stage ?? "default");
  const nodes = file.stages.map((stage): StageNode => {
    const base = stageBase(file, stage, globals, platform);
    const needs = new Set(base.kind === "stage" ? [base.index] : []);
    for (const instruction of stage.instructions) {
      for (const name of sourceNames(instruction)) {
        const source = findSource(file, stage.index, name, instruction.at);
        if (source.kind === "stage") needs.add(source.index);
      }
    }
    return { stage, base, needs: [...needs] };
  });
  return { nodes, target, reachable: reachableFrom(nodes, target), platform, globals };
}

/** What `--from=name` means in stage `index`. @throws TeuError `invalid` for the stage itself or a later one. */
export function findSource(file: Dockerfile, index: number, name: string, at: Location): FromSource {
  const found = stageNumber(file, name);
  if (found === undefined) {
    if (/^\d+$/.test(name))
      throw dockerfileError(at, `there is no stage ${name}`, {
        hint: `stages are numbered from 0 to ${file.stages.length - 1}`,
      });
    return { kind: "image", reference: name };
  }
  if (found < index) return { kind: "stage", index: found };
  throw dockerfileError(
    at,
    found === index ? `stage ${JSON.stringify(name)} copies from itself` : `stage ${JSON.stringify(name)} comes later`,
    { hint: "a stage can use only what stands before it" },
  );
}

function findTarget(file: Dockerfile, target: string): number {
  const found = stageNumber(file, target);
  if (found !== undefined) return found;
  const names = file.stages.map(({ from }) => from.stage).filter((name) => name !== undefined);
  throw new TeuError({
    code: "not-found",
    op: "build target",
    subject: target,
    message: "there is no stage of this name or number",
    hint:
      didYouMean(target, names) ??
      (names.length === 0 ? "no stage has a name: write FROM image AS name" : `stages: ${names.join(", ")}`),
  });
}

/** The last stage of a name counts; names ignore case. */
function stageNumber(file: Dockerfile, name: string): number | undefined {
  const byName = file.stages.findLast(({ from }) => from.stage === name.toLowerCase());
  if (byName !== undefined) return byName.index;
  return /^\d{1,6}$/.test(name) ? file.stages[Number(name)]?.index : undefined;
}

function globalArguments(
  file: Dockerfile,
  buildArgs: Readonly<Record<string, string>>,
  platform: Platform,
  stage: string,
): ReadonlyMap<string, string> {
  const values = new Map(platformArguments(hostPlatform(), platform, stage));
  for (const name of values.keys()) if (Object.hasOwn(buildArgs, name)) values.set(name, buildArgs[name] ?? "");
  for (const { args, at } of file.globalArgs) {
    for (const { name, value } of args) {
      const given = Object.hasOwn(buildArgs, name) ? buildArgs[name] : undefined;
      if (given !== undefined) values.set(name, given);
      else if (value !== undefined) values.set(name, expandAt(at, value, values, file.directives.escape));
    }
  }
  return values;
}

function stageBase(
  file: Dockerfile,
  stage: Stage,
  globals: ReadonlyMap<string, string>,
  platform: Platform,
): StageBase {
  const { at, image, platform: wanted } = stage.from;
  const reference = expandAt(at, image, globals, file.directives.escape);
  if (reference === "")
    throw dockerfileError(at, `the image name ${JSON.stringify(image)} is empty once its variables are replaced`, {
      hint: "give the ARG a default in front of the first FROM, or pass --build-arg",
    });
  const earlier = file.stages.slice(0, stage.index).findLast(({ from }) => from.stage === reference.toLowerCase());
  if (earlier !== undefined) return { kind: "stage", index: earlier.index };
  if (reference === "scratch") return { kind: "scratch" };
  const platformWord = wanted === undefined ? "" : expandAt(at, wanted, globals, file.directives.escape);
  return { kind: "image", reference, platform: platformWord === "" ? platform : parsePlatform(platformWord) };
}

function expandAt(at: Location, word: string, values: ReadonlyMap<string, string>, escape: string): string {
  try {
    return expandWord(word, (name) => values.get(name), { escape });
  } catch (cause) {
    throw dockerfileError(at, "a word cannot be expanded", { cause });
  }
}

function sourceNames(instruction: Instruction): string[] {
  if (instruction.kind === "copy" && instruction.from !== undefined) return [instruction.from];
  if (instruction.kind === "run")
    return instruction.mounts
      .map((mount) => parseRunMount(mount, instruction.at).from)
      .filter((from) => from !== undefined);
  return [];
}

function reachableFrom(nodes: readonly StageNode[], target: number): number[] {
  const seen = new Set<number>();
  const visit = (index: number): void => {
    if (seen.has(index)) return;
    seen.add(index);
    for (const next of nodes[index]?.needs ?? []) visit(next);
  };
  visit(target);
  return [...seen].sort((a, b) => a - b);
}

/** Name of a stage in progress lines: its own, or "stage-N". */
export function stageLabel(stage: Stage): string {
  return stage.from.stage ?? `stage-${stage.index}`;
}
