// Policies in front of pulls: what they take and refuse, on which bytes that is decided, and that they fail closed.

import assert from "node:assert/strict";
import { sign as createSignature } from "node:crypto";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference, type Reference, referenceText, withDigest, withTag } from "@teu/image/reference";
import { parseIndex } from "@teu/specs/image";
import { parseDigest } from "@teu/image/digest";
import { randomImage, randomIndex } from "@teu/testkit/random-image";
import { tempRoot } from "@teu/testkit/temp-root";

import { pullImage } from "../../client/pull.ts";
import { pushImage } from "../../client/push.ts";
import { writeBundle } from "../bundle.ts";
import type { PrivateKey } from "../private-key.ts";
import { printPem } from "../pem.ts";
import { LOG_ANNOTATION } from "../rekor-entry.ts";
import { signImage } from "../sign-image.ts";
import { simpleSigningPayload } from "../simple-signing.ts";
import { CERTIFICATE_ANNOTATION } from "../trust-in-authorities.ts";
import { registryPlace } from "../signature-place.ts";
import { signStatement } from "../statement.ts";
import { makeKey } from "@teu/testkit/signing-keys";
import { SignatureBench, type TagSignature } from "@teu/testkit/signature-bench";
import {
  alternativeNames,
  certificateBundle,
  extendedUsage,
  isAuthority,
  logEntry,
  makeCertificate,
  newSigningKey,
  oidcIssuer,
  publicDer,
} from "@teu/testkit/signer-authority";
import { enforcePolicy } from "./enforce-policy.ts";
import { parsePolicy } from "./parse-policy.ts";
import { findPolicy, policyFiles, readPolicy } from "./policy-file.ts";
import { registrySubject } from "./policy-scopes.ts";

const key = await makeKey();
const other = await makeKey();
const AMD = { os: "linux", architecture: "amd64" };
const ARM = { os: "linux", architecture: "arm64" };
const MATCH = { signedIdentity: { type: "matchRepository" } };

function signedBy(...keys: readonly PrivateKey[]): object {
  const keyDatas = keys.map(({ publicKey }) => Buffer.from(publicKey.pem).toString("base64"));
  return { type: "sigstoreSigned", keyDatas, ...MATCH };
}

/** Pulls under a policy with these requirements; the digests that the store has afterwards. */
async function pull(
  bench: SignatureBench,
  requirements: readonly object[],
  changes: { reference?: Reference; platform?: typeof AMD | "all" } = {},
): Promise<readonly string[]> {
  const { client, scope } = bench;
  const { reference = bench.reference, platform = AMD } = changes;
  const policy = parsePolicy(Buffer.from(JSON.stringify({ default: requirements })), "policy.json");
  const store = new MemoryContentStore();
  const place = registryPlace(client, reference);
  const subject = registrySubject(reference, referenceText(reference));
  const digests = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    for await (const { digest } of store.list(scope)) found.push(digest);
    return found;
  };
  try {
    await pullImage(scope, {
      client,
      reference,
      store,
      platform,
      approve: (inner, documents) => enforcePolicy(inner, policy, { subject, documents, place }),
    });
  } catch (error) {
    assert.deepEqual(await digests(), [], "something was stored all the same");
    throw error;
  }
  return digests();
}

async function refused(code: ErrorCode, reason: RegExp, attempt: Promise<unknown>): Promise<void> {
  await assert.rejects(attempt, (error) => isTeuError(error, code) && reason.test(error.message));
}

async function sign(
  bench: SignatureBench,
  by: PrivateKey,
  changes: { reference?: Reference; identity?: string; format?: "tag" | "bundle" } = {},
): Promise<void> {
  const { client, scope, reference } = bench;
  const fixed = { format: "tag", annotations: {}, recursive: false, now: new Date(0) } as const;
  await signImage(scope, { client, reference, key: by, ...fixed, ...changes });
}

test("enforcePolicy: accepts, rejects, wants signatures, and all requirements at once", async () => {
  await using bench = await SignatureBench.open();
  const accept = { type: "insecureAcceptAnything" };
  assert.ok((await pull(bench, [accept])).length > 0);
  await refused("denied", /rejects everything/, pull(bench, [{ type: "reject" }]));
  await refused("denied", /rejects everything/, pull(bench, [accept, { type: "reject" }]));
  await refused("denied", /has no signature/, pull(bench, [signedBy(key)]));
  await sign(bench, other);
  await refused("denied", /not made by this key/, pull(bench, [signedBy(key)]));
  await refused("denied", /not made by this key/, pull(bench, [accept, signedBy(key)]));
  assert.ok((await pull(bench, [signedBy(other)])).length > 0);
  assert.ok((await pull(bench, [signedBy(key, other)])).length > 0);
  await refused("denied", /not made by this key/, pull(bench, [signedBy(other), signedBy(key)]));
  await sign(bench, key, { format: "bundle" });
  assert.ok((await pull(bench, [signedBy(other), signedBy(key)])).length > 0);
});

