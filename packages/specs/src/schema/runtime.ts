// Schemas of the runtime-spec documents (v1.3.0, Linux), the source of src/gen/runtime.js (tools/gen-specs.ts).
// Used at development time only; types.test.ts proves that src/runtime.ts says the same.
// What depends on the host (does this kernel know the capability, the architecture, the sysctl?) is the runtime's to check.

import { Type } from "typebox";

const text = Type.String();
const strings = Type.Array(Type.String());
const stringMap = Type.Record(Type.String(), Type.String());
const bool = Type.Boolean();
const int = Type.Integer();
const uint = Type.Integer({ minimum: 0 });
const uint32 = Type.Integer({ minimum: 0, maximum: 0xffffffff });
// Any 1.x: within a major version documents stay readable, and refusing newer ones breaks callers for nothing.
const ociVersion = Type.String({ pattern: "^1\\." });

const IdMapping = Type.Object({ containerID: uint32, hostID: uint32, size: uint32 });

const Mount = Type.Object({
  destination: text,
  type: Type.Optional(text),
  source: Type.Optional(text),
  options: Type.Optional(strings),
  uidMappings: Type.Optional(Type.Array(IdMapping)),
  gidMappings: Type.Optional(Type.Array(IdMapping)),
});

/** config.json's `process`, also the file of `exec --process`. */
export const Process = Type.Object({
  terminal: Type.Optional(bool),
  consoleSize: Type.Optional(Type.Object({ height: uint, width: uint })),
  cwd: text,
  env: Type.Optional(strings),
  args: Type.Optional(strings),
  user: Type.Optional(
    Type.Object({
      uid: Type.Optional(uint32),
      gid: Type.Optional(uint32),
      umask: Type.Optional(uint32),
      additionalGids: Type.Optional(Type.Array(uint32)),
    }),
  ),
  capabilities: Type.Optional(
    Type.Object({
      bounding: Type.Optional(strings),
      effective: Type.Optional(strings),
      inheritable: Type.Optional(strings),
      permitted: Type.Optional(strings),
      ambient: Type.Optional(strings),
    }),
  ),
  rlimits: Type.Optional(
    Type.Array(Type.Object({ type: Type.String({ pattern: "^RLIMIT_[A-Z]+$" }), soft: uint, hard: uint })),
  ),
  noNewPrivileges: Type.Optional(bool),
  apparmorProfile: Type.Optional(text),
  selinuxLabel: Type.Optional(text),
  oomScoreAdj: Type.Optional(int),
  scheduler: Type.Optional(
    Type.Object({
      policy: Type.Enum([
        "SCHED_OTHER",
        "SCHED_FIFO",
        "SCHED_RR",
        "SCHED_BATCH",
        "SCHED_ISO",
        "SCHED_IDLE",
        "SCHED_DEADLINE",
      ]),
      nice: Type.Optional(int),
      priority: Type.Optional(int),
      flags: Type.Optional(strings),
      runtime: Type.Optional(uint),
      deadline: Type.Optional(uint),
      period: Type.Optional(uint),
    }),
  ),
  ioPriority: Type.Optional(
    Type.Object({
      class: Type.Enum(["IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"]),
      priority: Type.Optional(int),
    }),
  ),
  execCPUAffinity: Type.Optional(Type.Object({ initial: Type.Optional(text), final: Type.Optional(text) })),
});

const Hook = Type.Object({
  path: Type.String({ pattern: "^/" }),
  args: Type.Optional(strings),
  env: Type.Optional(strings),
  timeout: Type.Optional(Type.Integer({ minimum: 1 })),
});
const hooks = Type.Optional(Type.Array(Hook));

const ThrottleDevices = Type.Optional(Type.Array(Type.Object({ major: int, minor: int, rate: uint })));
const weight = Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 }));

/** config.json's `linux.resources`, also the file of `update --resources`. */
export const LinuxResources = Type.Object({
  devices: Type.Optional(
    Type.Array(
      Type.Object({
        allow: bool,
        type: Type.Optional(Type.Enum(["a", "c", "b", "u", "p"])),
        major: Type.Optional(int),
        minor: Type.Optional(int),
        access: Type.Optional(Type.String({ pattern: "^[rwm]*$" })),
      }),
    ),
  ),
  memory: Type.Optional(
    Type.Object({
      limit: Type.Optional(int),
      reservation: Type.Optional(int),
      swap: Type.Optional(int),
      kernel: Type.Optional(int),
      kernelTCP: Type.Optional(int),
      swappiness: Type.Optional(uint),
      disableOOMKiller: Type.Optional(bool),
      useHierarchy: Type.Optional(bool),
      checkBeforeUpdate: Type.Optional(bool),
    }),
  ),
  cpu: Type.Optional(
    Type.Object({
      shares: Type.Optional(uint),
      quota: Type.Optional(int),
      burst: Type.Optional(uint),
      period: Type.Optional(uint),
      realtimeRuntime: Type.Optional(int),
      realtimePeriod: Type.Optional(uint),
      cpus: Type.Optional(text),
      mems: Type.Optional(text),
      idle: Type.Optional(int),
    }),
  ),
  pids: Type.Optional(Type.Object({ limit: Type.Optional(int) })),
  blockIO: Type.Optional(
    Type.Object({
      weight,
      leafWeight: weight,
      weightDevice: Type.Optional(Type.Array(Type.Object({ major: int, minor: int, weight, leafWeight: weight }))),
      throttleReadBpsDevice: ThrottleDevices,
      throttleWriteBpsDevice: ThrottleDevices,
      throttleReadIOPSDevice: ThrottleDevices,
      throttleWriteIOPSDevice: ThrottleDevices,
    }),
  ),
  hugepageLimits: Type.Optional(
    Type.Array(
      Type.Object({
        pageSize: Type.String({ pattern: "^[1-9][0-9]*[KMG]B$" }),
        limit: uint,
      }),
    ),
  ),
  network: Type.Optional(
    Type.Object({
      classID: Type.Optional(uint32),
      priorities: Type.Optional(Type.Array(Type.Object({ name: text, priority: uint32 }))),
    }),
  ),
  rdma: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Object({
        hcaHandles: Type.Optional(uint32),
        hcaObjects: Type.Optional(uint32),
      }),
    ),
  ),
  unified: Type.Optional(stringMap),
});

