// COPY and ADD: files from the context, a stage or an image straight into a new layer, without mounting anything.

import type { Scope } from "@teu/base/scope";
import { isTeuError } from "@teu/base/errors";
import type { Layer } from "@teu/engine/snapshots/snapshots";
import { contentDigest } from "../context/content-digest.ts";
import { type ModeChange, parseModeChange } from "../context/file-mode.ts";
import type { FileTree } from "../context/file-tree.ts";
import { lookUpOwner, type Owner } from "../context/user-names.ts";
import { LayerWriter } from "../copy/layer-writer.ts";
import { type InlineFile, placeSources } from "../copy/place-sources.ts";
import { type SelectedSource, selectSources } from "../copy/select-sources.ts";
import { expandWord } from "../dockerfile/expand.ts";
import type { FilesInstruction } from "../dockerfile/instructions/instruction.ts";
import { buildError } from "../dockerfile/location.ts";
import { expandIn, resolveWorkdir } from "./apply-metadata.ts";
import { layerStep, type PlannedLayer } from "./layer-step.ts";
import { awaitSources, chainDirectories, openChain, openSource } from "./layer-trees.ts";
import { type BuildSession, stepKey } from "./session.ts";
import { type StageState, variablesOf } from "./stage-state.ts";
import { writeLayer } from "./write-layer.ts";

/** Runs one COPY or ADD of stage `index`. */
export async function copyStep(
  scope: Scope,
  session: BuildSession,
  index: number,
  state: StageState,
  instruction: FilesInstruction,
  name: string,
): Promise<StageState> {
  using open = new DisposableStack();
  await awaitSources(session, index, instruction.from === undefined ? [] : [instruction.from], instruction.at);
  return await layerStep(scope, session, state, name, async (report) => {
    try {
      const tree =
        instruction.from === undefined
          ? session.context
          : open.use(await openSource(scope, session, index, instruction.from, instruction.at, report));
      return await planCopy(scope, session, state, instruction, tree);
    } catch (cause) {
      throw located(instruction, cause);
    }
  });
}

interface Placed {
  readonly destination: string;
  readonly intoDirectory: boolean;
  readonly owner: Owner | undefined;
  readonly mode: ModeChange | undefined;
  readonly selected: readonly SelectedSource[];
  readonly files: readonly InlineFile[];
  readonly unpack: boolean;
}

async function planCopy(
  scope: Scope,
  session: BuildSession,
  state: StageState,
  instruction: FilesInstruction,
  tree: FileTree,
): Promise<PlannedLayer> {
  const placed = await place(scope, session, state, instruction, tree);
  const entries = placed.selected.flatMap((source) => source.entries);
  const content = await contentDigest(scope, tree, entries);
  const key = stepKey({
    op: instruction.kind,
    parent: state.chainId,
    content,
    destination: placed.destination,
    into: placed.intoDirectory,
    unpack: placed.unpack,
    // Where a source's entries begin, and the name that a file keeps.
    sources: placed.selected.map(({ name, entry, entries: own }) => [
      entry.kind === "directory" ? "" : name,
      own.length,
    ]),
    files: placed.files.map(({ name, bytes, mode, owner }) => [
      name,
      Buffer.from(bytes).toString("base64"),
      mode,
      owner.uid,
      owner.gid,
    ]),
    owner: placed.owner ?? null,
  });
  return {
    key,
    createdBy: describe(state, instruction, session),
    make: async () => {
      try {
        return await makeLayer(scope, session, state, tree, placed);
      } catch (cause) {
        throw located(instruction, cause);
      }
    },
  };
}

