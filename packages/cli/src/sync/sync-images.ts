// Mirrors the images of a list, one after another: what is there by digest is passed over, what fails is counted.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import { type Reference, referenceText, withTag } from "@teu/image/reference";
import { copyImage, type CopyEvent } from "@teu/image/transport/copy-image";
import { openImage } from "@teu/image/transport/open-image";
import type { ImageSource } from "@teu/image/transport/source-and-sink";
import type { Platform } from "@teu/specs/image";
import type { CommandContext } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { copyGate } from "../transports/copy-policy.ts";
import { copyDigestTags } from "../transports/digest-tags.ts";
import { type PlaceAccess, Places } from "../transports/open-place.ts";
import type { TransportName } from "../transports/transport-name.ts";
import type { SyncRegistry } from "./sync-list.ts";
import { placeOf, type SyncTarget } from "./sync-target.ts";

/** What is asked for beside the list. */
export interface SyncOptions {
  readonly target: SyncTarget;
  /** How the destination's registry is reached. */
  readonly access: PlaceAccess;
  /** All registries of the list without TLS verification. */
  readonly insecure: boolean;
  readonly scoped: boolean;
  readonly platform: Platform | "all";
  readonly referrers: boolean;
  readonly digestTags: boolean;
  readonly keepGoing: boolean;
  readonly dryRun: boolean;
  /** Policy that says which images are copied; default: the host's. */
  readonly signaturePolicy?: string;
  readonly progress: (event: CopyEvent) => void;
  /** Told for each image, and for each repository whose tags cannot be listed. */
  readonly report: (result: SyncResult) => void;
}

/** What became of one image, or of a repository's list of tags. */
export interface SyncResult {
  readonly source: string;
  readonly destination?: string;
  readonly status: "copied" | "present" | "planned" | "failed";
  readonly digest?: Digest;
  /** Bytes of blobs that were sent. */
  readonly bytes: number;
  readonly referrers?: number;
  readonly digestTags?: readonly string[];
  readonly error?: TeuError;
}

/** One image to be there afterwards. */
interface Item {
  readonly reference: Reference;
  readonly access: PlaceAccess;
  readonly place: TransportName;
}

/** Mirrors. Failures are reported; without `keepGoing` the first one ends it. */
export async function syncImages(
  context: CommandContext,
  registries: readonly SyncRegistry[],
  options: SyncOptions,
): Promise<void> {
  await using places = new Places(context);
  const { items, failed } = await plan(context.scope, places, registries, options);
  for (const result of failed) options.report(result);
  if (failed.length > 0 && !options.keepGoing) return;
  for (const item of items) {
    const result = await attempt(context, places, item, options);
    options.report(result);
    if (result.status === "failed" && !options.keepGoing) return;
  }
}

/** Every image by name, before anything is copied. */
async function plan(
  scope: Scope,
  places: Places,
  registries: readonly SyncRegistry[],
  options: SyncOptions,
): Promise<{ readonly items: readonly Item[]; readonly failed: readonly SyncResult[] }> {
  const items = new Map<string, Item>();
  const sources = new Map<string, string>();
  const failed: SyncResult[] = [];
  for (const registry of registries) {
    const access = accessOf(registry, options.insecure);
    for (const { repository, choice } of registry.images) {
      try {
        const references =
          "references" in choice ? choice.references : await tagged(scope, places, repository, access, choice.test);
        for (const reference of references)
          add(items, sources, { reference, access, place: placeOf(options.target, reference, options.scoped) });
      } catch (error) {
        scope.check("list tags");
        if (!isTeuError(error) || error.detail["usage"] === true) throw error;
        const { domain, repository: path } = repository;
        failed.push({ source: `docker://${domain}/${path}`, status: "failed", bytes: 0, error });
        if (!options.keepGoing) return { items: [], failed };
      }
    }
  }
  return { items: [...items.values()], failed };
}

