// The seam between engine and shim: files and socket messages. The engine imports this file and no other of the shim.
// portable: no host types here.
//
//   RUNROOT/containers/ID/
//     shim.json      written by the engine before it starts the shim (ShimConfig)
//     shim.lock      flock held by the living shim: a reader that gets the lock knows that the shim is dead
//     shim.sock      unix stream socket, mode 0600 (see "Socket" below)
//     state.json     ShimState, replaced atomically at each change
//     shim.log       what the shim itself has to say (warnings, failed clean-up); absent when nothing
//   ROOT/containers/ID/
//     bundle/        config.json (written by the engine) and rootfs/ (mount point, mounted in the shim's own mount namespace)
//     container.log  the container's output (LogLine per line), rotated to container.log.1 ...
//     exit.json      ExitRecord; durable: temp, fsync, rename, fsync of the directory; absent until the container ended.
//                    When it cannot be written there (disk full): RUNROOT/containers/ID/exit.json
//
// Start: the engine spawns `teu-shim --config RUNROOT/containers/ID/shim.json` with fd 3 = write end of a pipe. The shim becomes
// a daemon of its own session, mounts the rootfs, runs `RUNTIME create`, wires the network, opens the socket, and writes
// ONE line of JSON (ShimReport) to fd 3, then closes it. The container is then "created"; it runs after a `start` request.
// When no `start` comes within `startTimeoutMs`, or the report says an error, everything is undone again.
//
// Socket: a client sends one JSON line (ShimRequest) and gets one JSON line (ShimResponse). One request per connection.
// After the response to `attach` and to `exec` with streams, both directions carry frames until the end:
//   frame = [type u8, 0, 0, 0, length u32 big-endian] + payload          (Docker's stdcopy frame)
//   to the client:  1 stdout, 2 stderr (never with a terminal), 3 = JSON StreamEnd, the last frame
//   to the shim:    0 stdin (length 0: end of input), 4 = JSON StreamControl
// A client that goes away detaches; it never stops the container. A client that only closes its sending side has ended its input.
// RUNROOT may make shim.sock's path longer than sockaddr_un takes (107 bytes): connect through /proc/self/fd/DIRFD/shim.sock then.
//
// When the shim was killed (shim.lock is free, exit.json is absent, state.json still names a life): the container is without a
// monitor, its pipes are broken. `teu-shim --config FILE --cleanup` (in the foreground, no fd 3) takes the lock, kills and deletes
// the container, removes its network, and writes exit.json (code 137, `error` says that the monitor died) unless there is one.
// It is idempotent, answers by its exit code and stderr, and refuses (`conflict`) while a shim lives.
//
// Mounts of images have no shim: `teu-shim --mount FILE` (ImageMount) mounts in the namespace that it is started in, and ends;
// `teu-shim --unmount PATH [--force]` undoes it, and is content when nothing is mounted. A failure is a TeuErrorJson on stderr.

/** Version of everything in this file; the shim refuses another one. */
export const SHIM_PROTOCOL_VERSION = 1;

/** The cgroup above those of all containers (`cgroupsPath` is below it); removed with the last of them. */
export const CGROUP_PARENT = "/teu";

/** Stream types of frames. */
export const STREAM_STDIN = 0;
export const STREAM_STDOUT = 1;
export const STREAM_STDERR = 2;
export const STREAM_END = 3;
export const STREAM_CONTROL = 4;

/** How the root file system comes to `bundle/rootfs`. */
export type RootfsConfig =
  /** Already a directory; nothing to mount. */
  | { readonly kind: "directory" }
  /** overlayfs; `lower` topmost first (as the kernel wants it), at least one; upper and work absent: read-only. */
  | {
      readonly kind: "overlay";
      readonly lower: readonly string[];
      readonly upper?: string;
      readonly work?: string;
      readonly volatile?: boolean;
    };

/** What `teu-shim --mount` is told. */
export interface ImageMount {
  /** Directories in overlay format, topmost first, at least one. */
  readonly lower: readonly string[];
  /** A directory. */
  readonly target: string;
}

/** A published port. */
export interface PortMapping {
  /** "0.0.0.0", "127.0.0.1" ... (IPv4). */
  readonly hostIp: string;
  /** 1..65535. The engine has already chosen one when the user did not. */
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
}

/** The network that the shim makes between `create` and `start`. */
export type NetworkConfig =
  /** A new network namespace with only lo up (the namespace is asked for in config.json). */
  | { readonly mode: "none" }
  /** The host's; config.json names no network namespace. */
  | { readonly mode: "host" }
  /** veth into a bridge of ours, address, default route, masquerade and published ports (netlink + one nft batch). */
  | {
      readonly mode: "bridge";
      /** Interface name of the bridge, made when missing, removed with its last port: "teu0". */
      readonly bridge: string;
      /** Bridge address with prefix, "10.88.0.1/16". */
      readonly gateway: string;
      /** Container's address with the same prefix. */
      readonly address: string;
      /** "02:42:..."; locally administered. */
      readonly mac: string;
      /** Name inside: "eth0". */
      readonly interfaceName: string;
      readonly ports: readonly PortMapping[];
    };

