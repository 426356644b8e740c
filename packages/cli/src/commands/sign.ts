// sign: signatures of images on a registry, with a key of one's own.

import { signImage, type SignatureFormat } from "@teu/distribution/signing/sign-image";
import { parseReference, referenceName } from "@teu/image/reference";
import type { Command, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { annotationsOf, annotationsOption } from "../signing/annotations.ts";
import { privateKeyFrom } from "../signing/key-files.ts";
import { wantsJson } from "../options/json-format.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseRemote } from "../transports/remote-name.ts";

const FORMATS: readonly SignatureFormat[] = ["bundle", "tag"];

/** `teu sign`. */
export const command: Command = {
  usage: "sign [OPTIONS] NAME[:TAG|@DIGEST]...",
  summary: "Sign images on a registry",
  description: [
    "The signature is of the digest that the name stands for now, and is put beside the image. An image that the key has signed",
    "so before is left as it is. Nothing is sent to a transparency log.",
  ].join("\n"),
  options: [
    ...ACCESS_OPTIONS,
    annotationsOption("Say this in the signature"),
    { long: "format", value: "string", help: '"json": say what was signed as JSON' },
    { long: "key", value: "file", help: 'Private key: a file, or "env://NAME"' },
    { long: "output-format", value: "string", help: '"bundle" (default): as cosign 3; "tag": as cosign 2 and skopeo' },
    { long: "recursive", short: "r", help: "Of an image for several platforms each of them, too" },
    {
      long: "sign-container-identity",
      value: "reference",
      help: "The image's name in the signature (default: its repository)",
    },
    { long: "tlog-upload", help: "cosign's flag; only --tlog-upload=false is possible" },
    { long: "yes", short: "y", help: "cosign's flag; nothing is asked anyway" },
  ],
  unsupported: [
    "attachment",
    "bundle",
    "certificate",
    "certificate-chain",
    "fulcio-url",
    "identity-token",
    "payload",
    "rekor-url",
    "signing-config",
    "sk",
    "timestamp-server-url",
    "upload",
  ],
  args: [1, Number.POSITIVE_INFINITY],
  examples: [
    "teu key generate",
    "teu sign --key cosign.key localhost:5000/hello@sha256:DIGEST",
    "teu sign --key cosign.key --recursive -a build=42 localhost:5000/hello:1.0",
  ],
  run: async (context, input) => {
    const names = input.args.map(parseRemote);
    const annotations = annotationsOf(input);
    const format = formatOf(input);
    const json = wantsJson(input);
    const identity = identityOf(input);
    const key = await privateKeyFrom(context, keyOf(input));
    await using places = new Places(context);
    const all: object[] = [];
    for (const { reference } of names) {
      const client = await places.client(reference.domain, accessOf(input));
      const results = await signImage(context.scope, {
        client,
        reference,
        key,
        format,
        annotations,
        recursive: input.flag("recursive"),
        now: new Date(),
        ...(identity === undefined ? {} : { identity }),
      });
      const name = referenceName(reference);
      if (reference.digest === undefined)
        context.warn(`teu: warning: the tag can be moved; signed is ${name}@${results[0]?.digest ?? ""}`);
      for (const { digest, added, signature } of results) {
        all.push({ image: `${name}@${digest}`, format, added, signature });
        if (!json) context.print(`${name}@${digest}: ${added ? "signed" : "was signed by this key already"}`);
      }
    }
    if (json) context.print(JSON.stringify(all));
    return 0;
  },
};

function keyOf(input: CommandInput): string {
  const key = input.text("key");
  if (key !== undefined) return key;
  throw usageError("--key is missing: signing without a key (Fulcio) cannot be done here", {
    fallback: "write --key FILE; `teu key generate` makes one",
  });
}

function formatOf(input: CommandInput): SignatureFormat {
  if (input.flag("tlog-upload"))
    throw usageError("nothing can be sent to a transparency log", { fallback: "leave --tlog-upload out" });
  const text = input.text("output-format") ?? "bundle";
  const format = FORMATS.find((one) => one === text);
  if (format !== undefined) return format;
  throw usageError(`--output-format=${text} is not known`, {
    word: text,
    known: FORMATS,
    fallback: "use bundle or tag",
  });
}

function identityOf(input: CommandInput): string | undefined {
  const identity = input.text("sign-container-identity");
  // Who reads it reads it as a reference.
  if (identity !== undefined) parseReference(identity);
  return identity;
}
