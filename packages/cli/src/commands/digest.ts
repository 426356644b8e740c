// digest: what a name stands for, without downloading the image.

import { TeuError } from "@teu/base/errors";
import { parsePlatform } from "@teu/image/platform";
import { referenceName } from "@teu/image/reference";
import { openImage } from "@teu/image/transport/open-image";
import type { Descriptor } from "@teu/specs/image";
import type { Command, CommandContext, CommandInput } from "../command.ts";
import { wantsJson } from "../options/json-format.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseTransportName, type TransportName, withMeaning } from "../transports/transport-name.ts";

/** `teu digest`. */
export const command: Command = {
  usage: "digest [OPTIONS] IMAGE",
  summary: "Show the digest of an image, wherever it is",
  description:
    "IMAGE is a name as `teu copy` takes it. Of an image for several platforms it is the digest of the whole.",
  options: [
    ...ACCESS_OPTIONS,
    { long: "format", value: "string", help: '"json": the whole descriptor' },
    { long: "full-ref", help: "Show the repository too: NAME@DIGEST" },
    { long: "platform", value: "string", help: 'The digest for one platform ("linux/arm64")' },
  ],
  args: [1, 1],
  examples: ["teu digest localhost:5000/hello:1.0", "teu digest --platform linux/arm64 oci:layout:1.0"],
  run: async (context, input) => {
    const name = parseTransportName(input.args[0] ?? "");
    const json = wantsJson(input);
    const repository = input.flag("full-ref") ? `${repositoryOf(name)}@` : "";
    await using places = new Places(context);
    const { mediaType, digest, size } = await find(context, input, places, name);
    context.print(json ? JSON.stringify({ mediaType, digest, size }) : repository + digest);
    return 0;
  },
};

async function find(
  context: CommandContext,
  input: CommandInput,
  places: Places,
  name: TransportName,
): Promise<Descriptor> {
  const platform = input.text("platform");
  const { scope } = context;
  if (platform === undefined && name.transport === "docker") {
    // One HEAD, where the registry says enough.
    const client = await places.client(name.reference.domain, accessOf(input));
    const { bare, reference } = name;
    return client
      .resolve(scope, reference)
      .catch((error: unknown) => Promise.reject(bare === undefined ? error : withMeaning(error, bare)));
  }
  const source = await places.source(name, accessOf(input));
  if (platform === undefined) return source.resolve(scope);
  return (await openImage(scope, source, parsePlatform(platform))).document.descriptor;
}

function repositoryOf(name: TransportName): string {
  if (name.transport === "docker") return referenceName(name.reference);
  throw new TeuError({
    code: "invalid",
    op: "read command line",
    subject: name.text,
    message: "only names on registries have a repository",
    detail: { usage: true },
  });
}
