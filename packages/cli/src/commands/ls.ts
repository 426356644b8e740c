// ls: the tags of a repository, or the names in a layout.

import { readLayoutIndex } from "@teu/image/layout/layout-directory";
import { REF_NAME } from "@teu/image/layout/layout-files";
import { referenceName } from "@teu/image/reference";
import type { Command, CommandContext, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { wantsJson } from "../options/json-format.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { digestOfTag } from "@teu/distribution/digest-tag";
import { Places } from "../transports/open-place.ts";
import { parseRepository } from "../transports/remote-name.ts";
import { parseTransportName } from "../transports/transport-name.ts";

/** `teu ls`. */
export const command: Command = {
  usage: "ls [OPTIONS] REPOSITORY",
  summary: "List the tags of a repository",
  description: "REPOSITORY is on a registry, or an OCI layout (oci:DIR), of which the names of its images are listed.",
  options: [
    ...ACCESS_OPTIONS,
    { long: "format", value: "string", help: '"json": one object with all tags' },
    { long: "full-ref", help: "Show the repository too: NAME:TAG" },
    { long: "omit-digest-tags", help: "Leave out tags that stand in for a digest (sha256-...)" },
  ],
  args: [1, 1],
  examples: ["teu ls localhost:5000/hello", "teu ls --omit-digest-tags --format json localhost:5000/hello"],
  run: async (context, input) => {
    const json = wantsJson(input);
    const omit = input.flag("omit-digest-tags");
    await using places = new Places(context);
    const { repository, tags } = await list(context, input, places);
    const prefix = input.flag("full-ref") ? `${repository}:` : "";
    const all: string[] = [];
    for await (const tag of tags) {
      if (omit && digestOfTag(tag) !== null) continue;
      if (json) all.push(tag);
      else context.print(prefix + tag);
    }
    if (json) context.print(JSON.stringify({ repository, tags: all }));
    return 0;
  },
};

interface Listing {
  readonly repository: string;
  readonly tags: AsyncIterable<string> | Iterable<string>;
}

async function list(context: CommandContext, input: CommandInput, places: Places): Promise<Listing> {
  const text = input.args[0] ?? "";
  const { scope } = context;
  if (/^oci(?:dir)?:/.test(text)) {
    const name = parseTransportName(text);
    if (name.transport !== "oci" || name.image !== undefined)
      throw usageError(`${JSON.stringify(text)} names one image, not a layout`, { fallback: "write oci:DIR" });
    const index = await readLayoutIndex(scope, name.path);
    const names = index.manifests.flatMap((entry) => entry.annotations?.[REF_NAME] ?? []);
    return { repository: `oci:${name.path}`, tags: [...new Set(names)].sort() };
  }
  const repository = parseRepository(text);
  const client = await places.client(repository.domain, accessOf(input));
  return { repository: referenceName(repository), tags: client.tags(scope, repository) };
}
