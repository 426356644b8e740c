// From the name of a place to the place: sources to read an image from, sinks to write one to.

import { TeuError } from "@teu/base/errors";
import type { RegistryClient } from "@teu/distribution/client/registry-client";
import type { DockerDaemon } from "@teu/distribution/daemon/docker-daemon";
import type { Engine } from "@teu/engine/engine";
import { enginePaths } from "@teu/engine/store/paths";
import { parseReference, type Reference } from "@teu/image/reference";
import type { ImageSink, ImageSource } from "@teu/image/transport/source-and-sink";
import type { CommandContext } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { checkLabel } from "./further-names.ts";
import { type TransportName, withMeaning } from "./transport-name.ts";

/** How a registry is reached. */
export interface PlaceAccess {
  /** Plain HTTP, or TLS without verification, for the host of the name. */
  readonly insecure: boolean;
  readonly credentials?: { readonly username: string; readonly password: string };
  /** A directory with certificates for that host, instead of those of certs.d. */
  readonly certDirectory?: string;
  /** Of a Docker daemon, instead of DOCKER_HOST. */
  readonly daemonHost?: string;
}

/** What a command opened for its places; disposing closes it all. */
export class Places implements AsyncDisposable {
  readonly #context: CommandContext;
  readonly #opened: AsyncDisposable[] = [];
  readonly #clients: Map<string, Promise<RegistryClient>>;
  readonly #ownsClients: boolean;
  #engine: Engine | undefined;

  /** `parent`: whose clients are used, so that many short-lived places share connections and tokens. */
  constructor(context: CommandContext, parent?: Places) {
    this.#context = context;
    this.#clients = parent === undefined ? new Map() : parent.#clients;
    this.#ownsClients = parent === undefined;
  }

  /** A client for one registry; the same one for the same access. */
  client(domain: string, access: PlaceAccess): Promise<RegistryClient> {
    const key = JSON.stringify([domain, access]);
    let client = this.#clients.get(key);
    if (client === undefined) this.#clients.set(key, (client = this.#makeClient(domain, access)));
    return client;
  }