/** An authority, a log, and a signer who has a certificate and an entry. */
function authority(from: number, extensions: readonly Buffer[]) {
  const [rootKey, signerKey, logKey] = [newSigningKey(), newSigningKey(), newSigningKey()];
  const common = { issuer: "root", by: rootKey };
  const year = 365 * 86_400_000;
  const ca = {
    ...common,
    subject: "root",
    key: rootKey,
    extensions: [isAuthority()],
    from: from - year,
    to: from + year,
  };
  const root = makeCertificate(ca);
  const to = from + 600_000;
  const certificate = makeCertificate({ ...common, subject: "signer", key: signerKey, extensions, from, to });
  const text = (label: string, der: Buffer): string => Buffer.from(printPem(label, der)).toString("base64");
  return {
    caData: text("CERTIFICATE", root),
    logData: text("PUBLIC KEY", publicDer(logKey)),
    bundleOf: (bench: SignatureBench, name: string, logged: boolean = true): Buffer => {
      const statement = signStatement(bench.digest, name, {});
      const entry = logged ? { payload: statement, certificate, at: from + 60_000, log: logKey } : null;
      return certificateBundle({ statement, key: signerKey, certificates: [certificate], entry });
    },
    signatureOf: (bench: SignatureBench, logged: boolean = true): TagSignature => {
      const repository = referenceText(withoutTag(bench.reference));
      const payload = simpleSigningPayload(bench.digest, repository, {});
      const signature = createSignature("sha256", payload, signerKey);
      const entry = { payload, signature, certificate, at: from + 60_000, log: logKey };
      return {
        payload,
        signature,
        annotations: {
          [CERTIFICATE_ANNOTATION]: printPem("CERTIFICATE", certificate),
          ...(logged ? { [LOG_ANNOTATION]: logEntry(entry) } : {}),
        },
      };
    },
  };
}

function withoutTag({ domain, repository }: Reference): Reference {
  return { domain, repository };
}

test("enforcePolicy: fulcio takes a certificate that was good when the log recorded the signature", async () => {
  await using bench = await SignatureBench.open();
  const names = [extendedUsage(), alternativeNames(["me@example.org"]), oidcIssuer("https://issuer.example")];
  // Long over by now.
  const good = authority(Date.UTC(2024, 0, 1), names);
  const wanted = (changes: object = {}): object => ({
    type: "sigstoreSigned",
    fulcio: {
      caData: good.caData,
      oidcIssuer: "https://issuer.example",
      subjectEmail: "me@example.org",
      ...changes,
    },
    rekorPublicKeyData: good.logData,
    ...MATCH,
  });
  await bench.putTag([good.signatureOf(bench)]);
  assert.ok((await pull(bench, [wanted()])).length > 0);
  await refused("denied", /e-mail/, pull(bench, [wanted({ subjectEmail: "you@example.org" })]));
  await refused("denied", /OIDC issuer/, pull(bench, [wanted({ oidcIssuer: "https://other.example" })]));
  const stranger = authority(Date.UTC(2024, 0, 1), names);
  await refused("denied", /no trusted authority/, pull(bench, [wanted({ caData: stranger.caData })]));
  const otherLog = { ...wanted(), rekorPublicKeyData: stranger.logData };
  await refused("denied", /no trusted log/, pull(bench, [otherLog]));
  const elsewhere = { signedIdentity: { type: "exactRepository", dockerRepository: "other.example/x" } };
  await refused("denied", /not what exactRepository wants/, pull(bench, [{ ...wanted(), ...elsewhere }]));
  await bench.putTag([good.signatureOf(bench, false)]);
  await refused("denied", /no log entry/, pull(bench, [wanted()]));
  await bench.putTag([stranger.signatureOf(bench), good.signatureOf(bench)]);
  assert.ok((await pull(bench, [wanted()])).length > 0, "a stranger's signature hides the good one");
  await using root = await tempRoot();
  const caPath = root.join("ca.pem");
  const { caData: _, ...rest } = (wanted() as { fulcio: Record<string, string> }).fulcio;
  const byPath = { ...wanted(), fulcio: { ...rest, caPath } };
  await refused("denied", /authority cannot be read/, pull(bench, [byPath]));
  await writeFile(caPath, Buffer.from(good.caData, "base64"));
  assert.ok((await pull(bench, [byPath])).length > 0);
});

