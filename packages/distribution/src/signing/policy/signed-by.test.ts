// Policies that ask for GPG signatures: which ones make an image be taken, from a registry and from a directory.

import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { digestEncoded, digestOf, parseDigest } from "@teu/image/digest";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { type Reference, referenceText, withTag } from "@teu/image/reference";
import { directorySource } from "@teu/image/transport/directory-image";
import { MEDIA_TYPES, parseIndex } from "@teu/specs/image";
import { atomicPayload, gpgSignature, gpgSigned, makeGpgKey } from "@teu/testkit/gpg-keys";
import { randomIndex } from "@teu/testkit/random-image";
import { SignatureBench } from "@teu/testkit/signature-bench";
import { makeKey } from "@teu/testkit/signing-keys";
import { tempRoot, type TempRoot } from "@teu/testkit/temp-root";

import { pullImage } from "../../client/pull.ts";
import { pushImage } from "../../client/push.ts";
import type { SignedImage } from "../claim.ts";
import { signImage } from "../sign-image.ts";
import { registryPlace, type SignaturePlace, sourcePlace } from "../signature-place.ts";
import { SIGNATURE_ANNOTATION, SIMPLE_SIGNING, simpleSigningPayload } from "../simple-signing.ts";
import { enforcePolicy } from "./enforce-policy.ts";
import { parsePolicy } from "./parse-policy.ts";
import { fileSubject, registrySubject } from "./policy-scopes.ts";

const key = await makeGpgKey();
const other = await makeGpgKey();
const AMD = { os: "linux", architecture: "amd64" };
const ARM = { os: "linux", architecture: "arm64" };
const MATCH = { signedIdentity: { type: "matchRepository" } };

function by(keyring: Uint8Array, more: object = {}): object {
  return { type: "signedBy", keyType: "GPGKeys", keyData: Buffer.from(keyring).toString("base64"), ...more };
}

async function refused(code: ErrorCode, reason: RegExp, attempt: Promise<unknown>, name?: string): Promise<void> {
  await assert.rejects(attempt, (error) => isTeuError(error, code) && reason.test(error.message), name);
}

interface Changes {
  readonly reference?: Reference;
  readonly platform?: typeof AMD | "all";
}

/** An image on a registry, and a directory for its signatures. */
class GpgBench implements AsyncDisposable {
  readonly registry: SignatureBench;
  readonly #root: TempRoot;

  private constructor(registry: SignatureBench, root: TempRoot) {
    this.registry = registry;
    this.#root = root;
  }

  static async open(): Promise<GpgBench> {
    return new GpgBench(await SignatureBench.open(), await tempRoot());
  }

