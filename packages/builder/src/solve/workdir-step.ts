// WORKDIR: sets the config, and makes the directory, owned by the current USER, when it is not there yet.

import type { Scope } from "@teu/base/scope";
import { cleanPath, resolvePath } from "../context/file-tree.ts";
import { lookUpOwner } from "../context/user-names.ts";
import { LayerWriter } from "../copy/layer-writer.ts";
import type { TextInstruction } from "../dockerfile/instructions/instruction.ts";
import { buildError } from "../dockerfile/location.ts";
import { applyMetadata, type MetadataScope } from "./apply-metadata.ts";
import { layerStep } from "./layer-step.ts";
import { chainDirectories, openChain } from "./layer-trees.ts";
import { type BuildSession, stepKey } from "./session.ts";
import type { StageState } from "./stage-state.ts";
import { writeLayer } from "./write-layer.ts";

/** Runs one WORKDIR. An existing directory gives no layer. */
export async function workdirStep(
  scope: Scope,
  session: BuildSession,
  state: StageState,
  instruction: TextInstruction,
  metadata: MetadataScope,
  name: string,
): Promise<StageState> {
  const after = applyMetadata(state, instruction, metadata);
  const path = after.config.WorkingDir ?? "/";
  using root = await openChain(scope, session, state.chainId);
  const found = resolvePath(root, cleanPath(path));
  if (path === "/" || found.entry?.kind === "directory") return after;
  if (found.entry !== null)
    throw buildError(instruction.at, `WORKDIR ${path} is a ${found.entry.kind}, not a directory`, { code: "conflict" });
  const owner =
    state.config.User === undefined || state.config.User === ""
      ? { uid: 0, gid: 0 }
      : lookUpOwner(root, state.config.User, "passwd");
  const made = await layerStep(scope, session, state, name, async () => ({
    key: stepKey({ op: "workdir", parent: state.chainId, path, owner }),
    createdBy: `WORKDIR ${path}`,
    make: async () => {
      const lower = await chainDirectories(scope, session, state.chainId);
      return await writeLayer(scope, session, state.chainId, async (upper) => {
        using writer = LayerWriter.open(upper, lower);
        writer.ensureDirectory(writer.resolve(cleanPath(path)), owner);
        writer.finish();
      });
    },
  }));
  return { ...made, config: after.config };
}
