// `Images`, each method a call of its own file; what needs the network or archives is loaded when first used.

import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import { parsePlatform } from "@teu/image/platform";
import type { ImageSink, ImageSource } from "@teu/image/transport/source-and-sink";
import type { Descriptor } from "@teu/specs/image";

import { putImageName } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import { findImage, isKnown } from "./find.ts";
import { imageOf } from "./image-of.ts";
import type {
  CreateImageOptions,
  Image,
  ImageGetOptions,
  ImageHistoryEntry,
  ImageInspect,
  ImageListOptions,
  ImageRemoval,
  Images,
  LoadedImage,
  LoadOptions,
  LoginResult,
  LogoutResult,
  MountedImage,
  PulledImage,
  PullOptions,
  RegistryAccess,
  ImageRemoveOptions,
  PushOptions,
  SaveOptions,
  TaggedImage,
  UnmountOptions,
} from "./images.ts";
import type { IsRunning } from "./remove.ts";

/** Images of this host. */
export class LocalImages implements Images {
  readonly #context: ImageContext;
  readonly #isRunning: IsRunning;

  constructor(context: ImageContext, isRunning: IsRunning) {
    this.#context = context;
    this.#isRunning = isRunning;
  }

  async pull(scope: Scope, reference: string, options: PullOptions = {}): Promise<PulledImage> {
    const { row, name } = await (await import("./pull.ts")).pull(scope, this.#context, reference, options);
    const found = { row, name: findImage(this.#context.db, name).name };
    return { ...(await imageOf(scope, this.#context, found)), pulled: name };
  }

  async push(scope: Scope, reference: string, options: PushOptions = {}): Promise<Descriptor> {
    return (await import("./push.ts")).push(scope, this.#context, await this.#name(reference), options);
  }

  async tag(scope: Scope, ref: string, target: string): Promise<TaggedImage> {
    const { nameText } = await import("./create.ts");
    const name = nameText(target);
    const { db } = this.#context;
    const source = await this.#name(ref);
    return db.transaction(() => {
      const { row, name: by } = findImage(db, source);
      const given = by?.target ?? row.manifest;
      putImageName(db, name, row.id, given, scope.now());
      return { name, source: by?.name ?? row.id, id: row.id, target: given };
    }, true);
  }

  async list(scope: Scope, options: ImageListOptions = {}): Promise<Image[]> {
    return (await import("./list.ts")).listAll(scope, this.#context, options);
  }

  async get(scope: Scope, ref: string, { platform }: ImageGetOptions = {}): Promise<Image> {
    const wanted = platform === undefined ? undefined : parsePlatform(platform);
    return imageOf(scope, this.#context, findImage(this.#context.db, await this.#name(ref), wanted));
  }

  async inspect(scope: Scope, ref: string, { platform }: ImageGetOptions = {}): Promise<ImageInspect> {
    const wanted = platform === undefined ? undefined : parsePlatform(platform);
    return (await import("./inspect.ts")).inspectImage(scope, this.#context, await this.#name(ref), wanted);
  }

  async history(scope: Scope, ref: string): Promise<ImageHistoryEntry[]> {
    return (await import("./history.ts")).historyOf(scope, this.#context, await this.#name(ref));
  }

  async remove(scope: Scope, ref: string, options: ImageRemoveOptions = {}): Promise<ImageRemoval> {
    return (await import("./remove.ts")).removeImage(
      scope,
      this.#context,
      await this.#name(ref),
      { force: options.force ?? false, platforms: (options.platforms ?? []).map(parsePlatform) },
      this.#isRunning,
    );
  }

  async *save(
    scope: Scope,
    refs: readonly string[],
    { format = "docker-archive", platforms = [] }: SaveOptions = {},
  ): AsyncGenerator<Uint8Array> {
    const names: string[] = [];
    for (const ref of refs) names.push(await this.#name(ref));
    const wanted = platforms === "all" ? platforms : platforms.map(parsePlatform);
    yield* (await import("./save.ts")).saveImages(scope, this.#context, names, format, wanted);
  }

  async load(scope: Scope, source: AsyncIterable<Uint8Array>, options: LoadOptions = {}): Promise<LoadedImage[]> {
    const platforms = (options.platforms ?? []).map(parsePlatform);
    const loaded = await (await import("./load.ts")).loadImages(scope, this.#context, source, platforms, options);
    return Promise.all(
      loaded.map(async ({ row, given }) => ({
        ...(await imageOf(scope, this.#context, { row, name: null })),
        given,
      })),
    );
  }

  async create(scope: Scope, options: CreateImageOptions): Promise<Image> {
    const row = await (await import("./create.ts")).createImage(scope, this.#context, options);
    return imageOf(scope, this.#context, { row, name: null });
  }

  async openSource(scope: Scope, ref: string): Promise<ImageSource> {
    return (await import("./transport.ts")).openSource(scope, this.#context, ref);
  }

  async mount(scope: Scope, ref: string, path?: string): Promise<MountedImage> {
    return (await import("./mount.ts")).mountImage(scope, this.#context, await this.#name(ref), path);
  }

  async mounts(scope: Scope): Promise<MountedImage[]> {
    return (await import("./mount.ts")).listMounts(scope, this.#context);
  }

  async unmount(scope: Scope, ref: string, options: UnmountOptions = {}): Promise<MountedImage[]> {
    return (await import("./mount.ts")).unmountImage(scope, this.#context, ref, options);
  }

  async openSink(scope: Scope, names: readonly string[]): Promise<ImageSink> {
    return (await import("./transport.ts")).openSink(scope, this.#context, names);
  }

  async unpack(scope: Scope, ref: string): Promise<Digest | null> {
    const { row } = findImage(this.#context.db, await this.#name(ref));
    const { registerImage } = await import("./register.ts");
    await using lease = this.#context.hold(scope);
    return (await registerImage(scope, this.#context, lease, { manifest: row.manifest, names: [] })).chainId;
  }

  async login(
    scope: Scope,
    registry: string,
    credentials: { readonly username: string; readonly password: string },
    options: Pick<RegistryAccess, "insecure" | "certDirectory"> = {},
  ): Promise<LoginResult> {
    return (await import("./login.ts")).login(scope, this.#context, registry, credentials, options);
  }

  async logout(scope: Scope, registry: string): Promise<LogoutResult> {
    return (await import("./login.ts")).logout(scope, this.#context, registry);
  }

  // The module and the files that it reads are for short names that Docker's rule does not find.
  async #name(ref: string): Promise<string> {
    if (isKnown(this.#context.db, ref)) return ref;
    return (await import("./short-name.ts")).nameHere(this.#context.db, ref);
  }
}
