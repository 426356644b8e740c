// Makes the directories that RUN --mount needs on the host, and says how to mount them.

import { createHash } from "node:crypto";
import { chmod, chown, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Scope } from "@teu/base/scope";
import type { VolumeOption } from "@teu/engine/containers/create-options";
import { FileLock } from "@teu/files/file-lock";
import { contentDigest } from "../context/content-digest.ts";
import type { FileTree } from "../context/file-tree.ts";
import { LayerWriter } from "../copy/layer-writer.ts";
import { placeSources } from "../copy/place-sources.ts";
import { selectSources } from "../copy/select-sources.ts";
import type { RunInstruction } from "../dockerfile/instructions/instruction.ts";
import { parseRunMount, type RunMount } from "../graph/run-mount.ts";
import type { StepReport } from "../progress/build-event.ts";
import { expandIn, resolveWorkdir } from "./apply-metadata.ts";
import { openSource } from "./layer-trees.ts";
import type { BuildSession } from "./session.ts";
import type { StageState } from "./stage-state.ts";

/** A mount with its variables replaced. */
export interface PlannedMount {
  readonly mount: RunMount;
  /** Absolute, in the container. */
  readonly target: string;
  readonly source: string;
  /** What the mount brings; "" for caches and tmpfs: they are no part of a step's key. */
  readonly content: string;
  readonly tree: FileTree | null;
}

/** Plans the mounts of a step. Trees are disposed with `open`. */
export async function planMounts(
  scope: Scope,
  session: BuildSession,
  index: number,
  state: StageState,
  instruction: RunInstruction,
  open: DisposableStack,
  report: StepReport,
): Promise<PlannedMount[]> {
  const planned: PlannedMount[] = [];
  for (const text of instruction.mounts) {
    const mount = parseRunMount(text, instruction.at);
    const expand = (word: string): string => expandIn(state, instruction.at, word, session.file.directives.escape);
    const tree =
      mount.from !== undefined
        ? open.use(await openSource(scope, session, index, mount.from, instruction.at, report))
        : mount.type === "bind"
          ? session.context
          : null;
    const source = expand(mount.source);
    const selected =
      tree === null ? [] : selectSources(tree, { sources: [source === "" ? "." : source], intoDirectory: false });
    const content =
      tree === null || mount.type !== "bind"
        ? ""
        : await contentDigest(
            scope,
            tree,
            selected.flatMap(({ entries }) => entries),
          );
    planned.push({
      mount,
      target: resolveWorkdir(state.config.WorkingDir, expand(mount.target)),
      source,
      content,
      tree,
    });
  }
  return planned;
}

/** What is part of the step's key. */
export function mountKeys(planned: readonly PlannedMount[]): unknown[] {
  return planned.map(({ mount, target, content }) => [mount.type, target, mount.writable, content]);
}

/** Makes the mounts real. Locks on caches are held until `held` is disposed. */
export async function makeMounts(
  scope: Scope,
  session: BuildSession,
  planned: readonly PlannedMount[],
  held: AsyncDisposableStack,
): Promise<VolumeOption[]> {
  const volumes: VolumeOption[] = [];
  for (const plan of planned) {
    const { mount, target } = plan;
    if (mount.type === "tmpfs") {
      volumes.push({ kind: "tmpfs", target, ...(mount.size === undefined ? {} : { options: [`size=${mount.size}`] }) });
      continue;
    }
    const source =
      mount.type === "cache" ? await cacheDirectory(scope, session, plan, held) : await copyOut(scope, session, plan);
    volumes.push({ kind: "bind", source, target, readOnly: !mount.writable });
  }
  return volumes;
}

/** Writes a script where the step finds it. */
export async function scriptMount(
  session: BuildSession,
  script: { readonly path: string; readonly text: string },
): Promise<VolumeOption> {
  const directory = await mkdtemp(join(await session.scratch.path(), "script-"));
  const file = join(directory, "script");
  await writeFile(file, script.text);
  await chmod(file, 0o755);
  return { kind: "bind", source: file, target: script.path, readOnly: true };
}

/** A copy: what the ignore file leaves out stays out, and what a step writes there is thrown away. */
async function copyOut(scope: Scope, session: BuildSession, { tree, source }: PlannedMount): Promise<string> {
  const directory = await mkdtemp(join(await session.scratch.path(), "bind-"));
  await chmod(directory, 0o755);
  if (tree === null) return directory;
  await copyInto(scope, directory, tree, source);
  return join(directory, "content");
}

async function copyInto(scope: Scope, directory: string, tree: FileTree, source: string): Promise<void> {
  using writer = LayerWriter.open(directory, []);
  const selected = selectSources(tree, { sources: [source === "" ? "." : source], intoDirectory: false });
  await placeSources(scope, writer, tree, selected, [], {
    destination: "/content",
    intoDirectory: false,
    owner: { uid: 0, gid: 0 },
    unpack: false,
  });
}

async function cacheDirectory(
  scope: Scope,
  session: BuildSession,
  plan: PlannedMount,
  held: AsyncDisposableStack,
): Promise<string> {
  const { mount, tree, source, target } = plan;
  const name = createHash("sha256")
    .update(JSON.stringify([session.buildArgs["BUILDKIT_CACHE_MOUNT_NS"] ?? "", mount.id ?? target]))
    .digest("hex");
  const parent = join(session.engine.options.root, "build", "cache-mounts");
  await mkdir(parent, { recursive: true, mode: 0o700 });
  if (mount.sharing === "locked") held.use(await FileLock.acquire(scope, join(parent, `${name}.lock`)));
  const directory = join(parent, name);
  const isNew = (await mkdir(join(directory, "content"), { recursive: true })) !== undefined;
  if (isNew) {
    if (tree !== null) await copyInto(scope, directory, tree, source);
    await chmod(join(directory, "content"), mount.mode);
    await chown(join(directory, "content"), mount.uid, mount.gid);
  }
  return join(directory, "content");
}