/** @throws TeuError `invalid` (usage) when two images would go to one place. */
function add(items: Map<string, Item>, sources: Map<string, string>, item: Item): void {
  const source = referenceText(item.reference);
  const other = sources.get(item.place.text);
  if (other !== undefined && other !== source) {
    throw usageError(`${other} and ${source} would both become ${item.place.text}`, {
      fallback: "use --scoped, which keeps whole names",
    });
  }
  sources.set(item.place.text, source);
  items.set(source, item);
}

async function tagged(
  scope: Scope,
  places: Places,
  repository: Reference,
  access: PlaceAccess,
  test: (tag: string) => boolean,
): Promise<Reference[]> {
  const client = await places.client(repository.domain, access);
  const found: Reference[] = [];
  for await (const tag of client.tags(scope, repository)) if (test(tag)) found.push(withTag(repository, tag));
  if (found.length > 0) return found;
  throw new TeuError({
    code: "not-found",
    op: "list tags",
    subject: `${repository.domain}/${repository.repository}`,
    message: "no tag is what the list asks for",
  });
}

async function attempt(context: CommandContext, places: Places, item: Item, options: SyncOptions): Promise<SyncResult> {
  const source = `docker://${referenceText(item.reference)}`;
  try {
    return await mirror(context, places, item, options);
  } catch (error) {
    context.scope.check("copy image");
    if (!isTeuError(error)) throw error;
    return { source, destination: item.place.text, status: "failed", bytes: 0, error };
  }
}

async function mirror(
  context: CommandContext,
  parent: Places,
  { reference, access, place }: Item,
  options: SyncOptions,
): Promise<SyncResult> {
  const { scope } = context;
  const { platform, referrers } = options;
  await using places = new Places(context, parent);
  const from: TransportName = { transport: "docker", reference, text: `docker://${referenceText(reference)}` };
  const source = await places.source(from, access);
  const digest = await digestAt(scope, source, platform);
  const common = { source: source.name, destination: place.text, digest };
  // What belongs to an image may be new although the image is not.
  const isThere = (await presentDigest(scope, places, place, options.access)) === digest;
  if (isThere && !referrers && !options.digestTags) return { ...common, status: "present", bytes: 0 };
  if (options.dryRun) return { ...common, status: isThere ? "present" : "planned", bytes: 0 };
  const approve = await copyGate(context, options, places, from, access, source);
  const sink = await places.sink(place, options.access);
  const { progress } = options;
  const policed = approve === undefined ? {} : { approve };
  const result = await copyImage(scope, { source, sink, platform, referrers, progress, ...policed });
  const sides = { from: access, to: options.access };
  const tags = options.digestTags
    ? await copyDigestTags(context, places, { from, to: place }, sides, result.documents)
    : null;
  return {
    ...common,
    status: isThere && result.bytes === 0 ? "present" : "copied",
    bytes: result.bytes,
    ...(referrers ? { referrers: result.referrers } : {}),
    ...(tags === null ? {} : { digestTags: tags }),
  };
}

async function digestAt(scope: Scope, source: ImageSource, platform: Platform | "all"): Promise<Digest> {
  if (platform === "all") return (await source.resolve(scope)).digest as Digest;
  return (await openImage(scope, source, platform)).document.descriptor.digest;
}

/** Names are written last everywhere: what has one is whole. */
async function presentDigest(
  scope: Scope,
  places: Places,
  place: TransportName,
  access: PlaceAccess,
): Promise<Digest | null> {
  try {
    return (await (await places.source(place, access)).resolve(scope)).digest as Digest;
  } catch (error) {
    if (isTeuError(error, "not-found")) return null;
    throw error;
  }
}

function accessOf({ tlsVerify, credentials, certDirectory }: SyncRegistry, insecure: boolean): PlaceAccess {
  return {
    insecure: insecure || !tlsVerify,
    ...(credentials === undefined ? {} : { credentials }),
    ...(certDirectory === undefined ? {} : { certDirectory }),
  };
}
