// What an engine can do with images: the interface and its values. One verb, one file beside it.
// An image's id is the digest of its config (what Docker's classic store and podman show); a name points to an image.

import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import type { ImageSink, ImageSource } from "@teu/image/transport/source-and-sink";
import type { Descriptor, ImageConfig, Platform } from "@teu/specs/image";
import type { Layer } from "../snapshots/snapshots.ts";

/** An image of this host. */
export interface Image {
  /** Digest of the config. */
  readonly id: Digest;
  /** Full references with tag ("docker.io/library/busybox:latest"), sorted; empty: dangling. `familiarName` of @teu/image/reference shortens them. */
  readonly names: readonly string[];
  /** Full references by digest ("docker.io/library/busybox@sha256:...") under which it was pulled or pushed. */
  readonly repoDigests: readonly string[];
  /** What the name resolved to: an index or a manifest. */
  readonly target: Descriptor;
  /** The manifest of this host's platform. */
  readonly manifest: Descriptor;
  readonly platform: Platform;
  /** Chain id of the topmost layer; null for an image without layers. */
  readonly chainId: Digest | null;
  /** Unpacked bytes of all layers (compressed ones where not unpacked). */
  readonly size: number;
  /** Milliseconds since 1970, from the config; 0 when it says nothing. */
  readonly createdAt: number;
  readonly config: ImageConfig;
}

/** Docker-shaped facts (`docker image inspect`). */
export interface ImageInspect {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Parent: string;
  readonly Comment: string;
  readonly Created: string;
  readonly Author: string;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly Os: string;
  readonly Size: number;
  readonly GraphDriver: { readonly Name: string; readonly Data: Readonly<Record<string, string>> };
  readonly RootFS: { readonly Type: "layers"; readonly Layers: readonly string[] };
  readonly Metadata: { readonly LastTagTime: string };
  readonly Descriptor: Descriptor;
  /** `config.config` of the image, as it is. */
  readonly Config: Readonly<Record<string, unknown>>;
}

/** One line of `history`, newest first. */
export interface ImageHistoryEntry {
  readonly createdAt: number;
  readonly createdBy: string;
  readonly comment: string;
  readonly size: number;
  readonly emptyLayer: boolean;
}

/** What happens while an image moves. `id` is a short digest or a reference. */
export interface ImageProgress {
  readonly kind: "resolve" | "download" | "upload" | "copy" | "unpack" | "exists" | "done";
  readonly id: string;
  /** Bytes so far and in all; absent where they mean nothing. */
  readonly current?: number;
  readonly total?: number;
}

/** How to reach a registry. */
export interface RegistryAccess {
  /** Plain HTTP, or TLS without verification. Loopback registries are tried over plain HTTP without it, as Docker does. */
  readonly insecure?: boolean;
  /** A directory with certificates for that host, instead of those of certs.d. */
  readonly certDirectory?: string;
  /** Overrides what the credential store says. */
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly progress?: (event: ImageProgress) => void;
}

/** What a login keeps. */
export interface LoginResult {
  /** As in references. */
  readonly registry: string;
  /** The file or the credential helper. */
  readonly stored: string;
  /** A token of the registry is kept, and no password. */
  readonly token: boolean;
}

/** What a logout took away. */
export interface LogoutResult {
  /** As in references. */
  readonly registry: string;
  /** The files and credential helpers that knew it; none: nobody was logged in. */
  readonly removed: readonly string[];
}

/** What `tag` named. */
export interface TaggedImage {
  /** The full reference that is its name now. */
  readonly name: string;
  /** The full reference by which it was found, or its id. */
  readonly source: string;
  /** The image's id. */
  readonly id: Digest;
  /** What the name stands for: of several platforms their index. */
  readonly target: Descriptor;
}

/** Options of `pull`. */
export interface PullOptions extends RegistryAccess {
  /** "linux/arm64", "linux/arm/v7"; several of them, or "all"; default: this host's. */
  readonly platform?: string | readonly string[];
}

