// What cosign 3 signs of an image: an in-toto statement whose predicate says nothing but "signed". Attestations (provenance, SBOMs)
// are statements too, and may be made by the same key: the predicate type tells them apart, and is always checked.

import { type Digest, digestAlgorithm, digestEncoded } from "@teu/image/digest";

import { isDigestOf, type SignatureClaim, type SignedAnnotations, type SignedImage } from "./claim.ts";
import { type JsonObject, StrictJson } from "./strict-json.ts";

/** Payload type of the envelope around a statement. */
export const STATEMENT_PAYLOAD = "application/vnd.in-toto+json";
/** Predicate type of an image signature. */
export const SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1";

const TYPES: ReadonlySet<string> = new Set(["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"]);
const LARGEST = 128 << 10;
const MOST_SUBJECTS = 100;

/** The bytes to sign. cosign leaves the subject's `name` out; with it, a policy can ask for whose image this is. */
export function signStatement(digest: Digest, reference: string, annotations: SignedAnnotations): Buffer {
  const subject = {
    name: reference,
    digest: { [digestAlgorithm(digest)]: digestEncoded(digest) },
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
  const [type] = TYPES;
  return Buffer.from(JSON.stringify({ _type: type, subject: [subject], predicateType: SIGN_PREDICATE, predicate: {} }));
}

/** Reads a statement whose signature was verified. @throws TeuError `invalid` when it is no signature, or of another image. */
export function readSignStatement(payload: Uint8Array, image: SignedImage): SignatureClaim {
  const json = new StrictJson("signed statement");
  const document = json.parse(payload, LARGEST);
  json.onlyFields(document, "it", ["_type", "subject", "predicateType"], ["predicate"]);
  const form = json.text(document["_type"], "_type");
  if (!TYPES.has(form)) throw json.fault(`_type is ${JSON.stringify(form.slice(0, 100))}`);
  const type = json.text(document["predicateType"], "predicateType");
  if (type !== SIGN_PREDICATE) throw json.fault(`it is an attestation, ${JSON.stringify(type.slice(0, 200))}`);
  const subjects = json.array(document["subject"], "subject").map((one, i) => json.object(one, `subject ${i}`));
  if (subjects.length > MOST_SUBJECTS) throw json.fault(`more than ${MOST_SUBJECTS} subjects`);
  for (const [i, subject] of subjects.entries()) {
    const digest = digestIn(json, subject, i, image);
    if (digest === null) continue;
    const { name, annotations } = subject;
    const reference = name === undefined ? "" : json.text(name, `name of subject ${i}`);
    return {
      type,
      reference: reference === "" ? null : reference,
      digest,
      annotations:
        annotations === undefined || annotations === null
          ? {}
          : json.object(annotations, `annotations of subject ${i}`),
    };
  }
  throw json.fault("it is of another image");
}

// All digests of a subject that can be computed have to be the image's, and at least one.
function digestIn(json: StrictJson, subject: JsonObject, i: number, image: SignedImage): Digest | null {
  const digests = Object.entries(json.object(subject["digest"], `digest of subject ${i}`));
  let found: Digest | null = null;
  for (const [algorithm, encoded] of digests) {
    if (algorithm !== "sha256" && algorithm !== "sha512") continue;
    const text = `${algorithm}:${json.text(encoded, `digest of subject ${i}`)}`;
    if (!isDigestOf(text, image)) return null;
    found = text;
  }
  return found;
}
