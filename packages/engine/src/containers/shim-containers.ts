// `Containers`, each method a call of its own file. The files are loaded when first used: a run needs few of them.

import type { Scope } from "@teu/base/scope";
import type { ExitRecord } from "@teu/shim/protocol";

import type { ImageGetOptions } from "../images/images.ts";
import { listPorts } from "../store/network-rows.ts";
import { renameContainer } from "../store/container-rows.ts";
import type {
  AttachOptions,
  ContainerInspect,
  ContainerListOptions,
  Containers,
  ContainerSummary,
  ExecOptions,
  LogEntry,
  LogsOptions,
  StreamSession,
} from "./containers.ts";
import type { ContainerContext } from "./context.ts";
import { createContainer, type ResolvedImage } from "./create.ts";
import type { CreatedContainer, CreateOptions } from "./create-options.ts";
import { findContainer } from "./find.ts";
import { readLife } from "./life.ts";
import { listSummaries, summaryOf } from "./list.ts";
import { removeContainer } from "./remove.ts";
import { reconcile } from "./reconcile.ts";
import { lockContainer } from "./settle.ts";
import { checkContainerName } from "./settings/names.ts";
import { openSession } from "./shim/session.ts";
import { attachRequest, startContainer } from "./start.ts";
import { killContainer, requireRunning, stopContainer, tellContainer, untilOver, waitForContainer } from "./stop.ts";

/** Looks an image of this engine up. */
export type FindImage = (scope: Scope, ref: string, options: ImageGetOptions) => Promise<ResolvedImage>;

/** Containers under teu-shim. */
export class ShimContainers implements Containers {
  readonly #context: ContainerContext;
  readonly #findImage: FindImage;

  constructor(context: ContainerContext, findImage: FindImage) {
    this.#context = context;
    this.#findImage = findImage;
  }

  async create(scope: Scope, options: CreateOptions): Promise<CreatedContainer> {
    await reconcile(scope, this.#context);
    return createContainer(scope, this.#context, options, (ref, wanted) => this.#findImage(scope, ref, wanted));
  }

  start(scope: Scope, ref: string): Promise<void>;
  start(scope: Scope, ref: string, options: { readonly attach: AttachOptions }): Promise<StreamSession>;
  async start(scope: Scope, ref: string, options?: { readonly attach: AttachOptions }): Promise<StreamSession | void> {
    return (await startContainer(scope, this.#context, ref, options?.attach)) ?? undefined;
  }

  async attach(scope: Scope, ref: string, options: AttachOptions = {}): Promise<StreamSession> {
    const paths = this.#context.paths.container(findContainer(this.#context.db, ref).id);
    requireRunning(readLife(paths), ref, "attach to container");
    return openSession(scope, paths.shimSocket, attachRequest(options, false));
  }

  async exec(scope: Scope, ref: string, options: ExecOptions): Promise<StreamSession> {
    return (await import("./exec.ts")).execInContainer(scope, this.#context, ref, options);
  }

  async execDetached(scope: Scope, ref: string, options: ExecOptions): Promise<{ readonly pid: number }> {
    return (await import("./exec.ts")).execDetached(scope, this.#context, ref, options);
  }

  wait(scope: Scope, ref: string): Promise<ExitRecord> {
    return waitForContainer(scope, this.#context, ref);
  }

  stop(
    scope: Scope,
    ref: string,
    options?: { readonly signal?: string; readonly timeoutSeconds?: number },
  ): Promise<void> {
    return stopContainer(scope, this.#context, ref, options);
  }

  kill(scope: Scope, ref: string, options?: { readonly signal?: string }): Promise<void> {
    return killContainer(scope, this.#context, ref, options?.signal);
  }

  pause(scope: Scope, ref: string): Promise<void> {
    return tellContainer(scope, this.#context, ref, { op: "pause" });
  }

  resume(scope: Scope, ref: string): Promise<void> {
    return tellContainer(scope, this.#context, ref, { op: "resume" });
  }

  resize(scope: Scope, ref: string, rows: number, columns: number): Promise<void> {
    return tellContainer(scope, this.#context, ref, { op: "resize", rows, columns });
  }

  remove(scope: Scope, ref: string, options?: { readonly force?: boolean; readonly volumes?: boolean }): Promise<void> {
    return removeContainer(scope, this.#context, ref, options);
  }

  async rename(scope: Scope, ref: string, name: string): Promise<void> {
    const { id } = findContainer(this.#context.db, ref);
    using lock = await lockContainer(scope, this.#context, id);
    if (lock !== null) renameContainer(this.#context.db, id, checkContainerName(name));
  }

  async list(scope: Scope, options?: ContainerListOptions): Promise<ContainerSummary[]> {
    await reconcile(scope, this.#context);
    return listSummaries(scope, this.#context, options);
  }

  async get(scope: Scope, ref: string): Promise<ContainerSummary> {
    await reconcile(scope, this.#context);
    const row = findContainer(this.#context.db, ref);
    return summaryOf(this.#context, row, listPorts(this.#context.db, row.id).get(row.id) ?? []);
  }

  async inspect(scope: Scope, ref: string): Promise<ContainerInspect> {
    await reconcile(scope, this.#context);
    return (await import("./inspect.ts")).inspectContainer(scope, this.#context, ref);
  }

  async *logs(scope: Scope, ref: string, options: LogsOptions = {}): AsyncGenerator<LogEntry> {
    const { readLog } = await import("./logs/read-log.ts");
    const row = findContainer(this.#context.db, ref);
    const paths = this.#context.paths.container(row.id);
    yield* readLog(scope, paths.log, options, async () => void (await untilOver(scope, this.#context, row.id)));
  }

  async *export(scope: Scope, ref: string): AsyncGenerator<Uint8Array> {
    yield* (await import("./export.ts")).exportContainer(scope, this.#context, ref);
  }

  async top(
    scope: Scope,
    ref: string,
  ): Promise<{ readonly titles: readonly string[]; readonly processes: readonly (readonly string[])[] }> {
    return (await import("./top.ts")).topOfContainer(scope, this.#context, ref);
  }
}