/** An image made here, by a builder or an importer. */
export interface CreateImageOptions {
  /** `rootfs.diff_ids` must name the layers in order, lowest first. */
  readonly config: ImageConfig;
  /** Exact bytes of the config, when they must be kept; else `config` is written out. */
  readonly configBytes?: Uint8Array;
  /** Lowest first; every one needs a `blob` for the manifest. */
  readonly layers: readonly Layer[];
  /** References to give it; a reference that another image had moves. */
  readonly names?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An image that is mounted on this host. */
export interface MountedImage {
  readonly id: string;
  /** The image's id. */
  readonly image: Digest;
  /** What it was called when it was mounted. */
  readonly name: string;
  readonly path: string;
  /** The place is the engine's, not one that was named. */
  readonly own: boolean;
}

/** Options of `unmount`. */
export interface UnmountOptions {
  /** Also when something in it is in use. */
  readonly force?: boolean;
}

/** What `remove` did. */
export interface ImageRemoval {
  /** Familiar names that are gone. */
  readonly untagged: readonly string[];
  /** Ids of images and layers that are gone. */
  readonly deleted: readonly Digest[];
}

/** Options of `get`. */
export interface ImageGetOptions {
  /** "linux/arm64", "linux/arm/v7". */
  readonly platform?: string;
}

/** Options of `push`. */
export interface PushOptions extends RegistryAccess {
  /** The image for this platform alone, not the index. */
  readonly platform?: string;
}

/** Options of `remove`. */
export interface ImageRemoveOptions {
  readonly force?: boolean;
  /** Of several images that a name stands for, those for these platforms; the name stays with the others. */
  readonly platforms?: readonly string[];
}

/** Options of `save`. */
export interface SaveOptions {
  /** Default "docker-archive". */
  readonly format?: "docker-archive" | "oci-archive";
  /** The images for these platforms, or all that are here; several as an index. Default: this host's. */
  readonly platforms?: readonly string[] | "all";
}

/** Options of `load`. */
export interface LoadOptions {
  /** What errors call the archive: its file; default "standard input". */
  readonly name?: string;
  /** Only images for these; default: all that are in the archive. */
  readonly platforms?: readonly string[];
  readonly progress?: (event: ImageProgress) => void;
  /** Told of names that another image had until now: whoever wrote the archive chose them. */
  readonly moved?: (name: string, from: Digest) => void;
}

/** An image that was pulled. */
export interface PulledImage extends Image {
  /** The full reference that it was pulled by: what a short name was found to mean. */
  readonly pulled: string;
}

/** An image that was loaded. */
export interface LoadedImage extends Image {
  /** The names that the archive gave it; `names` are all that it has. */
  readonly given: readonly string[];
}

/** Options of `list`. */
export interface ImageListOptions {
  /** Only images with a name that fits one of these patterns, as Docker reads them; `names` and `repoDigests` are those that fit. */
  readonly references?: readonly string[];
  /** Only images with (true) or without (false) no name. */
  readonly dangling?: boolean;
}

/** Images of one engine. `ref` is a name, name@digest, id or unique id prefix; an ambiguous prefix is `conflict`, an unknown one `not-found`. */
export interface Images {
  /**
   * Downloads, verifies and unpacks `reference`, and gives it its name. Of several platforms the image for this host is returned, else
   * the first. With "all" everything is kept, so that the index can be pushed; images of other systems than Linux are not unpacked.
   */
  pull(scope: Scope, reference: string, options?: PullOptions): Promise<PulledImage>;
  /** Uploads the image named `reference` to where the name says. Returns the digest of what was pushed. */
  push(scope: Scope, reference: string, options?: PushOptions): Promise<Descriptor>;
  /** Gives `target` as a further name. */
  tag(scope: Scope, ref: string, target: string): Promise<TaggedImage>;
  list(scope: Scope, options?: ImageListOptions): Promise<Image[]>;
  /** `platform`: the image must be for it, or for one that it runs too. */
  get(scope: Scope, ref: string, options?: ImageGetOptions): Promise<Image>;
  inspect(scope: Scope, ref: string, options?: ImageGetOptions): Promise<ImageInspect>;
  history(scope: Scope, ref: string): Promise<ImageHistoryEntry[]>;
  /** Takes the name away; with the last name (or by id) the image. `conflict` when a container uses it, unless forced (never for a running one). */
  remove(scope: Scope, ref: string, options?: ImageRemoveOptions): Promise<ImageRemoval>;
  /** The archive's bytes. */
  save(scope: Scope, refs: readonly string[], options?: SaveOptions): AsyncIterable<Uint8Array>;
  /** Reads either archive (also gzipped) and gives the names that it says; of an index with several images the one for this host, else the first, is returned. */
  load(scope: Scope, source: AsyncIterable<Uint8Array>, options?: LoadOptions): Promise<LoadedImage[]>;
  create(scope: Scope, options: CreateImageOptions): Promise<Image>;
  /** An image to be copied elsewhere, as it was pulled; nothing of it is deleted until the source is disposed. */
  openSource(scope: Scope, ref: string): Promise<ImageSource>;
  /** A place for an image that is copied here: it gets these names, of an index with all its images. */
  openSink(scope: Scope, names: readonly string[]): Promise<ImageSink>;
  /** Mounts it read-only at `path` or in a place of the engine's, until `unmount`; its layers stay, even when it is removed. */
  mount(scope: Scope, ref: string, path?: string): Promise<MountedImage>;
  mounts(scope: Scope): Promise<MountedImage[]>;
  /** Ends mounts, by image, path or mount id. `not-found` when there is none, `conflict` when one is in use. */
  unmount(scope: Scope, ref: string, options?: UnmountOptions): Promise<MountedImage[]>;
  /** Makes sure that all layers are unpacked; returns the chain id (null: no layers). */
  unpack(scope: Scope, ref: string): Promise<Digest | null>;
  /** Checks the credentials with the registry and stores them where Docker does, or what its token server gives in place of the password. */
  login(
    scope: Scope,
    registry: string,
    credentials: { readonly username: string; readonly password: string },
    options?: Pick<RegistryAccess, "insecure" | "certDirectory">,
  ): Promise<LoginResult>;
  /** Forgets the credentials wherever they are. */
  logout(scope: Scope, registry: string): Promise<LogoutResult>;
}
