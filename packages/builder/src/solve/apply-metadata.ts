// Instructions that only change the config: ENV, ARG, LABEL, USER, CMD ... Pure: state and instruction to state.

import type { ContainerConfig } from "@teu/specs/image";
import { expandWord } from "../dockerfile/expand.ts";
import type {
  ArgInstruction,
  CommandInstruction,
  Instruction,
  ListInstruction,
  TextInstruction,
} from "../dockerfile/instructions/instruction.ts";
import { dockerfileError, type Location } from "../dockerfile/location.ts";
import { exposedPorts } from "./exposed-ports.ts";
import { DEFAULT_SHELL, type StageState, variablesOf, withEnvironment } from "./stage-state.ts";
import { checkStopSignal } from "./stop-signal.ts";

/** What instructions of a stage can see besides its state. */
export interface MetadataScope {
  readonly escape: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly globals: ReadonlyMap<string, string>;
}

/** Instructions that this file applies. */
export type MetadataInstruction = Exclude<Instruction, { kind: "run" | "copy" | "add" }>;

/**
 * State after the instruction, its history line included. WORKDIR sets the config only; its directory is made elsewhere.
 * @throws TeuError `invalid`.
 */
export function applyMetadata(state: StageState, instruction: MetadataInstruction, scope: MetadataScope): StageState {
  const { next, createdBy } = change(state, instruction, scope);
  return withHistory(next, createdBy, true);
}

/** Appends a history entry; its time is filled in when the image is made. */
export function withHistory(state: StageState, createdBy: string, empty: boolean): StageState {
  const entry = {
    ...(state.created === null ? {} : { created: state.created }),
    created_by: createdBy,
    ...(empty ? { empty_layer: true } : {}),
  };
  return { ...state, history: [...state.history, entry] };
}

/** Expands a word where the instruction stands. @throws TeuError `invalid` with the place. */
export function expandIn(state: StageState, at: Location, word: string, escape: string): string {
  try {
    return expandWord(word, variablesOf(state), { escape });
  } catch (cause) {
    throw dockerfileError(at, "a word cannot be expanded", { cause });
  }
}

/** Absolute path of WORKDIR's or a destination's text. */
export function resolveWorkdir(current: string | undefined, path: string): string {
  const joined = path.startsWith("/") ? path : `${current ?? "/"}/${path}`;
  const out: string[] = [];
  for (const part of joined.split("/")) {
    if (part === "..") out.pop();
    else if (part !== "" && part !== ".") out.push(part);
  }
  return `/${out.join("/")}`;
}

interface Change {
  readonly next: StageState;
  readonly createdBy: string;
}

function change(state: StageState, instruction: MetadataInstruction, scope: MetadataScope): Change {
  const expand = (word: string): string => expandIn(state, instruction.at, word, scope.escape);
  const config = (values: Partial<ContainerConfig>): StageState => ({
    ...state,
    config: { ...state.config, ...values },
  });
  switch (instruction.kind) {
    case "env": {
      // All values of a line see the variables from before the line.
      const pairs = instruction.pairs.map(([name, value]) => [expand(name), expand(value)] as const);
      return { next: { ...state, config: withEnvironment(state.config, pairs) }, createdBy: `ENV ${joinPairs(pairs)}` };
    }
    case "label": {
      const pairs = instruction.pairs.map(([name, value]) => [expand(name), expand(value)] as const);
      return {
        next: config({ Labels: { ...state.config.Labels, ...Object.fromEntries(pairs) } }),
        createdBy: `LABEL ${joinPairs(pairs)}`,
      };
    }
    case "arg":
      return applyArg(state, instruction, scope);
    case "cmd":
    case "entrypoint":
      return applyCommand(state, instruction);
    case "healthcheck":
      return { next: config({ Healthcheck: instruction.healthcheck }), createdBy: instruction.text };
    case "onbuild":
      return {
        next: config({ OnBuild: [...(state.config.OnBuild ?? []), instruction.trigger] }),
        createdBy: `ONBUILD ${instruction.trigger}`,
      };
    case "expose":
    case "volume":
    case "shell":
      return applyList(state, instruction, expand);
    default:
      return applyText(state, instruction, expand);
  }
}

function applyArg(state: StageState, instruction: ArgInstruction, scope: MetadataScope): Change {
  const args = new Map(state.args);
  const shown: string[] = [];
  for (const { name, value } of instruction.args) {
    const given = Object.hasOwn(scope.buildArgs, name) ? scope.buildArgs[name] : undefined;
    // A default sees the arguments of the same line that stand before it.
    const fallback =
      value === undefined ? scope.globals.get(name) : expandIn({ ...state, args }, instruction.at, value, scope.escape);
    const actual = given ?? fallback;
    args.set(name, actual);
    shown.push(actual === undefined ? name : `${name}=${actual}`);
  }
  return { next: { ...state, args }, createdBy: `ARG ${shown.join(" ")}` };
}

function applyCommand(state: StageState, { kind, command }: CommandInstruction): Change {
  const args = command.kind === "exec" ? command.args : [...(state.config.Shell ?? DEFAULT_SHELL), command.text];
  const createdBy = `${kind.toUpperCase()} ${JSON.stringify(args)}`;
  if (kind === "cmd")
    return { next: { ...state, ownCommand: true, config: { ...state.config, Cmd: args } }, createdBy };
  // An entrypoint of this stage's own does not go with a command from below.
  const { Cmd, ...rest } = state.config;
  const config = state.ownCommand && Cmd !== undefined ? { ...rest, Cmd } : rest;
  return { next: { ...state, config: { ...config, Entrypoint: args } }, createdBy };
}

function applyList(state: StageState, instruction: ListInstruction, expand: (word: string) => string): Change {
  if (instruction.kind === "shell") {
    return {
      next: { ...state, config: { ...state.config, Shell: instruction.values } },
      createdBy: `SHELL ${JSON.stringify(instruction.values)}`,
    };
  }
  const values = instruction.values.map(expand);
  if (instruction.kind === "volume") {
    const Volumes = { ...state.config.Volumes, ...Object.fromEntries(values.map((path) => [path, {}])) };
    return { next: { ...state, config: { ...state.config, Volumes } }, createdBy: `VOLUME ${JSON.stringify(values)}` };
  }
  const ports = exposedPorts(
    values.flatMap((value) => value.split(/\s+/)).filter((value) => value !== ""),
    instruction.at,
  );
  const ExposedPorts = { ...state.config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
  return { next: { ...state, config: { ...state.config, ExposedPorts } }, createdBy: `EXPOSE ${ports.join(" ")}` };
}

function applyText(state: StageState, instruction: TextInstruction, expand: (word: string) => string): Change {
  if (instruction.kind === "maintainer")
    return { next: { ...state, author: instruction.value }, createdBy: instruction.text };
  const value = expand(instruction.value);
  const createdBy = `${instruction.kind.toUpperCase()} ${value}`;
  if (value === "")
    throw dockerfileError(instruction.at, `${instruction.kind.toUpperCase()} is empty once its variables are replaced`);
  if (instruction.kind === "user") return { next: { ...state, config: { ...state.config, User: value } }, createdBy };
  if (instruction.kind === "stopsignal") {
    checkStopSignal(value, instruction.at);
    return { next: { ...state, config: { ...state.config, StopSignal: value } }, createdBy };
  }
  const WorkingDir = resolveWorkdir(state.config.WorkingDir, value);
  return { next: { ...state, config: { ...state.config, WorkingDir } }, createdBy: `WORKDIR ${WorkingDir}` };
}

function joinPairs(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([name, value]) => `${name}=${value}`).join(" ");
}
