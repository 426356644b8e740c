// artifact push: files as an artifact on a registry or in a layout.

import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { ARTIFACT_OPTIONS, pushArtifact } from "../options/artifact-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseTransportName, type TransportName } from "../transports/transport-name.ts";

/** `teu artifact push`. */
export const command: Command = {
  usage: "push [OPTIONS] NAME[:TAG] [FILE[:TYPE]...]",
  summary: "Push files as an artifact",
  description: [
    "NAME is on a registry, in an OCI layout (oci:DIR:TAG) or in an archive of one (oci-archive:FILE:TAG). Files keep their names;",
    "directories are packed as tar+gzip and unpacked by pull. The manifest is the one that oras makes.",
  ].join("\n"),
  options: ARTIFACT_OPTIONS,
  unsupported: ["concurrency", "disable-path-validation", "export-manifest", "image-spec", "oci-layout"],
  bulk: true,
  args: [1, Number.POSITIVE_INFINITY],
  examples: [
    "teu artifact push --artifact-type application/vnd.example.sbom localhost:5000/sboms:v1 sbom.json:application/json",
    "teu artifact push -C build oci:layout:v1 report.txt:text/plain assets",
  ],
  run: async (context, input) => {
    const [to = "", ...files] = input.args;
    await using places = new Places(context);
    return await pushArtifact(context, input, places, artifactPlace(to), files, undefined);
  },
};

const IMAGES_ONLY: ReadonlySet<string> = new Set(["containers", "docker-daemon", "docker-archive"]);

/** Images of this host and Docker's archives hold images only. */
function artifactPlace(text: string): TransportName {
  const place = parseTransportName(text);
  if (!IMAGES_ONLY.has(place.transport)) return place;
  throw usageError(`${JSON.stringify(text)} holds images only`, { fallback: "use a registry or an OCI layout" });
}
