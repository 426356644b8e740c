// What run and create share: the image at hand, the container made, its id written where asked.

import { writeFile } from "node:fs/promises";
import { isTeuError, TeuError } from "@teu/base/errors";
import type { CreatedContainer } from "@teu/engine/containers/create-options";
import type { Engine } from "@teu/engine/engine";
import type { CommandContext, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { containerOptions } from "../options/container-options.ts";
import { transferProgress } from "../output/transfer-progress.ts";

/** Makes the container that the command line asks for, pulling its image when it is not here. `owned`: see `CreateOptions`. */
export async function createFromInput(
  context: CommandContext,
  engine: Engine,
  input: CommandInput,
  owned: boolean = false,
): Promise<CreatedContainer> {
  const options = { ...(await containerOptions(input, process.env)), owned };
  const cidfile = input.text("cidfile");
  if (typeof options.image === "string") await haveImage(context, engine, options.image, input);
  const created = await engine.containers.create(context.scope, options);
  for (const warning of created.warnings) context.warn(`teu: warning: ${warning}`);
  if (cidfile === undefined) return created;
  try {
    await writeFile(cidfile, created.id, { flag: "wx" });
  } catch (cause) {
    await engine.containers.remove(context.scope, created.id, { force: true, volumes: true });
    throw new TeuError({
      code: "already-exists",
      op: "write id to",
      subject: cidfile,
      message: "it cannot be created",
      hint: "remove the file of an earlier run",
      cause,
    });
  }
  return created;
}

async function haveImage(context: CommandContext, engine: Engine, image: string, input: CommandInput): Promise<void> {
  const policy = input.text("pull") ?? "missing";
  if (!["always", "missing", "never"].includes(policy))
    throw usageError(`--pull=${policy} is not known`, {
      word: policy,
      known: ["always", "missing", "never"],
      fallback: "use always, missing or never",
    });
  const platform = input.text("platform");
  const wanted = platform === undefined ? {} : { platform };
  if (policy !== "always") {
    try {
      await engine.images.get(context.scope, image, wanted);
      return;
    } catch (error) {
      if (!isTeuError(error, "not-found") || policy === "never") throw error;
    }
    const what = platform === undefined ? `'${image}'` : `'${image}' for ${platform}`;
    if (!input.flag("quiet")) context.warn(`Unable to find image ${what} locally`);
  }
  using progress = transferProgress(context.io.stderr, {
    quiet: input.flag("quiet"),
    dumb: context.environment.term === "dumb",
  });
  await engine.images.pull(context.scope, image, { progress: (event) => progress.event(event), ...wanted });
}
