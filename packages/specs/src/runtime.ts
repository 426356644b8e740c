// Types of config.json and of a container's state (runtime-spec v1.3.0, Linux). Parsing is in runtime-parse.ts.
// Types say what a validated document holds; fields this file does not name are kept as they came.
// Numbers that the spec calls 64-bit arrive as doubles: beyond 2^53 they are rounded, so "unlimited" means ">= 2^63".
// portable: no host types here.

/** config.json. */
export interface Spec {
  readonly ociVersion: string;
  readonly root?: Root;
  readonly mounts?: readonly Mount[];
  readonly process?: Process;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly hooks?: Hooks;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux?: Linux;
}

/** The container's root file system; `path` is relative to the bundle unless absolute. */
export interface Root {
  readonly path: string;
  readonly readonly?: boolean;
}

/** One mount, in order. `destination` is inside the container. */
export interface Mount {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
}

/** The program to run, and as whom. `args` may be missing in a container that is created but never started. */
export interface Process {
  readonly terminal?: boolean;
  readonly consoleSize?: ConsoleSize;
  readonly cwd: string;
  readonly env?: readonly string[];
  readonly args?: readonly string[];
  readonly user?: User;
  readonly capabilities?: Capabilities;
  readonly rlimits?: readonly Rlimit[];
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly oomScoreAdj?: number;
  readonly scheduler?: Scheduler;
  readonly ioPriority?: IoPriority;
  readonly execCPUAffinity?: CpuAffinity;
}

/** Size of the terminal in characters. */
export interface ConsoleSize {
  readonly height: number;
  readonly width: number;
}

