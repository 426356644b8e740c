// linux.seccomp (runtime-spec, "Seccomp"): from config.json to a BPF program, cached by digest, and into the kernel.
// The program is compiled by libseccomp in the host, in the parent and before any rlimit applies (RLIMIT_AS would break it).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { concatBytes, fromBase64 } from "@teu/base/bytes";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "@teu/sys/constants/fs";
import {
  SCMP_ACT_ALLOW,
  SCMP_ACT_ERRNO,
  SCMP_ACT_KILL_PROCESS,
  SCMP_ACT_KILL_THREAD,
  SCMP_ACT_LOG,
  SCMP_ACT_NOTIFY,
  SCMP_ACT_TRACE,
  SCMP_ACT_TRAP,
  SCMP_CMP_EQ,
  SCMP_CMP_GE,
  SCMP_CMP_GT,
  SCMP_CMP_LE,
  SCMP_CMP_LT,
  SCMP_CMP_MASKED_EQ,
  SCMP_CMP_NE,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
} from "@teu/sys/constants/seccomp";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Seccomp, SeccompAction, SeccompOperator } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";
import type { Extensions } from "./extensions.ts";

/** A program ready for seccomp(2). */
export interface SeccompPlan {
  readonly program: Uint8Array;
  readonly flags: number;
  /** Where the notify fd goes; "" when no rule notifies. */
  readonly listenerPath: string;
  readonly listenerMetadata: string;
}

const ACTIONS: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: SCMP_ACT_KILL_THREAD,
  SCMP_ACT_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS,
  SCMP_ACT_TRAP,
  SCMP_ACT_ERRNO,
  SCMP_ACT_TRACE,
  SCMP_ACT_ALLOW,
  SCMP_ACT_LOG,
  SCMP_ACT_NOTIFY,
};

const OPERATORS: Readonly<Record<SeccompOperator, number>> = {
  SCMP_CMP_NE,
  SCMP_CMP_LT,
  SCMP_CMP_LE,
  SCMP_CMP_EQ,
  SCMP_CMP_GE,
  SCMP_CMP_GT,
  SCMP_CMP_MASKED_EQ,
};

/** Flags by name; TSYNC is taken and left out, because one thread has nothing to synchronise. */
export const SECCOMP_FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
};

const EPERM = 1;
const ENOSYS = 38;
/** struct sock_filter. */
const INSTRUCTION = 8;
const CACHE_MODE = 0o600;
const CACHE_LIMIT = 1 << 20;

type Filter = Parameters<Kernel["seccomp"]["compile"]>[0];

/** The filter of a process: of linux.seccomp, or of the annotations that say otherwise; null when there is none. */
export function seccompOf(
  kernel: Kernel,
  root: string,
  seccomp: Seccomp | undefined,
  extensions: Extensions,
): SeccompPlan | null {
  const listenerPath = extensions.seccompReceiver === "" ? (seccomp?.listenerPath ?? "") : extensions.seccompReceiver;
  if (extensions.seccompProgram !== "") {
    const program = fromBase64(extensions.seccompProgram);
    if (program === null || program.length === 0 || program.length % INSTRUCTION !== 0)
      throw invalidConfig('annotations["run.oci.seccomp_bpf_data"]', "is no filter in base64");
    const flags = filterFlags(seccomp?.flags ?? []) | (listenerPath === "" ? 0 : SECCOMP_FILTER_FLAG_NEW_LISTENER);
    return { program, flags, listenerPath, listenerMetadata: seccomp?.listenerMetadata ?? "" };
  }
  if (seccomp === undefined) return null;
  if (extensions.seccompStrict) refuseUnknownCalls(kernel, seccomp);
  return prepareSeccomp(kernel, root, extensions.seccompReceiver === "" ? seccomp : { ...seccomp, listenerPath });
}

function refuseUnknownCalls(kernel: Kernel, seccomp: Seccomp): void {
  const [name] = kernel.seccomp.compile(seccompFilter(seccomp)).unknown;
  if (name !== undefined)
    throw invalidConfig("linux.seccomp.syscalls", `libseccomp knows no system call ${JSON.stringify(name)}`);
}