  get place(): SignaturePlace {
    const { client, reference } = this.registry;
    return registryPlace(client, reference, { directories: [], fallback: this.#root.join("sigs") });
  }

  get name(): string {
    return referenceText(this.registry.reference);
  }

  /** Puts these, and no others, beside an image. */
  async put(signatures: readonly Uint8Array[], digest: string = this.registry.digest): Promise<void> {
    const directory = this.#root.join(`sigs/team/app@sha256=${digest.slice(7)}`);
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    for (const [i, signature] of signatures.entries()) await writeFile(`${directory}/signature-${i + 1}`, signature);
  }

  async pull(requirements: readonly object[], changes: Changes = {}): Promise<void> {
    const { client, scope } = this.registry;
    const { reference = this.registry.reference, platform = AMD } = changes;
    const policy = parsePolicy(Buffer.from(JSON.stringify({ default: requirements })), "policy.json");
    const subject = registrySubject(reference, referenceText(reference));
    const { place } = this;
    await pullImage(scope, {
      client,
      reference,
      store: new MemoryContentStore(),
      platform,
      approve: (inner, documents) => enforcePolicy(inner, policy, { subject, documents, place }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await this.#root[Symbol.asyncDispose]();
  }
}

test("signedBy: takes what one of the keys has signed, and nothing else", async () => {
  await using bench = await GpgBench.open();
  const { digest } = bench.registry;
  const reference = bench.name;
  await refused("denied", /it has no signature/, bench.pull([by(key.keyring)]));
  const good = await gpgSignature({ digest, reference }, key);
  await bench.put([good]);
  await bench.pull([by(key.keyring)]);
  await bench.pull([by(Buffer.concat([other.keyring, key.keyring]))]);
  await bench.pull([by(Buffer.from(key.publicKey.armor()))]);
  await refused("denied", /none of its signatures counts: .*none of the policy's/, bench.pull([by(other.keyring)]));
  await refused("denied", /none of the policy's/, bench.pull([by(key.keyring), by(other.keyring)]));
  await refused("denied", /rejects everything/, bench.pull([by(key.keyring), { type: "reject" }]));
  // A bad one hides no good one, wherever it stands.
  const bad = [await gpgSignature({ digest, reference }, other), Buffer.from("no signature")];
  await bench.put([...bad, good]);
  await bench.pull([by(key.keyring)]);
  await bench.pull([by(key.keyring), by(other.keyring)]);
  await bench.put([...bad, Buffer.alloc(200 << 10), good]);
  await bench.pull([by(key.keyring)]);
});

test("signedBy: keyrings in files", async () => {
  await using bench = await GpgBench.open();
  await using root = await tempRoot();
  const [one, two] = [root.join("one.gpg"), root.join("two.asc")];
  await bench.put([await gpgSignature({ digest: bench.registry.digest, reference: bench.name }, key)]);
  const wanted = { type: "signedBy", keyType: "GPGKeys" };
  const byPaths = [{ ...wanted, keyPaths: [one, two] }];
  await refused("denied", /keyring cannot be read/, bench.pull(byPaths));
  await writeFile(one, other.keyring);
  await refused("denied", /keyring cannot be read/, bench.pull(byPaths));
  await writeFile(two, key.publicKey.armor());
  await bench.pull(byPaths);
  await bench.pull([{ ...wanted, keyPath: two }]);
  await refused("denied", /none of the policy's/, bench.pull([{ ...wanted, keyPath: one }]));
  await writeFile(one, "no keyring");
  await refused("invalid", /keyring cannot be used/, bench.pull(byPaths));
});

test("signedBy: what the signature says has to be of this image, in the very form", async () => {
  await using bench = await GpgBench.open();
  const { digest } = bench.registry;
  const claim = { digest, reference: bench.name };
  const good = JSON.parse(atomicPayload(claim).toString()) as { critical: object };
  const { critical } = good;
  const stranger = `sha256:${"0".repeat(64)}`;
  const cases: readonly (readonly [name: string, payload: unknown, reason: RegExp])[] = [
    ["of another image", JSON.parse(atomicPayload({ ...claim, digest: stranger }).toString()), /of another image/],
    ["no digest", { ...good, critical: { ...critical, image: {} } }, /has no docker-manifest-digest/],
    [
      "two names of the image",
      { ...good, critical: { ...critical, image: { ...critical, a: 1 } } },
      /has no|not known/,
    ],
    ["of cosign's type", { ...good, critical: { ...critical, type: "cosign container image signature" } }, /type is/],
    ["of no type", { ...good, critical: { ...critical, type: undefined } }, /has no type/],
    ["more that is critical", { ...good, critical: { ...critical, expires: 1 } }, /not known/],
    ["no name", { ...good, critical: { ...critical, identity: {} } }, /has no docker-reference/],
    ["an empty name", JSON.parse(atomicPayload({ ...claim, reference: "" }).toString()), /does not say which/],
    ["nothing optional", { critical }, /has no optional/],
    ["optional as null", { critical, optional: null }, /must be an object/],
    ["a creator that is a number", { critical, optional: { creator: 1 } }, /must be a text/],
    ["a time that is a text", { critical, optional: { timestamp: "1" } }, /whole number/],
    ["half a second", { critical, optional: { timestamp: 1.5 } }, /whole number/],
    ["something beside", { ...good, more: 1 }, /not known/],
    ["a list", [good], /must be an object/],
  ];
  for (const [name, payload, reason] of cases) {
    await bench.put([await gpgSigned(Buffer.from(JSON.stringify(payload)), key)]);
    await refused("denied", reason, bench.pull([by(key.keyring)]), name);
  }
  for (const text of ["", "{", `${JSON.stringify(good)}{}`, JSON.stringify(good).replace("{", '{"critical":{},')]) {
    await bench.put([await gpgSigned(Buffer.from(text), key)]);
    await refused("denied", /none of its signatures counts/, bench.pull([by(key.keyring)]), text);
  }
  await bench.put([await gpgSigned(Buffer.from(JSON.stringify({ critical, optional: { more: [1] } })), key)]);
  await bench.pull([by(key.keyring)]);
});

test("signedBy: the name in the signature is compared", async () => {
  await using bench = await GpgBench.open();
  const { digest, address, reference } = bench.registry;
  const signed = async (name: string): Promise<void> =>
    bench.put([await gpgSignature({ digest, reference: name }, key)]);
  const wanted = [by(key.keyring)];
  await signed(`${address}/team/app:v2`);
  await refused("denied", /not what matchRepoDigestOrExact wants/, bench.pull(wanted));
  const { domain, repository } = reference;
  await bench.pull(wanted, { reference: { domain, repository, digest } });
  await bench.pull([by(key.keyring, MATCH)]);
  for (const name of [
    `${address}/team/app`,
    `${address}/team/other:v1`,
    "docker.io/team/app:v1",
    "team/app:v1",
    "..",
  ]) {
    await signed(name);
    await refused("denied", /wants/, bench.pull(wanted), name);
  }
  await signed("docker.io/team/app:v1");
  const exact = { type: "exactRepository", dockerRepository: "docker.io/team/app" };
  await bench.pull([by(key.keyring, { signedIdentity: exact })]);
  await bench.pull([
    by(key.keyring, { signedIdentity: { type: "remapIdentity", prefix: address, signedPrefix: "docker.io" } }),
  ]);
});

test("signedBy: one of the index covers its images, one of an image only that", async () => {
  await using bench = await GpgBench.open();
  const { client, scope } = bench.registry;
  const reference = withTag(bench.registry.reference, "index");
  const store = new MemoryContentStore();
  const { descriptor } = await randomIndex(scope, store, [AMD, ARM]);
  await pushImage(scope, { client, reference, store, descriptor });
  const { manifests } = parseIndex(await store.readAll(scope, descriptor.digest, 1 << 20));
  const arm = manifests.find(({ platform }) => platform?.architecture === "arm64")?.digest ?? "";
  const wanted = [by(key.keyring)];
  const name = referenceText(reference);
  await bench.put([await gpgSignature({ digest: arm, reference: name }, key)], arm);
  await bench.pull(wanted, { reference, platform: ARM });
  await refused("denied", /has no signature/, bench.pull(wanted, { reference }));
  await refused("denied", /has no signature/, bench.pull(wanted, { reference, platform: "all" }));
  await bench.put([await gpgSignature({ digest: descriptor.digest, reference: name }, key)], descriptor.digest);
  for (const platform of [AMD, ARM, "all"] as const) await bench.pull(wanted, { reference, platform });
});

test("signedBy and sigstoreSigned: each counts its own kind, and both can be asked for", async () => {
  await using bench = await GpgBench.open();
  const { client, scope, reference, digest } = bench.registry;
  const cosign = await makeKey();
  const sigstore = {
    type: "sigstoreSigned",
    keyData: Buffer.from(cosign.publicKey.pem).toString("base64"),
    ...MATCH,
  };
  const fixed = { format: "tag", annotations: {}, recursive: false, now: new Date(0) } as const;
  await signImage(scope, { client, reference, key: cosign, ...fixed });
  await bench.pull([sigstore]);
  await refused("denied", /has no signature/, bench.pull([sigstore, by(key.keyring)]));
  await bench.put([await gpgSignature({ digest, reference: bench.name }, key)]);
  await bench.pull([sigstore, by(key.keyring)]);
});

test("signedBy: signatures in a directory, of its image and of those in its index", async () => {
  await using root = await tempRoot();
  const scope = createScope();
  const directory = root.join("image");
  await mkdir(directory);
  const bytes = await readFile(new URL("../testdata/gpg/manifest.json", import.meta.url));
  const document = (content: Uint8Array, mediaType: string): SignedImage => ({
    descriptor: { mediaType, digest: digestOf(content), size: content.length },
    bytes: content,
  });
  const image = document(bytes, MEDIA_TYPES.manifest);
  const keyring = await readFile(new URL("../testdata/gpg/rsa2048.pub", import.meta.url));
  const signature = await readFile(new URL("../testdata/gpg/rsa2048.signature", import.meta.url));
  const exact = { type: "exactReference", dockerReference: "registry.example/team/app:v1" };
  const take = async (documents: readonly SignedImage[], requirement: object): Promise<void> => {
    const policy = parsePolicy(Buffer.from(JSON.stringify({ default: [requirement] })), "policy.json");
    await using source = directorySource("test", directory);
    const subject = fileSubject("dir", directory, directory);
    await enforcePolicy(scope, policy, { subject, documents, place: sourcePlace(source) });
  };
  await writeFile(`${directory}/manifest.json`, bytes);
  const wanted = by(keyring, { signedIdentity: exact });
  await refused("denied", /has no signature/, take([image], wanted));
  // As skopeo writes signatures of both kinds.
  await writeFile(`${directory}/signature-1`, '\0sigstore-json\n{"mimeType":"x"}');
  await writeFile(`${directory}/signature-2`, signature);
  await take([image], wanted);
  // A directory has no name to compare.
  await refused("denied", /matchRepoDigestOrExact wants/, take([image], by(keyring)));

  const descriptors = [{ mediaType: MEDIA_TYPES.manifest, digest: image.descriptor.digest, size: bytes.length }];
  const list = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: descriptors }));
  const index = document(list, MEDIA_TYPES.index);
  await writeFile(`${directory}/manifest.json`, list);
  const hex = digestEncoded(parseDigest(image.descriptor.digest));
  await writeFile(`${directory}/${hex}.manifest.json`, bytes);
  await refused("denied", /none of its signatures counts: it is of another image/, take([index, image], wanted));
  await writeFile(`${directory}/${hex}.signature-1`, signature);
  await take([index, image], wanted);
  await refused("denied", /it is of another image/, take([index], wanted));
});

test("sigstoreSigned: cosign's signatures in a directory, as skopeo writes them", async () => {
  await using root = await tempRoot();
  const scope = createScope();
  const bytes = await readFile(new URL("../testdata/gpg/manifest.json", import.meta.url));
  const image = { descriptor: { mediaType: MEDIA_TYPES.manifest, digest: digestOf(bytes), size: bytes.length }, bytes };
  const cosign = await makeKey();
  const [path, file] = [root.path, root.join("signature-1")];
  await writeFile(root.join("manifest.json"), bytes);
  const requirement = {
    type: "sigstoreSigned",
    keyData: Buffer.from(cosign.publicKey.pem).toString("base64"),
    signedIdentity: { type: "exactRepository", dockerRepository: "registry.example/team/app" },
  };
  const take = async (): Promise<void> => {
    const policy = parsePolicy(Buffer.from(JSON.stringify({ default: [requirement] })), "policy.json");
    await using source = directorySource("test", path);
    const question = { subject: fileSubject("dir", path, path), documents: [image], place: sourcePlace(source) };
    await enforcePolicy(scope, policy, question);
  };
  const payload = simpleSigningPayload(image.descriptor.digest, "registry.example/team/app", {});
  const annotations = { [SIGNATURE_ANNOTATION]: cosign.sign(payload).toString("base64") };
  const good = { mimeType: SIMPLE_SIGNING, payload: payload.toString("base64"), annotations };
  const written = async (document: object): Promise<void> =>
    writeFile(file, `\0sigstore-json\n${JSON.stringify(document)}`);
  await refused("denied", /has no signature/, take());
  await written(good);
  await take();
  for (const [changes, reason] of [
    [{ payload: Buffer.from("{}").toString("base64") }, /not made by this key/],
    [{ annotations: {} }, /signature is missing/],
    [{ annotations: { [SIGNATURE_ANNOTATION]: 1 } }, /must be a text/],
    [{ payload: "%" }, /not base64/],
    [{ more: 1 }, /not known/],
    [{ mimeType: "application/vnd.in-toto+json" }, /has no signature/],
  ] as const) {
    await written({ ...good, ...changes });
    await refused("denied", reason, take());
  }
  await writeFile(file, "\0of-tomorrow\n{}");
  await refused("denied", /format "of-tomorrow" is not known/, take());
  await writeFile(file, `\0${"x".repeat(100)}`);
  await refused("denied", /is not known/, take());
  // GPG's is none of cosign's.
  await writeFile(file, await readFile(new URL("../testdata/gpg/rsa2048.signature", import.meta.url)));
  await refused("denied", /has no signature/, take());
});