test("enforcePolicy: fulcio and pki take bundles that name the repository", async () => {
  await using bench = await SignatureBench.open();
  const names = [extendedUsage(), alternativeNames(["me@example.org"]), oidcIssuer("https://issuer.example")];
  const old = authority(Date.UTC(2024, 0, 1), names);
  const good = authority(Date.now() - 60_000, names);
  const subjectEmail = "me@example.org";
  const fulcio = (rekorPublicKeyData: string): object => ({
    type: "sigstoreSigned",
    fulcio: { caData: old.caData, oidcIssuer: "https://issuer.example", subjectEmail },
    rekorPublicKeyData,
    ...MATCH,
  });
  const pki = { type: "sigstoreSigned", pki: { caRootsData: good.caData, subjectEmail }, ...MATCH };
  const repository = referenceText(withoutTag(bench.reference));
  await bench.putBundle(old.bundleOf(bench, "", true));
  await refused("denied", /does not say which repository/, pull(bench, [fulcio(old.logData)]));
  await bench.putBundle(old.bundleOf(bench, `${bench.address}/team/other`));
  await bench.putBundle(old.bundleOf(bench, repository, false));
  await refused("denied", /no log entry/, pull(bench, [fulcio(old.logData)]));
  await bench.putBundle(old.bundleOf(bench, repository));
  assert.ok((await pull(bench, [fulcio(old.logData)])).length > 0);
  await refused("denied", /no trusted log/, pull(bench, [fulcio(good.logData)]));
  await refused("denied", /not valid at|no trusted authority/, pull(bench, [pki]));
  await bench.putBundle(good.bundleOf(bench, repository, false));
  assert.ok((await pull(bench, [pki])).length > 0);
});

test("enforcePolicy: pki takes a certificate that is good now", async () => {
  await using bench = await SignatureBench.open();
  const names = [extendedUsage(), alternativeNames(["me@example.org"])];
  const wanted = (caRootsData: string, subjectEmail: string = "me@example.org"): object => ({
    type: "sigstoreSigned",
    pki: { caRootsData, subjectEmail },
    ...MATCH,
  });
  const good = authority(Date.now() - 60_000, names);
  await bench.putTag([good.signatureOf(bench, false)]);
  assert.ok((await pull(bench, [wanted(good.caData)])).length > 0);
  await refused("denied", /e-mail/, pull(bench, [wanted(good.caData, "you@example.org")]));
  const over = authority(Date.UTC(2024, 0, 1), names);
  await bench.putTag([over.signatureOf(bench)]);
  await refused("denied", /not valid at|no trusted authority/, pull(bench, [wanted(over.caData)]));
});

test("enforcePolicy: what cannot be found out is refused", async () => {
  await using bench = await SignatureBench.open();
  await using root = await tempRoot();
  await sign(bench, key);
  const tomorrow = { type: "signedBy", keyType: "X509Certificates", keyPath: "/etc/keys" };
  await refused("unsupported", /signatures by X509Certificates/, pull(bench, [tomorrow]));
  await refused("unsupported", /signatures by X509Certificates/, pull(bench, [signedBy(key), tomorrow]));
  const keyPath = root.join("key.pub");
  const byPath = [{ type: "sigstoreSigned", keyPath, ...MATCH }];
  await refused("denied", /key cannot be read/, pull(bench, byPath));
  await writeFile(keyPath, "no key");
  await refused("invalid", /not PEM/, pull(bench, byPath));
  await writeFile(keyPath, key.publicKey.pem);
  assert.ok((await pull(bench, byPath)).length > 0);
  await refused("denied", /the signature has none/, pull(bench, [{ ...byPath[0], rekorPublicKeyPath: keyPath }]));
});

test("enforcePolicy: signatures for another repository, and of no repository, are for nothing", async () => {
  await using bench = await SignatureBench.open();
  const statement = (name: object): Buffer =>
    Buffer.from(
      JSON.stringify({
        _type: "https://in-toto.io/Statement/v1",
        subject: [{ ...name, digest: { sha256: bench.digest.slice(7) } }],
        predicateType: "https://sigstore.dev/cosign/sign/v1",
        predicate: {},
      }),
    );
  // As cosign 3 writes it: the statement names no image.
  await bench.putBundle(writeBundle(statement({}), key));
  await refused("denied", /does not say which repository/, pull(bench, [signedBy(key)]));
  await sign(bench, key, { identity: `${bench.address}/team/other` });
  await sign(bench, key, { identity: "docker.io/team/app", format: "bundle" });
  await refused("denied", /team\/other/, pull(bench, [signedBy(key)]));
  const exact = {
    ...signedBy(key),
    signedIdentity: { type: "exactRepository", dockerRepository: "docker.io/team/app" },
  };
  assert.ok((await pull(bench, [exact])).length > 0);
  // The default wants the very tag.
  const strict = { ...signedBy(key), signedIdentity: { type: "matchRepoDigestOrExact" } };
  await sign(bench, key);
  await refused("denied", /matchRepoDigestOrExact/, pull(bench, [strict]));
  await sign(bench, key, { identity: `${bench.address}/team/app:v2` });
  await refused("denied", /matchRepoDigestOrExact/, pull(bench, [strict]));
  await refused("denied", /wants/, pull(bench, [strict], { reference: withDigest(bench.reference, bench.digest) }));
  const { domain, repository } = bench.reference;
  assert.ok((await pull(bench, [strict], { reference: { domain, repository, digest: bench.digest } })).length > 0);
  await sign(bench, key, { identity: referenceText(bench.reference) });
  assert.ok((await pull(bench, [strict])).length > 0);
});

