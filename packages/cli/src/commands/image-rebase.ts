// image rebase: the layers that an image has on top of its base, on top of another one.

import { parseReference, referenceName } from "@teu/image/reference";
import { BASE_DIGEST, BASE_NAME, rebase } from "@teu/image/transforms/rebase";
import { configOf, type ImageTransform, ImageValue } from "@teu/image/values/image-value";
import type { IndexValue } from "@teu/image/values/index-value";
import type { Scope } from "@teu/base/scope";
import type { Command, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { CHANGE_OPTIONS, changeImage, PLACES_HELP, type Workshop } from "../images/change-image.ts";
import { parseImagePlace } from "../images/image-place.ts";
import { parseTransportName, type TransportName } from "../transports/transport-name.ts";

/** `teu image rebase`. */
export const command: Command = {
  usage: "rebase [OPTIONS] IMAGE",
  summary: "Put the layers of an image on another base",
  description: [
    PLACES_HELP,
    "The old base must really be below the image: its layers are compared. Without flags the image's annotations",
    `${BASE_DIGEST} and ${BASE_NAME} say what its base was, and what it is called now.`,
  ].join("\n"),
  options: [
    ...CHANGE_OPTIONS,
    { long: "new-base", value: "image", help: "What it is to stand on" },
    { long: "old-base", value: "image", help: "What it stands on" },
  ],
  bulk: true,
  args: [1, 1],
  examples: [
    "teu image rebase --old-base debian:12.1 --new-base debian:12.2 -t app:new app",
    "teu image rebase docker://localhost:5000/app:v1",
  ],
  run: async (context, input) =>
    await changeImage(context, input, async (work, value) => {
      const bases = await basesOf(context.scope, input, value);
      return { image: rebased(work, bases) };
    }),
};

interface Bases {
  readonly old: TransportName;
  readonly next: TransportName;
}

/** Each image on the base for its own platform. */
function rebased(work: Workshop, { old, next }: Bases): ImageTransform {
  return (image) =>
    image.with(async (parts, scope) => {
      const { os, architecture, variant } = configOf(image.name, parts);
      const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
      const oldBase = await work.open(old, platform);
      const newBase = await work.open(next, platform);
      const newBaseName = next.transport === "docker" ? next.text.slice("docker://".length) : next.text;
      return rebase({ oldBase, newBase, newBaseName })(image).parts(scope);
    });
}

async function basesOf(scope: Scope, input: CommandInput, value: ImageValue | IndexValue): Promise<Bases> {
  const given = { old: input.text("old-base"), next: input.text("new-base") };
  const annotations = value instanceof ImageValue ? (await value.parts(scope)).manifest.annotations : undefined;
  const name = annotations?.[BASE_NAME];
  const digest = annotations?.[BASE_DIGEST];
  const old =
    given.old !== undefined
      ? parseImagePlace(given.old)
      : name !== undefined && digest !== undefined
        ? parseTransportName(`docker://${referenceName(parseReference(name))}@${digest}`)
        : null;
  const next =
    given.next !== undefined
      ? parseImagePlace(given.next)
      : name !== undefined
        ? parseTransportName(`docker://${name}`)
        : null;
  if (old !== null && next !== null) return { old, next };
  throw usageError("the image does not say what its base is", { fallback: "give --old-base and --new-base" });
}
