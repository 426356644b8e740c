// Type of the document that `features` prints (runtime-spec v1.3.0, features.md and features-linux.md).
// Absent means "not said"; callers such as containerd turn features on only when a member is there and true.
// portable: no host types here.

/** What a runtime can do, whatever the host. */
export interface Features {
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly hooks?: readonly string[];
  readonly mountOptions?: readonly string[];
  readonly linux?: LinuxFeatures;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly potentiallyUnsafeConfigAnnotations?: readonly string[];
}

/** The Linux part. */
export interface LinuxFeatures {
  readonly namespaces?: readonly string[];
  readonly capabilities?: readonly string[];
  readonly cgroup?: CgroupFeatures;
  readonly seccomp?: SeccompFeatures;
  readonly apparmor?: EnabledFeature;
  readonly selinux?: EnabledFeature;
  readonly intelRdt?: IntelRdtFeatures;
  readonly memoryPolicy?: MemoryPolicyFeatures;
  readonly mountExtensions?: { readonly idmap?: EnabledFeature };
  readonly netDevices?: EnabledFeature;
}

/** A feature that is either built in or not. */
export interface EnabledFeature {
  readonly enabled?: boolean;
}

/** Kinds of cgroup access. */
export interface CgroupFeatures {
  readonly v1?: boolean;
  readonly v2?: boolean;
  readonly systemd?: boolean;
  readonly systemdUser?: boolean;
  readonly rdma?: boolean;
}

/** Names of config.json's `linux.seccomp`. */
export interface SeccompFeatures extends EnabledFeature {
  readonly actions?: readonly string[];
  readonly operators?: readonly string[];
  readonly archs?: readonly string[];
  readonly knownFlags?: readonly string[];
  readonly supportedFlags?: readonly string[];
}

/** resctrl. */
export interface IntelRdtFeatures extends EnabledFeature {
  readonly schemata?: boolean;
  readonly monitoring?: boolean;
}

/** Names of config.json's `linux.memoryPolicy`. */
export interface MemoryPolicyFeatures {
  readonly modes?: readonly string[];
  readonly flags?: readonly string[];
}