async function place(
  scope: Scope,
  session: BuildSession,
  state: StageState,
  instruction: FilesInstruction,
  tree: FileTree,
): Promise<Placed> {
  const expand = (word: string): string => expandIn(state, instruction.at, word, session.file.directives.escape);
  const destinationText = expand(instruction.destination);
  const intoDirectory = /(?:^|\/)\.{0,2}$/.test(destinationText);
  const owner = await ownerOf(scope, session, state, instruction, expand);
  const modeText = instruction.chmod === undefined ? "" : expand(instruction.chmod);
  const mode = modeText === "" ? undefined : parseModeChange(modeText);
  const selected = selectSources(tree, {
    sources: instruction.sources.map(expand),
    intoDirectory,
    parents: instruction.parents,
    exclude: instruction.exclude,
    ...(owner === undefined ? {} : { owner }),
    ...(mode === undefined ? {} : { mode }),
  });
  return {
    destination: resolveWorkdir(state.config.WorkingDir, destinationText),
    intoDirectory,
    owner,
    mode,
    selected,
    files: inlineFiles(session, state, instruction, owner, mode),
    unpack: instruction.kind === "add" && instruction.unpack !== false,
  };
}

async function ownerOf(
  scope: Scope,
  session: BuildSession,
  state: StageState,
  instruction: FilesInstruction,
  expand: (word: string) => string,
): Promise<Owner | undefined> {
  const text = instruction.chown === undefined ? "" : expand(instruction.chown);
  if (text === "") return undefined;
  using root = await openChain(scope, session, state.chainId);
  return lookUpOwner(root, text, "same");
}

function inlineFiles(
  session: BuildSession,
  state: StageState,
  instruction: FilesInstruction,
  owner: Owner | undefined,
  mode: ModeChange | undefined,
): InlineFile[] {
  return instruction.heredocs.map(({ name, content, expand }) => {
    const text = expand
      ? expandWord(content, variablesOf(state), { escape: session.file.directives.escape, rawQuotes: true })
      : content;
    return {
      name,
      bytes: Buffer.from(text),
      mode: mode?.(0o644, false) ?? 0o644,
      owner: owner ?? { uid: 0, gid: 0 },
      // Fixed: a here-document has no time of its own, and equal builds should give equal layers.
      mtimeNs: 0n,
    };
  });
}

async function makeLayer(
  scope: Scope,
  session: BuildSession,
  state: StageState,
  tree: FileTree,
  placed: Placed,
): Promise<Layer> {
  const lower = await chainDirectories(scope, session, state.chainId);
  return await writeLayer(scope, session, state.chainId, async (upper) => {
    using writer = LayerWriter.open(upper, lower);
    await placeSources(scope, writer, tree, placed.selected, placed.files, {
      destination: placed.destination,
      // A pattern may match nothing; the destination is then made all the same when it must be a directory.
      intoDirectory: placed.intoDirectory,
      owner: placed.owner ?? { uid: 0, gid: 0 },
      unpack: placed.unpack,
      ...(placed.owner === undefined ? {} : { archiveOwner: placed.owner }),
    });
  });
}

function describe(state: StageState, instruction: FilesInstruction, session: BuildSession): string {
  const expand = (word: string): string => expandIn(state, instruction.at, word, session.file.directives.escape);
  const words = [
    instruction.kind.toUpperCase(),
    ...(instruction.from === undefined ? [] : [`--from=${instruction.from}`]),
    ...(instruction.chown === undefined ? [] : [`--chown=${expand(instruction.chown)}`]),
    ...(instruction.chmod === undefined ? [] : [`--chmod=${expand(instruction.chmod)}`]),
    ...instruction.sources.map(expand),
    ...instruction.heredocs.map(({ name }) => `<<${name}`),
    expand(instruction.destination),
  ];
  return words.join(" ");
}

function located(instruction: FilesInstruction, cause: unknown): unknown {
  if (
    !isTeuError(cause) ||
    cause.op === "build" ||
    cause.op === "parse" ||
    cause.code === "cancelled" ||
    cause.code === "timeout"
  )
    return cause;
  return buildError(instruction.at, `${instruction.kind.toUpperCase()} failed`, {
    cause,
    code: cause.code,
    hint: cause.hint,
  });
}
