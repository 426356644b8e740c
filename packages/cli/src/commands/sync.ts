// sync: mirror the images that a list names.

import { open } from "node:fs/promises";
import { TeuError } from "@teu/base/errors";
import { fileError } from "@teu/files/addon";
import { parsePlatform } from "@teu/image/platform";
import type { Command, CommandContext, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { POLICY_OPTION, policyOf } from "../options/signature-policy.ts";
import { copyProgress } from "../output/copy-progress.ts";
import { printError } from "../output/print-error.ts";
import { syncImages, type SyncOptions, type SyncResult } from "../sync/sync-images.ts";
import { parseSyncList } from "../sync/sync-list.ts";
import { parseSyncTarget } from "../sync/sync-target.ts";
import { wantsJson } from "../options/json-format.ts";
import { sideAccess } from "../transports/copy-options.ts";

/** Larger lists are something else. */
const LIST_LIMIT = 4 << 20;

/** `teu sync`. */
export const command: Command = {
  usage: "sync [OPTIONS] FILE.yaml DESTINATION",
  summary: "Mirror the images that a list names",
  description: [
    "The list is skopeo's: registries, their repositories, and which tags of each. The destination is docker://HOST/PREFIX, oci:DIR",
    "or dir:DIR. All platforms are copied; what is there by digest is passed over. Exits with 1 when anything failed.",
  ].join("\n"),
  options: [
    { long: "all", short: "a", help: "All platforms: always so without --platform" },
    { long: "dest-cert-dir", value: "dir", help: "Certificates for the destination's registry" },
    { long: "dest-creds", value: "user:password", help: "Credentials for the destination's registry" },
    { long: "dest-tls-verify", on: true, help: "Destination: TLS with verification; false: plain HTTP too" },
    { long: "digest-tags", help: "Tags that belong to an image by its digest, too (sha256-HEX.sig)" },
    { long: "dry-run", help: "Say what would be copied, and copy nothing" },
    { long: "format", value: "string", help: '"json": say what was done as JSON' },
    { long: "insecure", help: "Plain HTTP, or TLS without verification, on both sides" },
    { long: "keep-going", help: "Go on after a failure" },
    { long: "platform", value: "string", help: 'Only the image for one platform ("linux/arm64")' },
    { long: "preserve-digests", help: "Always so; skopeo's flag" },
    { long: "quiet", short: "q", help: "Show failures only" },
    { long: "referrers", help: "Signatures, SBOMs and all else that refers to an image, too" },
    POLICY_OPTION,
    { long: "scoped", help: "Keep whole names, with their registries" },
  ],
  unsupported: ["append-suffix", "dest", "remove-signatures", "sign-by", "sign-by-sigstore", "src"],
  bulk: true,
  args: [2, 2],
  examples: [
    "teu sync --dry-run images.yaml docker://localhost:5000/mirror",
    "teu sync --scoped --keep-going images.yaml dir:/media/usb",
  ],
  run: async (context, input) => {
    const [file = "", to = ""] = input.args;
    const target = parseSyncTarget(to);
    const json = wantsJson(input);
    if (input.flag("digest-tags") && target.transport === "dir")
      throw usageError("--digest-tags: a directory holds no tags", { fallback: "use an OCI layout or a registry" });
    const platform = input.text("platform");
    if (platform !== undefined && input.flag("all"))
      throw usageError("--all and --platform exclude each other", { fallback: "leave one of them out" });
    const registries = parseSyncList(file, await readList(context, file));
    const results: SyncResult[] = [];
    {
      using progress = copyProgress(context, input.flag("quiet") || json);
      await syncImages(context, registries, {
        target,
        access: sideAccess(input, "dest"),
        platform: platform === undefined ? "all" : parsePlatform(platform),
        ...switches(input),
        ...policyOf(input),
        progress: progress.copied,
        report: (result) => {
          results.push(result);
          if (result.error !== undefined) printError(context.io.stderr, result.error, context.debug);
          else if (!json && !input.flag("quiet")) context.print(line(result));
        },
      });
    }
    const counts = countsOf(results);
    if (json) context.print(JSON.stringify({ images: results, ...counts }));
    else if (!input.flag("quiet")) context.warn(summary(counts));
    return counts.failed === 0 ? 0 : 1;
  },
};

function switches(
  input: CommandInput,
): Pick<SyncOptions, "insecure" | "scoped" | "referrers" | "digestTags" | "keepGoing" | "dryRun"> {
  return {
    insecure: input.flag("insecure"),
    scoped: input.flag("scoped"),
    referrers: input.flag("referrers"),
    digestTags: input.flag("digest-tags"),
    keepGoing: input.flag("keep-going"),
    dryRun: input.flag("dry-run"),
  };
}

async function readList(context: CommandContext, file: string): Promise<string> {
  context.scope.check("read list of images");
  try {
    await using handle = await open(file);
    const { size } = await handle.stat();
    if (size <= LIST_LIMIT) return await handle.readFile("utf8");
    const message = `${size} bytes, limit is ${LIST_LIMIT}`;
    throw new TeuError({ code: "exhausted", op: "read list of images", subject: file, message });
  } catch (error) {
    throw fileError("read list of images", file, error);
  }
}

function countsOf(results: readonly SyncResult[]): Record<SyncResult["status"], number> & { readonly bytes: number } {
  const count = (status: SyncResult["status"]): number => results.filter((one) => one.status === status).length;
  return {
    copied: count("copied"),
    present: count("present"),
    planned: count("planned"),
    failed: count("failed"),
    bytes: results.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function line({ status, source, destination, digest }: SyncResult): string {
  const word = status === "planned" ? "would copy" : status;
  return `${word} ${source} -> ${destination ?? ""} ${digest ?? ""}`;
}

function summary({ copied, present, planned, failed }: ReturnType<typeof countsOf>): string {
  const first = planned > 0 ? `${planned} to copy` : `${copied} copied`;
  return `${first}, ${present} there already, ${failed} failed`;
}
