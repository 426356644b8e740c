// registry export: repositories as an OCI layout or an archive of one.

import { join, resolve } from "node:path";
import { TemporaryDirectory } from "@teu/files/temporary-directory";
import { exportLayout } from "@teu/registry/admin/export";
import { archiveLayout } from "@teu/registry/admin/layout-archive";
import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { JSON_OPTION, LINK_OPTION, localName, openRoot, ROOT_OPTION } from "../registry/root-options.ts";

/** `teu registry export`. */
export const command: Command = {
  usage: "export [OPTIONS] [REPOSITORY...]",
  summary: "Write repositories as a plain OCI layout",
  description: [
    "All repositories, or those named. Images are named REPOSITORY:TAG in the layout, as skopeo reads it: oci:DIRECTORY:team/app:v1.",
    "Works beside a registry that serves the directory; doing it again adds what is missing.",
  ].join("\n"),
  options: [
    { long: "archive", value: "file", help: "Write one tar of a layout" },
    JSON_OPTION,
    LINK_OPTION,
    ROOT_OPTION,
    { long: "to", value: "directory", help: "Write into this layout, made when missing" },
  ],
  args: [0, Number.POSITIVE_INFINITY],
  examples: [
    "teu registry export --root /var/lib/registry --to layout",
    "teu registry export --root /var/lib/registry --archive app.tar team/app",
  ],
  run: async (context, input) => {
    const { scope } = context;
    const [to, archive] = [input.text("to"), input.text("archive")];
    if ((to === undefined) === (archive === undefined))
      throw usageError("say where to", { fallback: "give one of --to DIRECTORY and --archive FILE" });
    const repositories = input.args.map(repositoryName);
    await using root = await openRoot(context, input);
    const options = { link: input.flag("link"), ...(repositories.length === 0 ? {} : { repositories }) };
    const report = await (to === undefined
      ? toArchive(archive ?? "")
      : exportLayout(scope, root, resolve(to), options));
    const { manifests, blobs, missing } = report;
    for (const digest of missing) context.warn(`teu: warning: ${digest} is not in the registry`);
    context.print(
      input.flag("json")
        ? JSON.stringify(report)
        : `exported ${report.repositories} repositories, ${manifests} manifests; wrote ${blobs} blobs`,
    );
    return 0;

    // Hard links in a layout beside the blobs: nothing is copied but into the archive.
    async function toArchive(file: string): ReturnType<typeof exportLayout> {
      await using directory = await TemporaryDirectory.make(scope, root.path, ".export-");
      const layout = join(directory.path, "layout");
      const done = await exportLayout(scope, root, layout, { ...options, link: true });
      await archiveLayout(scope, layout, resolve(file));
      return done;
    }
  },
};

function repositoryName(text: string): string {
  const { repository, tag, digest } = localName(text);
  if (tag === undefined && digest === undefined) return repository;
  throw usageError(`${text} names one image`, {
    fallback: `whole repositories are exported; one image: teu copy docker://HOST/${text} oci:DIRECTORY`,
  });
}