  async #makeClient(domain: string, access: PlaceAccess): Promise<RegistryClient> {
    const { userClient } = await import("@teu/distribution/client/user-client");
    const { DiskUploadJournal } = await import("@teu/distribution/client/upload-journal");
    const { credentials, certDirectory } = access;
    const { root, runroot } = this.#context.environment;
    return userClient(process.env, {
      insecure: (host) => access.insecure && host === domain,
      uploads: new DiskUploadJournal(enginePaths(root, runroot).uploads),
      ...(credentials === undefined
        ? {}
        : { credentials: { find: async (_scope, host) => (host === domain ? credentials : null) } }),
      ...(certDirectory === undefined
        ? {}
        : { certificateDirectory: (host) => (host === domain ? certDirectory : undefined) }),
    });
  }

  /** Opens an image to be read. */
  async source(name: TransportName, access: PlaceAccess): Promise<ImageSource> {
    const { scope } = this.#context;
    if (name.transport === "docker") {
      const { registrySource } = await import("@teu/distribution/client/registry-image");
      const source = registrySource(await this.client(name.reference.domain, access), name.reference);
      return this.#own(name.bare === undefined ? source : explained(source, name.bare));
    }
    if (name.transport === "containers")
      return this.#own(await (await this.#theEngine()).images.openSource(scope, name.image));
    if (name.transport === "docker-daemon") {
      const { readArchiveSource } = await import("@teu/image/transport/archive-source");
      const archive = (await this.#daemon(access)).exportImage(scope, name.image);
      return this.#own(await readArchiveSource(scope, name.text, archive, undefined, this.#context.environment));
    }
    if (name.transport === "dir") {
      const { directorySource } = await import("@teu/image/transport/directory-image");
      return this.#own(directorySource(name.text, name.path));
    }
    if (name.transport === "oci") {
      const { layoutSource } = await import("@teu/image/transport/layout-image");
      return this.#own(layoutSource(name.text, name.path, name.image));
    }
    const { openArchiveSource } = await import("@teu/image/transport/archive-source");
    const { temporary } = this.#context.environment;
    return this.#own(await openArchiveSource(scope, name.text, name.path, name.image, { temporary }));
  }

  /** Opens a place to be written. `further`: more names, of `parseFurtherNames`. */
  async sink(name: TransportName, access: PlaceAccess, further: readonly string[] = []): Promise<ImageSink> {
    if (name.transport === "docker") {
      const { registrySink } = await import("@teu/distribution/client/registry-image");
      const client = await this.client(name.reference.domain, access);
      return this.#own(registrySink(client, name.reference, further));
    }
    if (name.transport === "containers")
      return this.#own(await (await this.#theEngine()).images.openSink(this.#context.scope, [name.image, ...further]));
    if (name.transport === "docker-daemon") {
      const { archiveSink } = await import("@teu/image/transport/archive-sink");
      const docker = { names: [daemonName(name.image), ...further.map(parseReference)] };
      return this.#own(
        archiveSink(name.text, await (await this.#daemon(access)).load(this.#context.scope), { docker }),
      );
    }
    if (name.transport === "dir") {
      const { directorySink } = await import("@teu/image/transport/directory-image");
      return this.#own(await directorySink(name.text, name.path));
    }
    if (name.transport === "oci") {
      const { layoutSink } = await import("@teu/image/transport/layout-image");
      return this.#own(await layoutSink(name.text, name.path, ...labelsOf(name.image, further)));
    }
    const { openArchiveSink } = await import("@teu/image/transport/archive-sink");
    const options =
      name.transport === "oci-archive"
        ? { labels: labelsOf(name.image, further) }
        : { docker: { names: [...dockerNames(name.image), ...further.map(parseReference)] } };
    return this.#own(await openArchiveSink(name.text, name.path, options));
  }

  /** A place on this host for an image without a name. */
  async unnamed(): Promise<ImageSink> {
    return this.#own(await (await this.#theEngine()).images.openSink(this.#context.scope, []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The last one first: sources stand on clients and on the engine.
    const failures: unknown[] = [];
    const clients = this.#ownsClients ? await Promise.all(this.#clients.values()) : [];
    for (const one of [...clients, ...this.#opened].toReversed()) {
      try {
        await one[Symbol.asyncDispose]();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  async #daemon({ daemonHost }: PlaceAccess): Promise<DockerDaemon> {
    const { daemonAddress } = await import("@teu/distribution/daemon/daemon-address");
    const { DockerDaemon } = await import("@teu/distribution/daemon/docker-daemon");
    return new DockerDaemon(daemonAddress(process.env, daemonHost));
  }

  async #theEngine(): Promise<Engine> {
    this.#engine ??= this.#own(await this.#context.engine());
    return this.#engine;
  }

  #own<T extends AsyncDisposable>(one: T): T {
    this.#opened.push(one);
    return one;
  }
}

// The first thing that is asked of a source.
function explained(source: ImageSource, text: string): ImageSource {
  return {
    ...source,
    resolve: (scope) => source.resolve(scope).catch((error: unknown) => Promise.reject(withMeaning(error, text))),
  };
}

function labelsOf(image: string | undefined, further: readonly string[]): readonly string[] {
  return [...(image === undefined ? [] : [checkLabel(image)]), ...further];
}

function daemonName(image: string): Reference {
  const [name] = image.startsWith("sha256:") ? [] : dockerNames(image);
  if (name !== undefined) return name;
  throw usageError(`${JSON.stringify(image)} cannot be the name of an image that is loaded`, {
    fallback: "write docker-daemon:NAME:TAG",
  });
}

function dockerNames(image: string | undefined): readonly Reference[] {
  if (image === undefined) return [];
  const name = parseReference(image);
  if (name.digest === undefined) return [name];
  throw new TeuError({
    code: "invalid",
    op: "write archive",
    subject: image,
    message: "images in Docker's archives are named by tag, not by digest",
  });
}
