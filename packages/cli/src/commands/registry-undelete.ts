// registry undelete: brings back what was deleted, until its grace time is over.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Undeletion } from "@teu/distribution/server/metadata-storage";
import type { Digest } from "@teu/image/digest";
import type { OpenRoot } from "@teu/registry/admin/open-root";
import type { Command, CommandContext } from "../command.ts";
import { timestamp } from "../output/human-time.ts";
import { JSON_OPTION, type LocalName, localName, openRoot, ROOT_OPTION } from "../registry/root-options.ts";

/** How many deleted manifests and tags are listed, and how far back a tag is looked at. */
const MOST = 1000;

/** `teu registry undelete`. */
export const command: Command = {
  usage: "undelete [OPTIONS] REPOSITORY[:TAG|@DIGEST]",
  summary: "Bring back deleted tags and manifests",
  description: [
    "REPOSITORY alone lists its deleted manifests, and then its deleted tags with where they pointed. A manifest comes back with the",
    "tags that went with it and the manifests it refers to; a tag comes back where it last pointed. Works beside a registry that",
    "serves the directory.",
  ].join("\n"),
  options: [JSON_OPTION, ROOT_OPTION],
  args: [1, 1],
  examples: [
    "teu registry undelete --root /var/lib/registry team/app",
    "teu registry undelete --root /var/lib/registry team/app:v1",
  ],
  run: async (context, input) => {
    const { scope } = context;
    const name = localName(input.args[0] ?? "");
    const json = input.flag("json");
    await using root = await openRoot(context, input);
    const { repository, tag, digest } = name;
    if (tag === undefined && digest === undefined) {
      await root.checkRepository(scope, repository, "list deleted manifests");
      await list(context, root, repository, json);
      return 0;
    }
    const outcome = await undelete(scope, root, name);
    if (json) {
      context.print(JSON.stringify({ repository, manifests: [], tags: [], ...outcome }));
      return 0;
    }
    if (outcome.kind === "unchanged") context.print("it is there");
    if (outcome.kind !== "restored") return 0;
    for (const restored of outcome.manifests) context.print(`manifest ${repository}@${restored}`);
    for (const restored of outcome.tags) context.print(`tag ${repository}:${restored}`);
    return 0;
  },
};

async function list(context: CommandContext, { metadata }: OpenRoot, repository: string, json: boolean): Promise<void> {
  const manifests = await metadata.listDeleted(context.scope, repository, MOST);
  const tags = await metadata.listDeletedTags(context.scope, repository, MOST);
  if (json) return context.print(JSON.stringify({ repository, manifests, tags }));
  for (const { digest, deletedAt, mediaType } of manifests)
    context.print(`${digest}  ${timestamp(deletedAt)}  ${mediaType}`);
  for (const { tag, deletedAt, digest } of tags) context.print(`${tag}  ${timestamp(deletedAt)}  ${digest}`);
}

async function undelete(scope: Scope, { metadata }: OpenRoot, name: LocalName): Promise<Undeletion> {
  const { repository, tag, digest } = name;
  const outcome =
    digest !== undefined
      ? await metadata.undeleteManifest(scope, repository, digest)
      : await undeleteTag(scope, metadata, repository, tag ?? "");
  if (outcome.kind !== "unknown") return outcome;
  throw new TeuError({
    code: "not-found",
    op: "undelete",
    subject: `${repository}${tag === undefined ? `@${digest}` : `:${tag}`}`,
    message: "it never was there, or its grace time is over",
  });
}

async function undeleteTag(
  scope: Scope,
  metadata: OpenRoot["metadata"],
  repository: string,
  tag: string,
): Promise<Undeletion> {
  const history = await metadata.tagHistory(scope, repository, tag, MOST);
  if (history.length > 0 && history[0]?.digest !== null) return { kind: "unchanged" };
  const last: Digest | null | undefined = history.find(({ digest }) => digest !== null)?.digest;
  return last === null || last === undefined ? { kind: "unknown" } : metadata.restoreTag(scope, repository, tag, last);
}