function filterFlags(names: readonly string[]): number {
  let flags = 0;
  for (const [index, name] of names.entries()) {
    const flag = SECCOMP_FLAGS[name];
    if (flag === undefined)
      throw invalidConfig(`linux.seccomp.flags[${index}]`, `unknown flag ${JSON.stringify(name)}`);
    flags |= flag & ~SECCOMP_FILTER_FLAG_TSYNC;
  }
  return flags;
}

/** Reads flags and notify settings and gets the program, from the cache below `root` when it is there. */
export function prepareSeccomp(kernel: Kernel, root: string, seccomp: Seccomp): SeccompPlan {
  let flags = filterFlags(seccomp.flags ?? []);
  const notifies = (seccomp.syscalls ?? []).some((rule) => rule.action === "SCMP_ACT_NOTIFY");
  if (seccomp.defaultAction === "SCMP_ACT_NOTIFY")
    throw invalidConfig("linux.seccomp.defaultAction", "SCMP_ACT_NOTIFY cannot be the default action");
  if (notifies && (seccomp.listenerPath ?? "") === "")
    throw invalidConfig("linux.seccomp.listenerPath", "missing, but a rule has SCMP_ACT_NOTIFY");
  if ((seccomp.listenerMetadata ?? "") !== "" && (seccomp.listenerPath ?? "") === "")
    throw invalidConfig("linux.seccomp.listenerMetadata", "is given, but no listenerPath");
  checkErrnos(seccomp);
  // The kernel takes the flag only together with an agent, without whom nobody waits.
  flags = notifies ? flags | SECCOMP_FILTER_FLAG_NEW_LISTENER : flags & ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  return {
    program: cachedProgram(kernel, root, seccomp),
    flags,
    listenerPath: notifies ? (seccomp.listenerPath ?? "") : "",
    listenerMetadata: seccomp.listenerMetadata ?? "",
  };
}

/** runtime-spec: "When the action doesn't support an errno, the runtime MUST print an error and fail". */
function checkErrnos(seccomp: Seccomp): void {
  const check = (action: SeccompAction, errnoRet: number | undefined, at: string): void => {
    if (errnoRet !== undefined && action !== "SCMP_ACT_ERRNO" && action !== "SCMP_ACT_TRACE")
      throw invalidConfig(at, `an errno is given, which ${action} has no use for`);
  };
  check(seccomp.defaultAction, seccomp.defaultErrnoRet, "linux.seccomp.defaultErrnoRet");
  for (const [index, { action, errnoRet }] of (seccomp.syscalls ?? []).entries())
    check(action, errnoRet, `linux.seccomp.syscalls[${index}].errnoRet`);
}

function cachedProgram(kernel: Kernel, root: string, seccomp: Seccomp): Uint8Array {
  const { fs, host } = kernel;
  const { defaultAction, defaultErrnoRet, architectures, syscalls } = seccomp;
  const key = host.sha256Hex(
    JSON.stringify([2, kernel.seccomp.libraryVersion(), defaultAction, defaultErrnoRet, architectures, syscalls]),
  );
  const directory = `${root}/.cache/seccomp`;
  try {
    const fd = fs.openat(AT_FDCWD, `${directory}/${key}`, O_RDONLY | O_CLOEXEC, 0);
    try {
      const program = fs.read(fd, CACHE_LIMIT);
      if (program.length > 0 && program.length % 8 === 0) return program;
    } finally {
      fs.close(fd);
    }
  } catch (error) {
    if (!isSysError(error, "ENOENT")) throw error;
  }
  const program = compile(kernel, seccomp);
  for (const path of [`${root}/.cache`, directory]) {
    try {
      fs.mkdirAt(AT_FDCWD, path, 0o700);
    } catch (error) {
      if (!isSysError(error, "EEXIST")) throw error;
    }
  }
  fs.replaceFileAt(AT_FDCWD, `${directory}/${key}`, program, CACHE_MODE, false);
  return program;
}

function compile(kernel: Kernel, seccomp: Seccomp): Uint8Array {
  const filter = seccompFilter(seccomp);
  try {
    const { program } = kernel.seccomp.compile(filter);
    const stub = unknownCallStub(kernel, seccomp);
    return stub === null ? program : concatBytes([stub, program]);
  } catch (error) {
    throw new TeuError({
      code: "invalid",
      op: "compile seccomp filter",
      message: archProblem(error) ?? "libseccomp refuses it",
      cause: error,
    });
  }
}

