// A registry with an image, and ways to put signatures beside it that no honest signer makes.

import { createScope, type Scope } from "@teu/base/scope";
import { type Digest, digestOf } from "@teu/image/digest";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference, type Reference } from "@teu/image/reference";
import { EMPTY_DESCRIPTOR, MEDIA_TYPES } from "@teu/specs/image";
import { Registry } from "@teu/registry/registry";
import { randomImage } from "./random-image.ts";
import { tempRoot, type TempRoot } from "./temp-root.ts";

import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { BUNDLE } from "@teu/distribution/signing/bundle";
import type { SignedImage } from "@teu/distribution/signing/claim";
import { findSignatures } from "@teu/distribution/signing/find-signatures";
import type { PublicKey } from "@teu/distribution/signing/public-key";
import { registryPlace, signatureTag } from "@teu/distribution/signing/signature-place";
import { SIGNATURE_ANNOTATION, SIMPLE_SIGNING } from "@teu/distribution/signing/simple-signing";
import { trustInKeys, type Verification, verifySignatures } from "@teu/distribution/signing/verify-image";

/** A payload with its signature, as it goes under cosign's tag. */
export interface TagSignature {
  readonly payload: Buffer;
  readonly signature: Buffer | string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** See the head of this file. */
export class SignatureBench implements AsyncDisposable {
  readonly scope: Scope = createScope();
  readonly client: RegistryClient = new RegistryClient();
  readonly reference: Reference;
  readonly image: SignedImage;
  readonly #registry: Registry;
  readonly #root: TempRoot;

  private constructor(root: TempRoot, registry: Registry, reference: Reference, image: SignedImage) {
    this.#root = root;
    this.#registry = registry;
    this.reference = reference;
    this.image = image;
  }

  static async open(repository: string = "team/app"): Promise<SignatureBench> {
    const scope = createScope();
    const root = await tempRoot();
    const registry = await Registry.listen({ root: root.join("registry") });
    const reference = parseReference(`${registry.address}/${repository}:v1`);
    const store = new MemoryContentStore();
    const { descriptor } = await randomImage(scope, store, { layers: 1, layerSize: 100 });
    await using client = new RegistryClient();
    await pushImage(scope, { client, reference, store, descriptor });
    const bytes = await store.readAll(scope, descriptor.digest, 1 << 20);
    const { mediaType, digest, size } = descriptor;
    return new SignatureBench(root, registry, reference, { descriptor: { mediaType, digest, size }, bytes });
  }

  get address(): string {
    return this.#registry.address;
  }

  get digest(): Digest {
    return this.image.descriptor.digest;
  }

  async putBlob(bytes: Buffer): Promise<{ digest: Digest; size: number }> {
    const blob = { digest: digestOf(bytes), size: bytes.length };
    await this.client.pushBlob(this.scope, this.reference, blob, async function* (offset) {
      yield bytes.subarray(offset);
    });
    return blob;
  }

  /** Puts a manifest with these signatures under the tag of `image`. */
  async putTag(signatures: readonly TagSignature[], image: Digest = this.digest): Promise<void> {
    const layers: object[] = [];
    for (const { payload, signature, annotations } of signatures) {
      const text = typeof signature === "string" ? signature : signature.toString("base64");
      layers.push({
        mediaType: SIMPLE_SIGNING,
        ...(await this.putBlob(payload)),
        annotations: { [SIGNATURE_ANNOTATION]: text, ...annotations },
      });
    }
    const config = { mediaType: MEDIA_TYPES.config, ...(await this.putBlob(Buffer.from("{}"))) };
    await this.putManifest({ config, layers }, signatureTag(image) ?? "");
  }

  /** Puts a bundle that refers to the image; `more` changes its manifest. */
  async putBundle(bundle: Buffer, more: object = {}): Promise<void> {
    const layer = { mediaType: BUNDLE, ...(await this.putBlob(bundle)) };
    const { data: _, ...config } = EMPTY_DESCRIPTOR;
    await this.putBlob(Buffer.from("{}"));
    const { digest, mediaType, size } = this.image.descriptor;
    await this.putManifest({
      artifactType: BUNDLE,
      config,
      layers: [layer],
      subject: { mediaType, digest, size },
      ...more,
    });
  }

  async putManifest(parts: object, tag?: string): Promise<void> {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, ...parts }));
    const reference = tag ?? digestOf(bytes);
    await this.client.pushManifest(this.scope, this.reference, { mediaType: MEDIA_TYPES.manifest, bytes, reference });
  }

  /** What becomes of the signatures that are there. */
  async verify(...keys: readonly PublicKey[]): Promise<Verification> {
    const found = await findSignatures(this.scope, registryPlace(this.client, this.reference), this.digest);
    return verifySignatures(found, this.image, trustInKeys(keys), () => null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.#registry[Symbol.asyncDispose]();
    await this.#root[Symbol.asyncDispose]();
  }
}
