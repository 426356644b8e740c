// registry gc: frees what nothing needs, while the registry serves.

import { formatSize } from "@teu/base/bytes";
import { collect, type CollectOptions, planCollect } from "@teu/registry/admin/collect";
import { timeBeside } from "@teu/registry/clock-note";
import type { SweepResult } from "@teu/registry/sweep";
import type { Command, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { timestamp } from "../output/human-time.ts";
import { duration, JSON_OPTION, openRoot, ROOT_OPTION } from "../registry/root-options.ts";

const DAY = 86_400_000;
/** Smaller differences are of no account, and nobody wants to hear of them. */
const NOTICED = 60_000;

/** `teu registry gc`. */
export const command: Command = {
  usage: "gc [OPTIONS]",
  summary: "Free what nothing needs in a registry",
  description: [
    "Works beside a registry that serves the directory: nothing is locked, and pushes go on.",
    "A server does the same by itself every hour.",
  ].join("\n"),
  options: [
    ROOT_OPTION,
    {
      long: "delete-untagged",
      help: "Also delete manifests without a tag, unless an index or a living subject has them",
    },
    { long: "dry-run", help: "Say what would go, and delete nothing" },
    { long: "grace", value: "duration", help: "How long deleted and unused things stay (default 24h)" },
    {
      long: "history-latest",
      value: "number",
      help: "Forget changes of tags but so many of the latest (default all stay)",
    },
    { long: "history-within", value: "duration", help: "Forget changes of tags but those within this time" },
    JSON_OPTION,
    { long: "upload-expiry", value: "duration", help: "How long an upload may lie idle (default 24h)" },
  ],
  args: [0, 0],
  examples: [
    "teu registry gc --root /var/lib/registry --dry-run",
    "teu registry gc --root /var/lib/registry --delete-untagged --grace 7d",
  ],
  run: async (context, input) => {
    const { scope } = context;
    await using root = await openRoot(context, input);
    const now = timeBeside(scope, root.path);
    if (scope.now() - now > NOTICED)
      context.warn(`the clock is ahead of the time that the server goes by, which counts: ${timestamp(now)}`);
    const options = { ...optionsOf(input), now };
    if (!input.flag("dry-run")) {
      const result = await collect(scope, root, options);
      context.print(input.flag("json") ? JSON.stringify(result) : `removed ${describe(result)}`);
      return 0;
    }
    const plan = await planCollect(scope, root, options);
    if (input.flag("json")) {
      context.print(JSON.stringify({ ...plan, later: { ...plan.later, at: new Date(plan.later.at).toISOString() } }));
      return 0;
    }
    context.print(`now: would remove ${describe(plan.now)}`);
    context.print(`by ${timestamp(plan.later.at)}, unless used: ${describe(plan.later)}`);
    return 0;
  },
};

function optionsOf(input: CommandInput): CollectOptions {
  const history = {
    ...(input.text("history-latest") === undefined ? {} : { keepLatest: count(input, "history-latest") }),
    ...(input.text("history-within") === undefined ? {} : { within: duration(input, "history-within", 0) }),
  };
  return {
    history,
    grace: duration(input, "grace", DAY),
    uploadExpiry: duration(input, "upload-expiry", DAY),
    untagged: input.flag("delete-untagged"),
  };
}

function count(input: CommandInput, flag: string): number {
  const text = input.text(flag) ?? "";
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usageError(`--${flag} ${JSON.stringify(text)} is no number`, { fallback: "write 1 or more" });
}

function describe({ uploads, marked, manifests, blobs, bytes, changes }: SweepResult): string {
  const parts = [
    `${manifests} manifests`,
    `${blobs} blobs`,
    `${uploads} idle uploads`,
    ...(changes === 0 ? [] : [`${changes} changes of tags`]),
    ...(marked === 0 ? [] : [`marks ${marked} untagged manifests as deleted`]),
  ];
  return `${formatSize(bytes)}: ${parts.join(", ")}`;
}
