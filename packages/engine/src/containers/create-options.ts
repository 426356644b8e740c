// What a container can be asked to be: Docker's options as values, already split but not yet resolved against an image.
// Every front end (command line, APIs, builder) speaks this; `createContainer` alone decides what it means.

import type { Digest } from "@teu/image/digest";
import type { ImageConfig } from "@teu/specs/image";

/** What is mounted at `target` besides the root file system. */
export type VolumeOption =
  /** A host directory or file; made as a directory when missing, as `-v` does. */
  | {
      readonly kind: "bind";
      readonly source: string;
      readonly target: string;
      readonly readOnly?: boolean;
      readonly propagation?: string;
    }
  /** A named volume of this engine (ROOT/volumes/NAME), filled from the image when empty; no name: anonymous, removed with the container. */
  | { readonly kind: "volume"; readonly name?: string; readonly target: string; readonly readOnly?: boolean }
  | { readonly kind: "tmpfs"; readonly target: string; readonly options?: readonly string[] };

/** A port to publish. `hostPort` 0 or absent: a free one is chosen. */
export interface PublishOption {
  readonly hostIp?: string;
  readonly hostPort?: number;
  readonly containerPort: number;
  readonly protocol?: "tcp" | "udp";
}

/** A resource limit; -1: unlimited. */
export interface UlimitOption {
  /** "nofile" */
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** A host device given to the container. */
export interface DeviceOption {
  readonly source: string;
  /** Default: `source`. */
  readonly target?: string;
  /** Subset of "rwm"; default all. */
  readonly permissions?: string;
}

/** When a container is started again. Only "no" is possible yet; others are `unsupported`. */
export type RestartPolicy = "no" | "always" | "unless-stopped" | "on-failure";

/** What the container's root file system and defaults come from. */
export type ImageSource =
  /** Name, name@digest, id or id prefix of an image of this engine. */
  | string
  /** A layer chain without an image (a build step); `config` gives the defaults. */
  | { readonly chainId: Digest | null; readonly config: ImageConfig };

/** Everything about one container. Absent means: what the image says, else Docker's default. */
export interface CreateOptions {
  readonly image: ImageSource;
  /** "linux/arm64": which image is meant; `not-found` when it is not here. Default: this host's, else whichever is here. */
  readonly platform?: string;
  /** [a-zA-Z0-9][a-zA-Z0-9_.-]*; default: adjective_noun. */
  readonly name?: string;
  readonly command?: readonly string[];
  /** Replaces the image's entrypoint; [] takes it away. Also drops the image's command, as Docker does. */
  readonly entrypoint?: readonly string[];
  /** "NAME=value"; a bare "NAME" removes the image's. */
  readonly env?: readonly string[];
  readonly workdir?: string;
  /** user[:group], names or numbers. */
  readonly user?: string;
  readonly groupAdd?: readonly string[];
  readonly hostname?: string;
  readonly domainname?: string;
  readonly tty?: boolean;
  /** Keep stdin open (-i). */
  readonly interactive?: boolean;
  /** Stdin ends with the first client (docker run -i); default: `interactive`. */
  readonly stdinOnce?: boolean;
  readonly autoRemove?: boolean;
  /**
   * The container belongs to this process: with `autoRemove` until it is started, else for its whole life (a build step).
   * Once the process is gone, the next command of anybody ends and removes it. Default false.
   */
  readonly owned?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly restart?: RestartPolicy;
  /** "TERM", "SIGTERM" or "15". */
  readonly stopSignal?: string;
  /** Seconds; default 10. */
  readonly stopTimeout?: number;
  /** "teu-runtime", "runc", "crun" or an absolute path; default: the engine's. */
  readonly runtime?: string;

  readonly network?: NetworkMode;
  readonly publish?: readonly PublishOption[];
  /** Publish all exposed ports on free host ports (-P). */
  readonly publishAll?: boolean;
  /** "host:ip"; ip "host-gateway" is the bridge's address. */
  readonly addHost?: readonly string[];
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOption?: readonly string[];

  readonly volumes?: readonly VolumeOption[];
  readonly readOnly?: boolean;
  /** Bytes; default 64 MiB. */
  readonly shmSize?: number;

  readonly resources?: ResourceOptions;
  readonly ulimits?: readonly UlimitOption[];
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly oomScoreAdj?: number;

  readonly privileged?: boolean;
  /** "NET_ADMIN", "CAP_NET_ADMIN" or "ALL", any case. */
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  /** "seccomp=unconfined", "seccomp=FILE", "no-new-privileges[:true|false]", "apparmor=unconfined", "systempaths=unconfined". */
  readonly securityOpt?: readonly string[];
  readonly devices?: readonly DeviceOption[];
  /** "host" or "private" (default). */
  readonly pid?: string;
  readonly ipc?: string;
  readonly uts?: string;
  readonly cgroupns?: string;

  readonly log?: LogOptions;
}

/** The network a container gets. */
export type NetworkMode = "none" | "host" | "bridge";

/** Limits of one container. */
export interface ResourceOptions {
  /** Bytes, at least 6 MiB as Docker wants. */
  readonly memory?: number;
  /** Memory plus swap, bytes; -1: unlimited swap. */
  readonly memorySwap?: number;
  readonly memoryReservation?: number;
  /** 1.5 = one and a half cores. */
  readonly cpus?: number;
  readonly cpuShares?: number;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  /** "0-2,4" */
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** -1 or 0: unlimited. */
  readonly pidsLimit?: number;
}

/** The container's log file. */
export interface LogOptions {
  /** "none": no log is kept. */
  readonly driver?: "json-file" | "none";
  /** Bytes after which it is rotated; 0 (default): never. */
  readonly maxSize?: number;
  /** Files kept, the current one included; default 1. */
  readonly maxFiles?: number;
}

/** What `create` returns. */
export interface CreatedContainer {
  readonly id: string;
  readonly name: string;
  /** What was asked for and cannot be had on this host, one sentence each. */
  readonly warnings: readonly string[];
}