test("enforcePolicy: a signature of the index covers its images, one of an image only that", async () => {
  await using bench = await SignatureBench.open();
  const { client, scope } = bench;
  const store = new MemoryContentStore();
  const { descriptor } = await randomIndex(scope, store, [AMD, ARM]);
  const reference = withTag(bench.reference, "index");
  await pushImage(scope, { client, reference, store, descriptor });
  const { manifests } = parseIndex(await store.readAll(scope, descriptor.digest, 1 << 20));
  const digestFor = (architecture: string): string =>
    manifests.find(({ platform }) => platform?.architecture === architecture)?.digest ?? "";
  await sign(bench, key, { reference: withDigest(reference, parseDigest(digestFor("arm64"))) });
  await refused("denied", /has no signature/, pull(bench, [signedBy(key)], { reference }));
  assert.ok((await pull(bench, [signedBy(key)], { reference, platform: ARM })).includes(digestFor("arm64")));
  await refused("denied", /has no signature/, pull(bench, [signedBy(key)], { reference, platform: "all" }));
  await sign(bench, key, { reference });
  for (const platform of [AMD, ARM, "all"] as const)
    assert.ok((await pull(bench, [signedBy(key)], { reference, platform })).includes(descriptor.digest));
  // The manifest by itself is not what was signed.
  await refused(
    "denied",
    /no signature/,
    pull(bench, [signedBy(key)], { reference: parseReference(`${bench.address}/team/app@${digestFor("amd64")}`) }),
  );
});

test("enforcePolicy: the tag moves between the decision and the download, and the decision's image is what comes", async () => {
  await using bench = await SignatureBench.open();
  const { client, scope, reference } = bench;
  await sign(bench, key);
  const evil = new MemoryContentStore();
  const { descriptor } = await randomImage(scope, evil, { layers: 1, layerSize: 10 });
  const policy = parsePolicy(Buffer.from(JSON.stringify({ default: [signedBy(key)] })), "policy.json");
  const subject = registrySubject(reference, "test");
  const store = new MemoryContentStore();
  const result = await pullImage(scope, {
    client,
    reference,
    store,
    platform: AMD,
    approve: async (inner, documents) => {
      await enforcePolicy(inner, policy, { subject, documents, place: registryPlace(client, reference) });
      await pushImage(inner, { client, reference, store: evil, descriptor });
    },
  });
  assert.equal(result.descriptor.digest, bench.digest);
  assert.equal(await store.info(scope, descriptor.digest), null);
  await refused("denied", /no signature/, pull(bench, [signedBy(key)]));
});

test("findPolicy: the user's file, else the system's, else none; a broken one is an error", async () => {
  await using root = await tempRoot();
  const [own, system] = [root.join("own.json"), root.join("system.json")];
  const files = [own, system];
  assert.equal(await findPolicy(files), null);
  await writeFile(system, '{"default":[{"type":"reject"}]}');
  assert.equal((await findPolicy(files))?.file, system);
  await writeFile(own, '{"default":[{"type":"insecureAcceptAnything"}]}');
  assert.equal((await findPolicy(files))?.file, own);
  await writeFile(own, "");
  await refused("invalid", /own\.json/, findPolicy(files));
  await writeFile(own, `${" ".repeat(2 << 20)}{}`);
  await refused("exhausted", /more than/, findPolicy(files));
  const link = root.join("link.json");
  await symlink(root.join("nowhere"), link);
  await refused("unavailable", /cannot be read/, findPolicy([link, system]));
  await mkdir(root.join("directory"));
  await refused("unavailable", /cannot be read/, findPolicy([root.join("directory"), system]));
  await refused("not-found", /no such file/, readPolicy(root.join("missing.json")));
  if (process.getuid?.() !== 0) {
    await chmod(own, 0);
    await refused("denied", /cannot be read/, findPolicy(files));
  }
});

test("policyFiles: HOME's first; without HOME only the system's", () => {
  assert.deepEqual(policyFiles("/home/me"), ["/home/me/.config/containers/policy.json", "/etc/containers/policy.json"]);
  for (const home of [undefined, "", "relative"]) assert.deepEqual(policyFiles(home), ["/etc/containers/policy.json"]);
});
