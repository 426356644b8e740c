// artifact attach: files as an artifact that refers to an image, beside it.

import { openImage } from "@teu/image/transport/open-image";
import type { Descriptor } from "@teu/specs/image";
import { parsePlatform } from "@teu/image/platform";
import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { ARTIFACT_OPTIONS, pushArtifact } from "../options/artifact-options.ts";
import { accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseTransportName, type TransportName } from "../transports/transport-name.ts";

/** `teu artifact attach`. */
export const command: Command = {
  usage: "attach --artifact-type TYPE [OPTIONS] IMAGE [FILE[:TYPE]...]",
  summary: "Attach files to an image",
  description: [
    "The artifact is in the image's repository or layout, without a name of its own: it is found as a referrer of the image,",
    "by `teu artifact discover`. Of an image for several platforms, the whole is meant unless --platform names one.",
  ].join("\n"),
  options: [
    ...ARTIFACT_OPTIONS,
    { long: "platform", value: "string", help: 'Attach to the image for one platform ("linux/arm64")' },
  ],
  unsupported: ["concurrency", "disable-path-validation", "distribution-spec", "export-manifest", "oci-layout"],
  args: [1, Number.POSITIVE_INFINITY],
  examples: [
    "teu artifact attach --artifact-type application/spdx+json localhost:5000/hello:1.0 sbom.spdx.json:application/json",
  ],
  run: async (context, input) => {
    const [image = "", ...files] = input.args;
    if (input.text("artifact-type") === undefined)
      throw usageError("--artifact-type is missing", { fallback: "say what the files are: --artifact-type TYPE" });
    if (files.length === 0 && input.list("annotation").length === 0 && input.text("annotation-file") === undefined)
      throw usageError("there is nothing to attach", { fallback: "name files, or give an --annotation" });
    const name = parseTransportName(image);
    const place = withoutName(name);
    await using places = new Places(context);
    const source = await places.source(name, accessOf(input));
    const platform = input.text("platform");
    const found =
      platform === undefined
        ? await source.resolve(context.scope)
        : (await openImage(context.scope, source, parsePlatform(platform))).document.descriptor;
    return await pushArtifact(context, input, places, place, files, plain(found));
  },
};

/** The same repository or layout; what is put there has its digest only. */
function withoutName(name: TransportName): TransportName {
  if (name.transport === "docker") {
    const { domain, repository } = name.reference;
    return { ...name, reference: { domain, repository } };
  }
  if (name.transport === "oci") return { transport: "oci", text: `oci:${name.path}`, path: name.path };
  throw usageError(`nothing can be attached in ${JSON.stringify(name.text)}`, {
    fallback: "use a registry or an OCI layout",
  });
}

function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