/** shim.json */
export interface ShimConfig {
  readonly version: typeof SHIM_PROTOCOL_VERSION;
  /** Container id, 64 hex. Also the id given to the runtime. */
  readonly id: string;
  /** ROOT/containers/ID/bundle */
  readonly bundle: string;
  /** RUNROOT/containers/ID */
  readonly runDir: string;
  /** RUNROOT; `network.lock` below it serialises bridge set-up and removal. */
  readonly runRoot: string;
  readonly runtime: {
    /** Absolute path of a program that speaks the runc command line. */
    readonly path: string;
    /** Its --root. */
    readonly root: string;
    /** More global arguments, before the command. */
    readonly args: readonly string[];
  };
  readonly rootfs: RootfsConfig;
  readonly network: NetworkConfig;
  /** process.terminal of config.json: allocate a pty. */
  readonly terminal: boolean;
  /** Keep stdin open for attach; false: /dev/null. */
  readonly stdin: boolean;
  /** Close stdin when the first attached client that sent stdin has ended it (Docker's StdinOnce). */
  readonly stdinOnce: boolean;
  readonly log: {
    readonly path: string;
    /** Bytes after which the file is rotated; 0: never. */
    readonly maxSize: number;
    /** Files kept, the current one included; at least 1. */
    readonly maxFiles: number;
  } | null;
  /** ROOT/containers/ID/exit.json */
  readonly exitFile: string;
  /** How long a created container waits for `start`, milliseconds. */
  readonly startTimeoutMs: number;
}

/** The line on fd 3. */
export type ShimReport =
  | {
      readonly ok: true;
      /** Shim's pid. */ readonly shimPid: number;
      /** Container's init, host pid. */ readonly pid: number;
    }
  | { readonly ok: false; /** `TeuErrorJson` */ readonly error: unknown };

/** state.json and the answer to `state`. */
export interface ShimState {
  readonly version: typeof SHIM_PROTOCOL_VERSION;
  readonly id: string;
  readonly status: "created" | "running" | "paused" | "stopped";
  readonly shimPid: number;
  /** Host pid of init; 0 when stopped. */
  readonly pid: number;
  /** RFC 3339 with nanoseconds, UTC; null when not yet. */
  readonly startedAt: string | null;
  readonly exit: ExitRecord | null;
}

/** exit.json: how the container's init ended. */
export interface ExitRecord {
  /** 0..255; 128 + signal when killed by one. */
  readonly code: number;
  /** Signal number when killed by one, else 0. */
  readonly signal: number;
  /** The kernel's OOM killer had hit the container's cgroup. */
  readonly oomKilled: boolean;
  /** RFC 3339 with nanoseconds, UTC. */
  readonly startedAt: string | null;
  readonly finishedAt: string;
  /** What failed when the container never ran or could not be tidied up; else null. */
  readonly error: string | null;
}

/** One line of the log file: Docker's json-file format. */
export interface LogLine {
  /** With its newline, when it had one; lines over 16 KiB are split. */
  readonly log: string;
  readonly stream: "stdout" | "stderr";
  /** RFC 3339 with nanoseconds, UTC. */
  readonly time: string;
}

/** What a client asks. */
export type ShimRequest =
  | { readonly op: "state" }
  /** Runs `RUNTIME start`. Conflict when not "created". */
  | { readonly op: "start" }
  /** `signal`: number. `all`: every process of the container. Not-found when stopped. */
  | { readonly op: "signal"; readonly signal: number; readonly all?: boolean }
  /** Answers when the container has ended and its exit record is written and everything is torn down. */
  | { readonly op: "wait" }
  /**
   * `wait`: the container's output waits for this client, as for a pipe (a foreground run). Otherwise a client that falls
   * behind by more than a bounded buffer is cut off (StreamEnd with code -1); log and container never notice.
   */
  | {
      readonly op: "attach";
      readonly stdin: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
      readonly wait?: boolean;
    }
  /**
   * `process`: a runtime-spec process object. With `detach` there are no frames; the answer carries the pid. A program that
   * cannot be run is an error answer with `detail.exitCode` 127 (not found) or 126 (not executable), as for create and `start`.
   * A client that does not read makes the process wait; a client that goes away does not stop it.
   */
  | {
      readonly op: "exec";
      readonly process: unknown;
      readonly stdin: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
      readonly detach: boolean;
    }
  /** Terminal size of init; `exec` sessions use STREAM_CONTROL. */
  | { readonly op: "resize"; readonly rows: number; readonly columns: number }
  | { readonly op: "pause" }
  | { readonly op: "resume" };

/** What it is told. `error` is a `TeuErrorJson`. */
export type ShimResponse =
  | { readonly ok: true; readonly state?: ShimState; readonly exit?: ExitRecord; readonly pid?: number }
  | { readonly ok: false; readonly error: unknown };

/** Payload of a STREAM_CONTROL frame. */
export type StreamControl = { readonly resize: { readonly rows: number; readonly columns: number } };

/** Payload of the STREAM_END frame: exit code of the container (attach) or of the exec'ed process; -1: cut off before, see `error`. */
export interface StreamEnd {
  readonly code: number;
  readonly error?: string;
}