const action = Type.Enum([
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_TRAP",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_TRACE",
  "SCMP_ACT_ALLOW",
  "SCMP_ACT_LOG",
  "SCMP_ACT_NOTIFY",
]);

const Seccomp = Type.Object({
  defaultAction: action,
  defaultErrnoRet: Type.Optional(uint32),
  architectures: Type.Optional(strings),
  flags: Type.Optional(strings),
  listenerPath: Type.Optional(text),
  listenerMetadata: Type.Optional(text),
  syscalls: Type.Optional(
    Type.Array(
      Type.Object({
        names: Type.Array(Type.String(), { minItems: 1 }),
        action,
        errnoRet: Type.Optional(uint32),
        args: Type.Optional(
          Type.Array(
            Type.Object({
              index: Type.Integer({ minimum: 0, maximum: 5 }),
              value: uint,
              valueTwo: Type.Optional(uint),
              op: Type.Enum([
                "SCMP_CMP_NE",
                "SCMP_CMP_LT",
                "SCMP_CMP_LE",
                "SCMP_CMP_EQ",
                "SCMP_CMP_GE",
                "SCMP_CMP_GT",
                "SCMP_CMP_MASKED_EQ",
              ]),
            }),
          ),
        ),
      }),
    ),
  ),
});

const Linux = Type.Object({
  namespaces: Type.Optional(
    Type.Array(
      Type.Object({
        type: Type.Enum(["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"]),
        path: Type.Optional(text),
      }),
    ),
  ),
  uidMappings: Type.Optional(Type.Array(IdMapping)),
  gidMappings: Type.Optional(Type.Array(IdMapping)),
  timeOffsets: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Object({
        secs: Type.Optional(int),
        nanosecs: Type.Optional(uint32),
      }),
    ),
  ),
  devices: Type.Optional(
    Type.Array(
      Type.Object({
        type: Type.Enum(["c", "b", "u", "p"]),
        path: text,
        major: Type.Optional(int),
        minor: Type.Optional(int),
        fileMode: Type.Optional(uint32),
        uid: Type.Optional(uint32),
        gid: Type.Optional(uint32),
      }),
    ),
  ),
  netDevices: Type.Optional(Type.Record(Type.String(), Type.Object({ name: Type.Optional(text) }))),
  cgroupsPath: Type.Optional(text),
  resources: Type.Optional(LinuxResources),
  rootfsPropagation: Type.Optional(text),
  seccomp: Type.Optional(Seccomp),
  sysctl: Type.Optional(stringMap),
  maskedPaths: Type.Optional(strings),
  readonlyPaths: Type.Optional(strings),
  mountLabel: Type.Optional(text),
  intelRdt: Type.Optional(
    Type.Object({
      closID: Type.Optional(text),
      schemata: Type.Optional(strings),
      l3CacheSchema: Type.Optional(text),
      memBwSchema: Type.Optional(text),
      enableMonitoring: Type.Optional(bool),
    }),
  ),
  memoryPolicy: Type.Optional(Type.Object({ mode: text, nodes: Type.Optional(text), flags: Type.Optional(strings) })),
  personality: Type.Optional(Type.Object({ domain: Type.Enum(["LINUX", "LINUX32"]), flags: Type.Optional(strings) })),
});

/** config.json. */
export const Spec = Type.Object({
  ociVersion,
  root: Type.Optional(Type.Object({ path: Type.String({ pattern: "." }), readonly: Type.Optional(bool) })),
  mounts: Type.Optional(Type.Array(Mount)),
  process: Type.Optional(Process),
  hostname: Type.Optional(text),
  domainname: Type.Optional(text),
  hooks: Type.Optional(
    Type.Object({
      prestart: hooks,
      createRuntime: hooks,
      createContainer: hooks,
      startContainer: hooks,
      poststart: hooks,
      poststop: hooks,
    }),
  ),
  annotations: Type.Optional(stringMap),
  linux: Type.Optional(Linux),
});

/** What `state` prints. */
export const State = Type.Object({
  ociVersion,
  id: text,
  status: Type.Enum(["creating", "created", "running", "stopped", "paused"]),
  pid: Type.Optional(int),
  bundle: text,
  annotations: Type.Optional(stringMap),
});
