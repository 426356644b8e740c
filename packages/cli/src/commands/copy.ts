// copy: an image from any place to any other, digests as they are.

import { copyImage } from "@teu/image/transport/copy-image";
import type { Command } from "../command.ts";
import { POLICY_OPTION, policyOf } from "../options/signature-policy.ts";
import { copyProgress } from "../output/copy-progress.ts";
import { checkWritable, writeText } from "../output/result-file.ts";
import { checkDigestTags, copyDigestTags } from "../transports/digest-tags.ts";
import { copyGate } from "../transports/copy-policy.ts";
import { wantsJson } from "../options/json-format.ts";
import { sideAccess, wantedPlatform } from "../transports/copy-options.ts";
import { parseFurtherNames } from "../transports/further-names.ts";
import { Places } from "../transports/open-place.ts";
import { parseTransportName, TRANSPORTS } from "../transports/transport-name.ts";

/** `teu copy`. */
export const command: Command = {
  usage: "copy [OPTIONS] SOURCE DESTINATION",
  summary: "Copy an image between registries, layouts, archives and this host",
  description: [
    `Places begin with ${TRANSPORTS.join(", ")}; without one of these it is an image on a registry.`,
    "Of an image for several platforms this host's is copied, unless told otherwise. Bytes and digests never change.",
  ].join("\n"),
  options: [
    {
      long: "additional-tag",
      value: "name",
      repeat: true,
      help: "A further name at the destination: NAME:TAG, on a registry a tag of the same repository",
    },
    { long: "all", short: "a", help: "All platforms of the image" },
    { long: "dest-cert-dir", value: "dir", help: "Certificates for the destination's registry" },
    { long: "dest-creds", value: "user:password", help: "Credentials for the destination's registry" },
    {
      long: "dest-daemon-host",
      value: "host",
      help: "Docker daemon of the destination (unix:///PATH, tcp://HOST:PORT)",
    },
    { long: "dest-tls-verify", on: true, help: "Destination: TLS with verification; false: plain HTTP too" },
    { long: "digest-tags", help: "Tags that belong to the image by its digest, too (sha256-HEX.sig)" },
    { long: "digestfile", value: "file", help: "Write the digest to a file" },
    { long: "format", value: "string", help: '"json": say what was copied as JSON' },
    { long: "insecure", help: "Plain HTTP, or TLS without verification, on both sides" },
    { long: "platform", value: "string", help: 'Platform of the image ("linux/arm64")' },
    { long: "preserve-digests", help: "Always so; skopeo's flag" },
    { long: "quiet", short: "q", help: "Show only the digest" },
    { long: "referrers", help: "Signatures, SBOMs and all else that refers to the image, too" },
    { long: "src-cert-dir", value: "dir", help: "Certificates for the source's registry" },
    POLICY_OPTION,
    { long: "src-creds", value: "user:password", help: "Credentials for the source's registry" },
    { long: "src-daemon-host", value: "host", help: "Docker daemon of the source" },
    { long: "src-tls-verify", on: true, help: "Source: TLS with verification; false: plain HTTP too" },
  ],
  unsupported: [
    "dest-compress",
    "dest-compress-format",
    "dest-compress-level",
    "dest-decompress",
    "encrypt-layer",
    "multi-arch",
    "remove-signatures",
    "sign-by",
    "sign-by-sigstore",
  ],
  bulk: true,
  args: [2, 2],
  examples: [
    "teu copy --all docker://registry.example.org/app:v1 docker://localhost:5000/app:v1",
    "teu copy docker://localhost:5000/app:v1 oci:layout:v1",
    "teu copy containers:hello docker-archive:hello.tar:hello:latest",
    "teu copy --additional-tag latest oci:layout:v1 docker://localhost:5000/app:v1",
  ],
  run: async (context, input) => {
    const [from = "", to = ""] = input.args;
    const names = { from: parseTransportName(from), to: parseTransportName(to) };
    const further = parseFurtherNames(names.to, input.list("additional-tag"));
    const platform = wantedPlatform(input);
    const json = wantsJson(input);
    const quiet = input.flag("quiet");
    const file = input.text("digestfile");
    if (file !== undefined) await checkWritable("write digest", file);
    await using places = new Places(context);
    const sides = { from: sideAccess(input, "src"), to: sideAccess(input, "dest") };
    if (input.flag("digest-tags")) checkDigestTags(names);
    const source = await places.source(names.from, sides.from);
    // First, so that an image that is not there leaves no empty layout behind.
    await source.resolve(context.scope);
    const approve = await copyGate(context, policyOf(input), places, names.from, sides.from, source);
    const sink = await places.sink(names.to, sides.to, further);
    const result = await (async () => {
      using progress = copyProgress(context, quiet);
      return await copyImage(context.scope, {
        source,
        sink,
        platform,
        referrers: input.flag("referrers"),
        ...(approve === undefined ? {} : { approve }),
        progress: progress.copied,
      });
    })();
    const tags = input.flag("digest-tags")
      ? await copyDigestTags(context, places, names, sides, result.documents)
      : null;
    const { descriptor, documents, ...counts } = result;
    const { digest, mediaType, size } = descriptor;
    if (file !== undefined) await writeText("write digest", file, digest);
    if (json) {
      const where = { source: source.name, destination: sink.name };
      const what = { digest, mediaType, size, documents: documents.length, ...counts };
      context.print(JSON.stringify({ ...where, ...what, ...(tags === null ? {} : { digestTags: tags }) }));
    } else context.print(quiet ? digest : `Digest: ${digest}`);
    return 0;
  },
};
