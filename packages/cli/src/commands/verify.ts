// verify: whether images on a registry are signed by a key, or by who a certificate names.

import { TeuError } from "@teu/base/errors";
import { hasAnnotations, type SignatureClaim } from "@teu/distribution/signing/claim";
import { findSignatures } from "@teu/distribution/signing/find-signatures";
import { summary } from "@teu/distribution/signing/policy/enforce-policy";
import { registryPlace } from "@teu/distribution/signing/signature-place";
import { type AcceptedSignature, verifySignatures } from "@teu/distribution/signing/verify-image";
import { type Reference, referenceName, referenceText } from "@teu/image/reference";
import type { Command, CommandContext } from "../command.ts";
import { printError } from "../output/print-error.ts";
import { annotationsOf, annotationsOption } from "../signing/annotations.ts";
import { CERTIFICATE_OPTIONS, trustOf } from "../signing/signature-trust.ts";
import { wantsJson } from "../options/json-format.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseRemote } from "../transports/remote-name.ts";

/** cosign's exit codes. */
const NO_SIGNATURE = 10;
const NONE_FITS = 12;
/** `teu verify`. */
export const command: Command = {
  usage: "verify [OPTIONS] NAME[:TAG|@DIGEST]...",
  summary: "Verify signatures of images on a registry",
  description: [
    "One good signature of each image is enough: a bundle as of cosign 3, or one under a tag as of cosign 2 and skopeo.",
    "As with cosign, the name in the signature is shown and not compared: a copy of an image has the same signatures.",
    `Exits with 0; ${NO_SIGNATURE} when an image has no signature, ${NONE_FITS} when none of them counts, 1 when that cannot be found out.`,
  ].join("\n"),
  options: [
    ...ACCESS_OPTIONS,
    annotationsOption("The signature has to say this"),
    ...CERTIFICATE_OPTIONS,
    { long: "format", value: "string", help: '"json": what the signatures say, as cosign prints it' },
    { long: "insecure-ignore-tlog", help: "cosign's flag; keys need no transparency log here" },
    { long: "key", value: "file", repeat: true, help: 'Public key, any of several: files, or "env://NAME"' },
    { long: "trusted-root", value: "file", help: "Whom to believe about certificates: a trusted_root.json" },
  ],
  unsupported: [
    "attachment",
    "bundle",
    "certificate",
    "certificate-chain",
    "check-claims",
    "payload",
    "rekor-url",
    "sk",
  ],
  args: [1, Number.POSITIVE_INFINITY],
  examples: [
    "teu verify --key cosign.pub localhost:5000/hello:1.0",
    "teu verify --key cosign.pub -a build=42 --format json localhost:5000/hello:1.0",
    "teu verify --certificate-identity me@example.org --certificate-oidc-issuer https://accounts.google.com --trusted-root trusted_root.json quay.io/me/app:1.0",
  ],
  run: async (context, input) => {
    const names = input.args.map(parseRemote);
    const annotations = annotationsOf(input);
    const json = wantsJson(input);
    const trust = await trustOf(input);
    await using places = new Places(context);
    const claims: SignatureClaim[] = [];
    let code = 0;
    for (const { reference } of names) {
      try {
        const client = await places.client(reference.domain, accessOf(input));
        const image = await client.manifest(context.scope, reference);
        const found = await findSignatures(context.scope, registryPlace(client, reference), image.descriptor.digest);
        const { accepted, rejected } = await verifySignatures(found, image, trust, (claim) =>
          hasAnnotations(claim, annotations) ? null : "it does not say what -a asks for",
        );
        if (accepted.length === 0) throw unsigned(reference, rejected.length === 0 ? null : summary(rejected));
        claims.push(...accepted.map(({ claim }) => claim));
        if (!json) show(context, `${referenceName(reference)}@${image.descriptor.digest}`, accepted);
      } catch (error) {
        if (context.scope.signal.aborted) throw error;
        printError(context.io.stderr, error, context.debug);
        const own = error instanceof TeuError ? error.detail["verifyCode"] : undefined;
        if (code === 0) code = typeof own === "number" ? own : 1;
      }
    }
    if (json && claims.length > 0) context.print(JSON.stringify(claims.map(asCosign)));
    return code;
  },
};

function unsigned(reference: Reference, why: string | null): TeuError {
  return new TeuError({
    code: "denied",
    op: "verify image",
    subject: referenceText(reference),
    message: why === null ? "it has no signature" : `none of its signatures counts: ${why}`,
    detail: { verifyCode: why === null ? NO_SIGNATURE : NONE_FITS },
  });
}

function show(context: CommandContext, image: string, accepted: readonly AcceptedSignature[]): void {
  context.print(image);
  for (const { format, claim } of accepted) {
    const annotations = Object.entries(claim.annotations).map(
      ([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
    );
    const who = claim.reference === null ? "" : ` for ${claim.reference}`;
    context.print(`  signed (${format})${who}${annotations.join("")}`);
  }
}

function asCosign({ reference, digest, type, annotations }: SignatureClaim): object {
  const critical = {
    identity: { "docker-reference": reference ?? "" },
    image: { "docker-manifest-digest": digest },
    type,
  };
  return { critical, optional: annotations };
}
