// A container's settings: what the user asked for, resolved once against the image and checked. Stored as JSON in its row;
// everything else about a container (spec, files, network) is made anew from them at each start.

import type { Digest } from "@teu/image/digest";

import type { DeviceOption, NetworkMode, PublishOption, ResourceOptions, UlimitOption } from "./create-options.ts";

/** A mount besides the root file system, resolved. */
export type MountSetting =
  | {
      readonly kind: "bind";
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly propagation: string;
    }
  | {
      readonly kind: "volume";
      readonly name: string;
      readonly anonymous: boolean;
      readonly target: string;
      readonly readOnly: boolean;
    }
  | { readonly kind: "tmpfs"; readonly target: string; readonly options: readonly string[] };

/** The system call filter: Docker's default, none, or the text of a profile. */
export type SeccompSetting =
  | { readonly kind: "default" }
  | { readonly kind: "unconfined" }
  | { readonly kind: "profile"; readonly text: string };

/** What a container is. */
export interface ContainerSettings {
  /** As the user named it. */
  readonly image: string;
  readonly imageId: Digest | null;
  readonly chainId: Digest | null;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly workdir: string;
  readonly user: string;
  readonly groupAdd: readonly string[];
  readonly hostname: string;
  readonly domainname: string;
  readonly tty: boolean;
  readonly interactive: boolean;
  readonly stdinOnce: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Signal number. */
  readonly stopSignal: number;
  readonly stopTimeout: number;
  /** Name or absolute path. */
  readonly runtime: string;

  readonly network: NetworkMode;
  readonly publish: readonly Required<PublishOption>[];
  /** "80/tcp" ... */
  readonly exposed: readonly string[];
  readonly addHost: readonly string[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOption: readonly string[];

  readonly mounts: readonly MountSetting[];
  readonly readOnly: boolean;
  readonly shmSize: number;

  readonly resources: ResourceOptions;
  readonly ulimits: readonly UlimitOption[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly oomScoreAdj: number;

  readonly privileged: boolean;
  /** "CAP_..." or "ALL". */
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly seccomp: SeccompSetting;
  /** No masked and read-only paths. */
  readonly systemPathsUnconfined: boolean;
  readonly devices: readonly Required<DeviceOption>[];
  readonly pid: "private" | "host";
  readonly ipc: "private" | "host";
  readonly uts: "private" | "host";
  readonly cgroupns: "private" | "host";

  readonly log: { readonly driver: "json-file" | "none"; readonly maxSize: number; readonly maxFiles: number };
}
