// sys:seccomp: from a list of rules to a BPF program (libseccomp, static) and into the kernel, seccomp(2).

declare module "sys:seccomp" {
  export interface Rule {
    readonly syscall: string;
    /** SCMP_ACT_* value with errno or tracer data or-ed in. */
    readonly action: number;
    /** index 0..5 (each at most once per rule, else EINVAL), SCMP_CMP_* 1..7, two 64-bit values (MASKED_EQ: mask, value). */
    readonly args: readonly { index: number; op: number; value: bigint; valueTwo: bigint }[];
  }
  export interface Filter {
    readonly defaultAction: number;
    /** SCMP_ARCH_* tokens by libseccomp name ("x86_64", "x86", "x32", "aarch64", "arm" ...); the native one is always in. */
    readonly architectures: readonly string[];
    readonly rules: readonly Rule[];
  }
  /** The BPF program as bytes (sock_filter array), and the syscall names that libseccomp does not know (left out). */
  export interface Compiled {
    readonly program: Uint8Array;
    readonly unknown: readonly string[];
  }
  /** A rule whose action is the default one is left out. EINVAL for an unknown architecture or comparison. */
  export function compile(filter: Filter): Compiled;
  /** seccomp(SECCOMP_SET_MODE_FILTER); returns the notify fd with SECCOMP_FILTER_FLAG_NEW_LISTENER, else -1. */
  export function load(program: Uint8Array, flags: number): number;
  /** seccomp(SECCOMP_GET_ACTION_AVAIL). */
  export function actionAvailable(action: number): boolean;
  /** libseccomp's version, e.g. "2.5.4". */
  export function libraryVersion(): string;
  /** null when libseccomp does not know the name on this machine's native arch; otherwise its number there. */
  export function syscallNumber(name: string): number | null;
}
