// sys:process: processes, credentials and the attributes that a program inherits over execve.
// Every function is one system call (named in its comment) unless it says otherwise. No policy.

declare module "sys:process" {
  /** What `clone3` takes; see clone3(2). */
  export interface CloneOptions {
    /** CLONE_* bits; CLONE_PIDFD and CLONE_INTO_CGROUP are set from the fields below. */
    readonly flags: number;
    /** Signal sent to the parent at exit; default SIGCHLD (17). */
    readonly exitSignal?: number;
    /** O_PATH or O_RDONLY fd of a cgroup v2 directory to be born in (CLONE_INTO_CGROUP). */
    readonly cgroupFd?: number;
  }
  /** Result in the parent: the child's pid and a close-on-exec pidfd that the caller owns. In the child: pid 0, pidfd -1. */
  export interface CloneResult {
    readonly pid: number;
    readonly pidfd: number;
  }
  /** How a child ended. `code` is the exit status for "exited", the signal number otherwise. */
  export interface WaitStatus {
    readonly pid: number;
    readonly kind: "exited" | "signaled" | "stopped" | "continued";
    readonly code: number;
  }
  /** Of a process in /proc. */
  export interface ProcessStat {
    /** "R", "S", "D" ...; "Z": it has ended and nobody has waited for it. */
    readonly letter: string;
    readonly parent: number;
    /** Clock ticks after boot: a process with the same pid and another start is another one. */
    readonly startTime: number;
    /** Does it block or ignore any signal (of the first 31: the kernel shows no more here)? */
    readonly deaf: boolean;
  }
  /** What `spawn` takes. Nothing is inherited that is not listed. */
  export interface SpawnOptions {
    /** Program to execute; looked up as given, never through PATH. */
    readonly path: string;
    readonly argv: readonly string[];
    /** "NAME=value" strings; the whole environment. */
    readonly env: readonly string[];
    readonly cwd?: string;
    /** `fds[i]` becomes fd i of the child; -1 leaves it closed. All others are closed. */
    readonly fds: readonly number[];
    /** PR_SET_PDEATHSIG of the child; 0 or absent: none. */
    readonly deathSignal?: number;
    /** Start the child in a new session (setsid). */
    readonly setsid?: boolean;
  }

  /** clone3(2) without a new stack: the child goes on in a copy of this interpreter, from this call. */
  export function clone3(options: CloneOptions): CloneResult;
  /**
   * vfork-like start of another program with a clean signal mask and dispositions; throws what failed before the program was there:
   * "execve" about the path, "chdir" about `cwd`, "dup3" ... Caller owns pidfd.
   */
  export function spawn(options: SpawnOptions): CloneResult;
  /**
   * execveat(2); plain execve(2) for dirfd -100 and no flags. Returns only by throwing. `flags`: AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW.
   * SIGPIPE, which the host ignores, goes back to its default; other dispositions and the mask stay as they are.
   */
  export function execveat(
    dirfd: number,
    path: string,
    argv: readonly string[],
    env: readonly string[],
    flags: number,
  ): never;
  /** _exit(2): no handlers, no flush. */
  export function exit(code: number): never;
  /** waitpid(2); null when WNOHANG (1) found nobody. `pid` -1: any child. Retries EINTR. */
  export function waitpid(pid: number, options: number): WaitStatus | null;
  export function kill(pid: number, signal: number): void;
  export function pidfdOpen(pid: number, flags: number): number;
  /** pidfd_getfd(2): a copy of that process's fd, close-on-exec. */
  export function pidfdGetfd(pidfd: number, fd: number): number;
  export function pidfdSendSignal(pidfd: number, signal: number): void;
  /** /proc/PID/stat, taken apart; null when there is no such process. */
  export function processStat(pid: number): ProcessStat | null;
  export function getpid(): number;
  export function getppid(): number;
  export function getuid(): number;
  export function geteuid(): number;
  export function getgid(): number;
  export function getegid(): number;
  export function setsid(): number;
  export function setpgid(pid: number, pgid: number): void;
  /** setresuid(2); 4294967295 leaves an id as it is, so whoever validates ids must refuse that number. */
  export function setresuid(ruid: number, euid: number, suid: number): void;
  export function setresgid(rgid: number, egid: number, sgid: number): void;
  export function setgroups(groups: readonly number[]): void;
  export function getgroups(): number[];
  export function umask(mask: number): number;
  export function chdir(path: string): void;
  export function fchdir(fd: number): void;
  export function chroot(path: string): void;
  /** getcwd(2) as the kernel answers; "(unreachable)..." is not hidden. */
  export function getcwd(): string;
  /** prctl(2) with integer arguments; returns its result. Options that write through a pointer are EFAULT. */
  export function prctl(option: number, arg2: number, arg3: number, arg4: number, arg5: number): number;
  /** prctl(PR_SET_NAME) as well as argv[0..] as shown by ps where there is room. */
  export function setTitle(name: string): void;
  /** prlimit64(2) on `pid` (0: self). Values: 0..2^53 or -1 for RLIM_INFINITY. `resource` is RLIMIT_*. */
  export function setrlimit(pid: number, resource: number, soft: number, hard: number): void;
  export function getrlimit(pid: number, resource: number): { soft: number; hard: number };
  /** Signal numbers to block (SIG_SETMASK); an empty array unblocks all. */
  export function setSignalMask(signals: readonly number[]): void;
  /** SIG_DFL for every signal that can be caught. */
  export function resetSignals(): void;
  /** SIG_IGN for one signal. */
  export function ignoreSignal(signal: number): void;
  export function personality(persona: number): number;
  export function sethostname(name: string): void;
  export function setdomainname(name: string): void;
  export function setpriority(which: number, who: number, value: number): void;
  /** ioprio_set(2). */
  export function ioprioSet(which: number, who: number, ioprio: number): void;
  /** sched_setattr(2); times in nanoseconds. */
  export function schedSetattr(
    pid: number,
    attr: {
      policy: number;
      flags: number;
      nice: number;
      priority: number;
      runtime: number;
      deadline: number;
      period: number;
    },
  ): void;
  /** sched_setaffinity(2): CPU numbers. */
  export function schedSetaffinity(pid: number, cpus: readonly number[]): void;
  /** set_mempolicy(2): mode with flags or-ed in, NUMA node numbers. */
  export function setMempolicy(mode: number, nodes: readonly number[]): void;
  /** keyctl(KEYCTL_JOIN_SESSION_KEYRING, name); returns the key's serial number. */
  export function joinSessionKeyring(name: string): number;
  /** keyctl(KEYCTL_SETPERM). */
  export function setKeyPermissions(key: number, permissions: number): void;
  /**
   * Does this process run from a file that nobody can write through /proc/PID/exe (CVE-2019-5736)? The host sees to that before the
   * program starts, for the command words that the program was compiled with; a program can insist on it here.
   */
  export function imageSealed(): boolean;
  /** This process's arguments without argv[0]. */
  export function args(): string[];
  /** "NAME=value" strings as received. */
  export function environ(): string[];
  /** The name this program was started under: "teu-runtime", "teu-shim". */
  export function programName(): string;
  /** "x86_64", "aarch64". */
  export function machine(): string;
  /** uname(2). */
  export function uname(): { sysname: string; nodename: string; release: string; version: string; machine: string };
}
