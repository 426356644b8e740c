// registry import: takes repositories out of an OCI layout, an archive of one, or docker-registry's directory.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { formatSize } from "@teu/base/bytes";
import { TeuError } from "@teu/base/errors";
import { TemporaryDirectory } from "@teu/files/temporary-directory";
import { LAYOUT_FILE } from "@teu/image/layout/layout-files";
import { DockerRegistrySource } from "@teu/registry/admin/docker-registry-source";
import { importFrom } from "@teu/registry/admin/import";
import { LayoutSource } from "@teu/registry/admin/layout-source";
import { OpenRoot } from "@teu/registry/admin/open-root";
import { isArchive, unpackLayout } from "@teu/registry/admin/unpack-layout";
import type { Command } from "../command.ts";
import { JSON_OPTION, LINK_OPTION, localName, ROOT_OPTION, rootPath } from "../registry/root-options.ts";

/** `teu registry import`. */
export const command: Command = {
  usage: "import [OPTIONS] DIRECTORY|ARCHIVE",
  summary: "Take in an OCI layout, an archive of one, or docker-registry's directory",
  description: [
    "Digests stay what they are. DIRECTORY is an OCI layout, or docker-registry's rootdirectory (docker/registry/v2 is below it).",
    "ARCHIVE is a layout in a tar, compressed or not; it is unpacked below the root first.",
    "Works beside a registry that serves the directory; doing it again brings only what is missing. Exit code 1 when something",
    "could not be taken; all else was.",
  ].join("\n"),
  options: [
    JSON_OPTION,
    LINK_OPTION,
    { long: "repository", value: "name", help: "For entries of a layout that name no repository" },
    ROOT_OPTION,
    { long: "sparse", help: "Also take manifests whose layers or platforms are not all there" },
  ],
  args: [1, 1],
  examples: [
    "teu registry import --root /var/lib/registry /var/lib/docker-registry",
    "teu registry import --root /var/lib/registry --repository team/app layout",
    "teu registry import --root /var/lib/registry app.tar",
  ],
  run: async (context, input) => {
    const { scope } = context;
    const from = resolve(input.args[0] ?? "");
    const name = input.text("repository");
    const repository = name === undefined ? undefined : localName(name).repository;
    const archived = isArchive(from);
    const docker = archived ? null : await DockerRegistrySource.open(from);
    if (!archived && docker === null && !existsSync(join(from, LAYOUT_FILE))) throw noSource(from);
    await using root = await OpenRoot.open(scope, rootPath(input), { make: true });
    await using unpacked = archived ? await TemporaryDirectory.make(scope, root.path, ".import-") : null;
    if (unpacked !== null) await unpackLayout(scope, from, unpacked.path);
    const source = docker ?? new LayoutSource(unpacked?.path ?? from, repository);
    const report = await importFrom(scope, root, source, {
      // Nobody else has what was just unpacked.
      link: archived || input.flag("link"),
      sparse: input.flag("sparse"),
      failed: ({ subject, message }) => context.warn(`teu: ${subject}: ${message}`),
    });
    const { manifests, tags, blobs, bytes, failures } = report;
    const done = `imported ${manifests} manifests, ${tags} tags, ${blobs} blobs (${formatSize(bytes)})`;
    if (input.flag("json")) context.print(JSON.stringify(report));
    else context.print(failures.length === 0 ? done : `${done}; ${failures.length} failed`);
    return failures.length === 0 ? 0 : 1;
  },
};

function noSource(subject: string): TeuError {
  return new TeuError({
    code: "invalid",
    op: "import into registry",
    subject,
    message:
      "it is neither an OCI layout (oci-layout, index.json) nor docker-registry's rootdirectory (docker/registry/v2 below it)",
  });
}