/** Ids are numbers inside the container's user namespace. */
export interface User {
  readonly uid?: number;
  readonly gid?: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

/** The five sets, by names as in capabilities(7): "CAP_KILL". */
export interface Capabilities {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly permitted?: readonly string[];
  readonly ambient?: readonly string[];
}

/** One limit, `type` as in getrlimit(2): "RLIMIT_NOFILE". */
export interface Rlimit {
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

/** As in sched_setattr(2); times are nanoseconds. */
export interface Scheduler {
  readonly policy:
    | "SCHED_OTHER"
    | "SCHED_FIFO"
    | "SCHED_RR"
    | "SCHED_BATCH"
    | "SCHED_ISO"
    | "SCHED_IDLE"
    | "SCHED_DEADLINE";
  readonly nice?: number;
  readonly priority?: number;
  readonly flags?: readonly string[];
  readonly runtime?: number;
  readonly deadline?: number;
  readonly period?: number;
}

/** As in ioprio_set(2). */
export interface IoPriority {
  readonly class: "IOPRIO_CLASS_RT" | "IOPRIO_CLASS_BE" | "IOPRIO_CLASS_IDLE";
  readonly priority?: number;
}

/** CPU lists ("0-3,7") for an exec'd process, before and after it enters the container's cgroup. */
export interface CpuAffinity {
  readonly initial?: string;
  readonly final?: string;
}

/** Programs run at points of a container's life; the state is on their stdin. */
export interface Hooks {
  /** Deprecated by the spec, still called first, in the runtime's namespaces. */
  readonly prestart?: readonly Hook[];
  readonly createRuntime?: readonly Hook[];
  readonly createContainer?: readonly Hook[];
  readonly startContainer?: readonly Hook[];
  readonly poststart?: readonly Hook[];
  readonly poststop?: readonly Hook[];
}

/** One program; `timeout` in seconds, more than 0. */
export interface Hook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly timeout?: number;
}

/** A range of ids: `size` ids from `containerID` are `hostID`... outside. */
export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** The Linux part of config.json. */
export interface Linux {
  readonly namespaces?: readonly Namespace[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  readonly timeOffsets?: Readonly<Record<string, TimeOffset>>;
  readonly devices?: readonly Device[];
  /** Host network devices to move into the container, by their name on the host. */
  readonly netDevices?: Readonly<Record<string, NetDevice>>;
  readonly cgroupsPath?: string;
  readonly resources?: LinuxResources;
  readonly rootfsPropagation?: string;
  readonly seccomp?: Seccomp;
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly mountLabel?: string;
  readonly intelRdt?: IntelRdt;
  readonly memoryPolicy?: MemoryPolicy;
  readonly personality?: Personality;
}

/** Kinds of namespace, by the names that the spec uses. */
export type NamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup" | "time";

/** A namespace to make, or with `path` to join. */
export interface Namespace {
  readonly type: NamespaceType;
  readonly path?: string;
}

/** Offset of "monotonic" or "boottime" in a new time namespace. */
export interface TimeOffset {
  readonly secs?: number;
  readonly nanosecs?: number;
}

/** A device node to make. `u` is `c` without a buffer, `p` a FIFO (no numbers). */
export interface Device {
  readonly type: "c" | "b" | "u" | "p";
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** How a moved network device is called inside; the same name when missing. */
export interface NetDevice {
  readonly name?: string;
}

/** cgroup limits. */
export interface LinuxResources {
  readonly devices?: readonly DeviceRule[];
  readonly memory?: MemoryResources;
  readonly cpu?: CpuResources;
  readonly pids?: PidsResources;
  readonly blockIO?: BlockIoResources;
  readonly hugepageLimits?: readonly HugepageLimit[];
  readonly network?: NetworkResources;
  readonly rdma?: Readonly<Record<string, RdmaResources>>;
  /** cgroup v2 file name to value, written as given. */
  readonly unified?: Readonly<Record<string, string>>;
}

/** An entry of the device access list; missing numbers mean all. */
export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: "a" | "c" | "b" | "u" | "p";
  readonly major?: number;
  readonly minor?: number;
  /** Letters of "rwm"; all of them when missing. */
  readonly access?: string;
}

/** Bytes; -1 is unlimited. */
export interface MemoryResources {
  readonly limit?: number;
  readonly reservation?: number;
  /** Memory plus swap. */
  readonly swap?: number;
  /** Deprecated by the spec. */
  readonly kernel?: number;
  /** Deprecated by the spec. */
  readonly kernelTCP?: number;
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
  readonly checkBeforeUpdate?: boolean;
}

/** Times in microseconds. */
export interface CpuResources {
  readonly shares?: number;
  readonly quota?: number;
  readonly burst?: number;
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
  readonly mems?: string;
  readonly idle?: number;
}

/** Number of tasks; -1 is unlimited. */
export interface PidsResources {
  readonly limit?: number;
}

/** Weights 10 to 1000, and per-device ceilings. */
export interface BlockIoResources {
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly WeightDevice[];
  readonly throttleReadBpsDevice?: readonly ThrottleDevice[];
  readonly throttleWriteBpsDevice?: readonly ThrottleDevice[];
  readonly throttleReadIOPSDevice?: readonly ThrottleDevice[];
  readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[];
}

/** A block device's weight. */
export interface WeightDevice {
  readonly major: number;
  readonly minor: number;
  readonly weight?: number;
  readonly leafWeight?: number;
}

/** A block device's ceiling: bytes or operations per second. */
export interface ThrottleDevice {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

/** `pageSize` as the kernel writes it: "2MB", "1GB"; `limit` in bytes. */
export interface HugepageLimit {
  readonly pageSize: string;
  readonly limit: number;
}

/** cgroup v1 net_cls and net_prio. */
export interface NetworkResources {
  readonly classID?: number;
  readonly priorities?: readonly InterfacePriority[];
}

/** Priority of an interface's traffic. */
export interface InterfacePriority {
  readonly name: string;
  readonly priority: number;
}

/** Handles and objects of one RDMA device. */
export interface RdmaResources {
  readonly hcaHandles?: number;
  readonly hcaObjects?: number;
}

/** What a filter does with a call. */
export type SeccompAction =
  | "SCMP_ACT_KILL"
  | "SCMP_ACT_KILL_PROCESS"
  | "SCMP_ACT_KILL_THREAD"
  | "SCMP_ACT_TRAP"
  | "SCMP_ACT_ERRNO"
  | "SCMP_ACT_TRACE"
  | "SCMP_ACT_ALLOW"
  | "SCMP_ACT_LOG"
  | "SCMP_ACT_NOTIFY";

/** How an argument is compared. */
export type SeccompOperator =
  | "SCMP_CMP_NE"
  | "SCMP_CMP_LT"
  | "SCMP_CMP_LE"
  | "SCMP_CMP_EQ"
  | "SCMP_CMP_GE"
  | "SCMP_CMP_GT"
  | "SCMP_CMP_MASKED_EQ";

/** The system call filter. */
export interface Seccomp {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number;
  /** SCMP_ARCH_... names; an unknown one is for the filter's compiler to refuse. */
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly SeccompSyscall[];
}

/** A rule: all `names` get `action` where all `args` match. */
export interface SeccompSyscall {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArg[];
}

/** Argument `index` compared with `value` (masked: `valueTwo` is the value, `value` the mask). */
export interface SeccompArg {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: SeccompOperator;
}

/** Cache and memory bandwidth allocation through resctrl. */
export interface IntelRdt {
  readonly closID?: string;
  readonly schemata?: readonly string[];
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
  readonly enableMonitoring?: boolean;
}

/** As in set_mempolicy(2): "MPOL_BIND" on nodes "0-1". */
export interface MemoryPolicy {
  readonly mode: string;
  readonly nodes?: string;
  readonly flags?: readonly string[];
}

/** As in personality(2). The spec defines no flags yet. */
export interface Personality {
  readonly domain: "LINUX" | "LINUX32";
  readonly flags?: readonly string[];
}

/** Where a container is in its life. `paused` is every runtime's addition to the spec. */
export type Status = "creating" | "created" | "running" | "stopped" | "paused";

/** What `state` prints and hooks read on stdin. `pid` is 0 or missing when stopped. */
export interface State {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: Status;
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What a seccomp agent receives together with the notify fd (`fds[i]` names the i-th fd). */
export interface ContainerProcessState {
  readonly ociVersion: string;
  readonly fds: readonly string[];
  readonly pid: number;
  readonly metadata?: string;
  readonly state: State;
}

/** The version this project implements; any 1.x is accepted. */
export const RUNTIME_SPEC_VERSION = "1.3.0";
