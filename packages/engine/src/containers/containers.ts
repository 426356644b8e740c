// What an engine can do with containers: the interface and its values. One verb, one file beside it.
// `ref` is an id, a unique id prefix or a name; an ambiguous prefix is `conflict`, an unknown one `not-found`.

import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import type { ExitRecord, PortMapping } from "@teu/shim/protocol";
import type { CreatedContainer, CreateOptions } from "./create-options.ts";

/** What a container is doing. "dead": its shim died while the container's state could not be settled. */
export type ContainerStatus = "created" | "running" | "paused" | "exited" | "dead";

/** One line of `list`. */
export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  /** As the user named it; an id for one without a name. */
  readonly image: string;
  readonly imageId: Digest | null;
  readonly command: readonly string[];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly status: ContainerStatus;
  /** RFC 3339; null when never started. */
  readonly startedAt: string | null;
  /** Host pid of init; 0 when not running. */
  readonly pid: number;
  readonly exit: ExitRecord | null;
  readonly ports: readonly PortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly networkMode: string;
  readonly autoRemove: boolean;
}

/** Docker-shaped facts (`docker inspect`). */
export interface ContainerInspect {
  readonly Id: string;
  readonly Created: string;
  readonly Path: string;
  readonly Args: readonly string[];
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Paused: boolean;
    readonly Restarting: boolean;
    readonly OOMKilled: boolean;
    readonly Dead: boolean;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly Error: string;
    readonly StartedAt: string;
    readonly FinishedAt: string;
  };
  readonly Image: string;
  readonly ResolvConfPath: string;
  readonly HostnamePath: string;
  readonly HostsPath: string;
  readonly LogPath: string;
  readonly Name: string;
  readonly RestartCount: number;
  readonly Driver: string;
  readonly Platform: string;
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly GraphDriver: { readonly Name: string; readonly Data: Readonly<Record<string, string>> };
  readonly Mounts: readonly Readonly<Record<string, unknown>>[];
  readonly Config: Readonly<Record<string, unknown>>;
  readonly NetworkSettings: Readonly<Record<string, unknown>>;
}

/** Which streams a client wants. */
export interface AttachOptions {
  readonly stdin?: boolean;
  /** Default true. */
  readonly stdout?: boolean;
  /** Default true. */
  readonly stderr?: boolean;
}

/** A piece of output. */
export interface OutputChunk {
  /** With a terminal always "stdout". */
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** Streams of a container or of an exec'ed process. Disposing detaches; it never stops the process. */
export interface StreamSession extends AsyncDisposable {
  /** Output until the end, in order of arrival. To be iterated once; must be drained for the process not to block. */
  readonly output: AsyncIterable<OutputChunk>;
  /** Waits while the shim is busy. */
  write(data: Uint8Array): Promise<void>;
  /** End of input. */
  end(): Promise<void>;
  /** Of the terminal. */
  resize(rows: number, columns: number): Promise<void>;
  /** Exit code, once the process ended and all output was read. `unavailable` when the shim died. */
  readonly exitCode: Promise<number>;
}

/** A further process in a running container. Absent: as the container's own process. */
export interface ExecOptions {
  readonly command: readonly string[];
  readonly env?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly tty?: boolean;
  readonly privileged?: boolean;
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
}

/** A line of a container's log. */
export interface LogEntry {
  readonly stream: "stdout" | "stderr";
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  /** With its newline when it had one. */
  readonly text: string;
}

/** Which lines of a log. */
export interface LogsOptions {
  /** Go on until the container has ended. */
  readonly follow?: boolean;
  /** Only the last lines; default all. */
  readonly tail?: number;
  /** Milliseconds since 1970, with fractions. */
  readonly since?: number;
  readonly until?: number;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
}

/** Options of `list`; all that are given must hold. */
export interface ContainerListOptions {
  /** Also those that do not run. */
  readonly all?: boolean;
  readonly status?: readonly ContainerStatus[];
  /** "name" or "name=value" */
  readonly labels?: readonly string[];
  /** Substring of the name. */
  readonly name?: string;
  /** Image reference or id. */
  readonly ancestor?: string;
}

/** Containers of one engine. */
export interface Containers {
  /** Makes a container, durably, with its snapshot; nothing runs. The image must be here (`not-found`: pull it first). */
  create(scope: Scope, options: CreateOptions): Promise<CreatedContainer>;
  /** Starts it. With `attach` the streams are connected before the process runs, so that no output is lost. */
  start(scope: Scope, ref: string): Promise<void>;
  start(scope: Scope, ref: string, options: { readonly attach: AttachOptions }): Promise<StreamSession>;
  /** Streams of a running container, from now on. */
  attach(scope: Scope, ref: string, options?: AttachOptions): Promise<StreamSession>;
  exec(scope: Scope, ref: string, options: ExecOptions): Promise<StreamSession>;
  /** Without streams; returns the host pid. */
  execDetached(scope: Scope, ref: string, options: ExecOptions): Promise<{ readonly pid: number }>;
  /** Until it has ended and is torn down; at once for one that does not run. With `autoRemove` it is removed then. */
  wait(scope: Scope, ref: string): Promise<ExitRecord>;
  /** Its stop signal, then KILL after the timeout. No error when it does not run. */
  stop(
    scope: Scope,
    ref: string,
    options?: { readonly signal?: string; readonly timeoutSeconds?: number },
  ): Promise<void>;
  /** `conflict` when it does not run. Default KILL. */
  kill(scope: Scope, ref: string, options?: { readonly signal?: string }): Promise<void>;
  pause(scope: Scope, ref: string): Promise<void>;
  resume(scope: Scope, ref: string): Promise<void>;
  resize(scope: Scope, ref: string, rows: number, columns: number): Promise<void>;
  /** `conflict` for a running one, unless forced (it is killed first). `volumes`: also its anonymous ones. */
  remove(scope: Scope, ref: string, options?: { readonly force?: boolean; readonly volumes?: boolean }): Promise<void>;
  rename(scope: Scope, ref: string, name: string): Promise<void>;
  list(scope: Scope, options?: ContainerListOptions): Promise<ContainerSummary[]>;
  get(scope: Scope, ref: string): Promise<ContainerSummary>;
  inspect(scope: Scope, ref: string): Promise<ContainerInspect>;
  logs(scope: Scope, ref: string, options?: LogsOptions): AsyncIterable<LogEntry>;
  /** Its file system as a tar, running or not; without volumes. */
  export(scope: Scope, ref: string): AsyncIterable<Uint8Array>;
  /** Processes as the host sees them. */
  top(
    scope: Scope,
    ref: string,
  ): Promise<{ readonly titles: readonly string[]; readonly processes: readonly (readonly string[])[] }>;
}
