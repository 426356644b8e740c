// registry tags: where a tag pointed, and pointing it back there.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { isDigest, type Digest } from "@teu/image/digest";
import type { OpenRoot } from "@teu/registry/admin/open-root";
import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { timestamp } from "../output/human-time.ts";
import { JSON_OPTION, localName, openRoot, ROOT_OPTION } from "../registry/root-options.ts";

const MOST = 1000;
const VERBS = ["history", "rollback"];

/** `teu registry tags`. */
export const command: Command = {
  usage: "tags [OPTIONS] history|rollback REPOSITORY:TAG [DIGEST]",
  summary: "Show where a tag pointed, and point it back",
  description: [
    "history lists the changes of a tag, newest first. rollback points it at DIGEST, or where it pointed before it points where it",
    "does; a deleted manifest comes back with it. Works beside a registry that serves the directory.",
  ].join("\n"),
  options: [JSON_OPTION, ROOT_OPTION],
  args: [2, 3],
  examples: [
    "teu registry tags history --root /var/lib/registry team/app:latest",
    "teu registry tags rollback --root /var/lib/registry team/app:latest",
  ],
  run: async (context, input) => {
    const [verb = "", text = "", digest] = input.args;
    if (!VERBS.includes(verb))
      throw usageError(`tags ${verb} is not known`, { word: verb, known: VERBS, fallback: "use history or rollback" });
    const { repository, tag } = localName(text);
    if (tag === undefined) throw usageError(`${text} names no tag`, { fallback: "write REPOSITORY:TAG" });
    if (digest !== undefined && (verb === "history" || !isDigest(digest)))
      throw usageError(`${digest} is no digest to roll back to`, { fallback: "write it as `tags history` shows it" });
    const { scope } = context;
    await using root = await openRoot(context, input);
    if (verb === "history") {
      const changes = await root.metadata.tagHistory(scope, repository, tag, MOST);
      if (changes.length === 0) await root.checkRepository(scope, repository, "show tag history");
      if (changes.length === 0) throw neverThere(`${repository}:${tag}`);
      if (input.flag("json")) context.print(JSON.stringify(changes));
      else for (const { at, digest: to } of changes) context.print(`${timestamp(at)}  ${to ?? "(removed)"}`);
      return 0;
    }
    const target = digest ?? (await previous(scope, root, repository, tag));
    const outcome =
      target === null ? { kind: "unknown" } : await root.metadata.restoreTag(scope, repository, tag, target);
    if (outcome.kind === "unknown") throw nothingThere(`${repository}:${tag}`);
    context.print(`${repository}:${tag} is ${target}`);
    return 0;
  },
};

async function previous(scope: Scope, { metadata }: OpenRoot, repository: string, tag: string): Promise<Digest | null> {
  const [newest, ...older] = await metadata.tagHistory(scope, repository, tag, MOST);
  return older.find(({ digest }) => digest !== null && digest !== newest?.digest)?.digest ?? null;
}

function neverThere(subject: string): TeuError {
  const message = "nothing is known of such a tag: it never was there, or its history was trimmed";
  return new TeuError({ code: "not-found", op: "show tag history", subject, message });
}

function nothingThere(subject: string): TeuError {
  return new TeuError({
    code: "not-found",
    op: "roll back tag",
    subject,
    message: "it pointed nowhere else, or that manifest is gone",
    hint: "`teu registry tags history` lists where it pointed",
  });
}