/** What is wrong with an architecture; null when it is something else. */
function archProblem(error: unknown): string | null {
  if (!isSysError(error) || error.call !== "seccomp_arch_add") return null;
  if (error.errno === "EDOM")
    return `${error.subject} has another byte order than this machine, and one filter has one`;
  return `this version of libseccomp does not know the architecture ${error.subject}`;
}

/** The filter in libseccomp's terms. Rules that say what the default says are left out, as runc does: libseccomp refuses them. */
export function seccompFilter(seccomp: Seccomp): Filter {
  const defaultAction = actionValue(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const rules: Filter["rules"][number][] = [];
  for (const rule of seccomp.syscalls ?? []) {
    const action = actionValue(rule.action, rule.errnoRet);
    if (action === defaultAction) continue;
    const args = (rule.args ?? []).map(({ index, op, value, valueTwo }) => ({
      index,
      op: OPERATORS[op],
      value: wide(value),
      valueTwo: wide(valueTwo ?? 0),
    }));
    // libseccomp takes one comparison per argument and rule: further ones of the same argument become rules of their own (any may match).
    const clash = new Set(args.map(({ index }) => index)).size !== args.length;
    for (const syscall of rule.names) {
      if (clash) for (const arg of args) rules.push({ syscall, action, args: [arg] });
      else rules.push({ syscall, action, args });
    }
  }
  const architectures = (seccomp.architectures ?? []).map((name) => name.replace(/^SCMP_ARCH_/, "").toLowerCase());
  return { defaultAction, architectures, rules };
}

function actionValue(action: SeccompAction, errnoRet: number | undefined): number {
  const base = ACTIONS[action];
  return action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE" ? (base | (errnoRet ?? EPERM)) >>> 0 : base;
}

function wide(value: number): bigint {
  return BigInt.asUintN(64, BigInt(value));
}

/**
 * A system call newer than everything the profile names answers ENOSYS instead of the profile's EPERM, so that programs fall back
 * to the older call. Native calls only, and only when the default is an error.
 */
function unknownCallStub(kernel: Kernel, seccomp: Seccomp): Uint8Array | null {
  const auditArch = { x86_64: 0xc000003e, aarch64: 0xc00000b7 }[kernel.process.machine()];
  if (seccomp.defaultAction !== "SCMP_ACT_ERRNO" || seccomp.defaultErrnoRet === ENOSYS || auditArch === undefined)
    return null;
  let newest = -1;
  for (const rule of seccomp.syscalls ?? []) {
    for (const name of rule.names) newest = Math.max(newest, kernel.seccomp.syscallNumber(name) ?? -1);
  }
  if (newest < 0) return null;
  const bytes = new Uint8Array(6 * 8);
  const view = new DataView(bytes.buffer);
  const put = (at: number, code: number, jt: number, jf: number, value: number): void => {
    view.setUint16(at * 8, code, true);
    view.setUint8(at * 8 + 2, jt);
    view.setUint8(at * 8 + 3, jf);
    view.setUint32(at * 8 + 4, value >>> 0, true);
  };
  put(0, 0x20, 0, 0, 4); // load seccomp_data.arch
  put(1, 0x15, 0, 4, auditArch); // another architecture: on with the profile
  put(2, 0x20, 0, 0, 0); // load seccomp_data.nr
  put(3, 0x35, 2, 0, 0x40000000); // x32 calls: on with the profile
  put(4, 0x25, 0, 1, newest); // not newer: on with the profile
  put(5, 0x06, 0, 0, (SCMP_ACT_ERRNO | ENOSYS) >>> 0);
  return bytes;
}

/** Is somebody to be asked about some of the calls? */
export function notifies(plan: SeccompPlan): boolean {
  return plan.listenerPath !== "";
}

/** Loads the filter; returns the notify fd or -1. */
export function applySeccomp(kernel: Kernel, plan: SeccompPlan): number {
  try {
    return kernel.seccomp.load(plan.program, plan.flags);
  } catch (error) {
    throw new TeuError({ code: "denied", op: "load seccomp filter", message: "refused", cause: error });
  }
}
