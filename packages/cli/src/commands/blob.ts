// blob: one blob of a repository or layout, verified.

import { TeuError } from "@teu/base/errors";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { type Digest, parseDigest } from "@teu/image/digest";
import type { Command, CommandContext, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { fileForJson, writeBytes, type WrittenFile } from "../output/write-bytes.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseTransportName } from "../transports/transport-name.ts";

/** `teu blob`. */
export const command: Command = {
  usage: "blob [OPTIONS] NAME@DIGEST",
  summary: "Download one blob",
  description: [
    "NAME is a repository on a registry, or an OCI layout (oci:DIR).",
    "Without -o the bytes go to stdout as they come: only exit code 0 says that they were the right ones.",
  ].join("\n"),
  options: [
    ...ACCESS_OPTIONS,
    jsonOption("with -o, say what was written"),
    {
      long: "output",
      short: "o",
      value: "file",
      help: "Write to a file, which appears when the blob is whole and verified",
    },
  ],
  args: [1, 1],
  examples: [
    "teu blob -o layer.tar.gz localhost:5000/hello@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  ],
  run: async (context, input) => {
    const file = wantsJson(input) ? fileForJson(input) : undefined;
    await using places = new Places(context);
    const { bytes, digest, size } = await open(context, input, places);
    await writeBytes(context, bytes, input.text("output"), "download blob");
    if (file === undefined) return 0;
    const written: WrittenFile = { file, digest, size };
    context.print(JSON.stringify({ source: input.args[0], ...written }));
    return 0;
  },
};

interface OpenBlob {
  /** Verified while they are read. */
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly digest: Digest;
  readonly size: number;
}

async function open(context: CommandContext, input: CommandInput, places: Places): Promise<OpenBlob> {
  const text = input.args[0] ?? "";
  const name = parseTransportName(text);
  const { scope } = context;
  if (name.transport === "docker" && name.reference.digest !== undefined) {
    const { reference } = name;
    const { digest } = name.reference;
    const client = await places.client(reference.domain, accessOf(input));
    const size = await client.blobSize(scope, reference, digest);
    if (size === null) throw absent(text, digest);
    return { bytes: client.blob(scope, reference, { digest, size }), digest, size };
  }
  if (name.transport === "oci" && name.image?.startsWith("@sha") === true) {
    const digest = parseDigest(name.image.slice(1));
    const store = DiskContentStore.readOnly(name.path);
    const info = await store.info(scope, digest);
    if (info === null) throw absent(text, digest);
    return { bytes: store.read(scope, digest), digest, size: info.size };
  }
  throw usageError(`${JSON.stringify(text)} names no blob`, { fallback: "write NAME@DIGEST or oci:DIR@DIGEST" });
}

function absent(subject: string, digest: Digest): TeuError {
  return new TeuError({ code: "not-found", op: "download blob", subject, message: `no such blob: ${digest}` });
}
