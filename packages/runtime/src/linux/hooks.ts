// Runs hooks (runtime-spec, "POSIX-platform Hooks"): the state on stdin, a timeout, the exit status.
// When each kind runs is decided by the callers.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_WRONLY } from "@teu/sys/constants/fs";
import { POLLIN } from "@teu/sys/constants/socket";
import { SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Hook, Hooks, State } from "@teu/specs/runtime";
import { type Extensions, planExtensions } from "./extensions.ts";

const OUTPUT_LIMIT = 64 << 10;
const FOREVER = -1;
const MFD_CLOEXEC = 1;

/** fds that take the hooks' output; -1: it is collected, for the text of an error. Whoever opened them closes them. */
export interface HookSinks {
  readonly out: number;
  readonly err: number;
}

/** Opens what the annotations run.oci.hooks.stdout and .stderr name. */
export function openHookSinks(kernel: Kernel, { hooksOut, hooksErr }: Extensions): HookSinks {
  const open = (path: string): number =>
    path === "" ? -1 : kernel.fs.openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o700);
  return { out: open(hooksOut), err: open(hooksErr) };
}

/**
 * Runs the hooks of one kind in order. Throws at the first that fails; text names kind, index and exit status. `sinks`: for who
 * does not see the files that the annotations name.
 */
export function runHooks(
  kernel: Kernel,
  kind: keyof Hooks,
  hooks: readonly Hook[] | undefined,
  state: State,
  sinks?: HookSinks,
): void {
  if (hooks === undefined || hooks.length === 0) return;
  const opened = sinks ?? openHookSinks(kernel, planExtensions(state.annotations));
  try {
    for (const [index, hook] of hooks.entries()) runHook(kernel, `${kind} hook #${index}`, hook, state, opened);
  } finally {
    if (sinks === undefined) for (const fd of [opened.out, opened.err]) if (fd >= 0) kernel.fs.close(fd);
  }
}

function runHook(kernel: Kernel, name: string, hook: Hook, state: State, sinks: HookSinks): void {
  const { fs, process } = kernel;
  const input = stateFile(kernel, state);
  const [outRead, outWrite] = fs.pipe2(O_CLOEXEC);
  let child: ReturnType<typeof process.spawn>;
  try {
    child = process.spawn({
      path: hook.path,
      argv: hook.args ?? [hook.path],
      // As with runc: a hook of the host that says nothing gets what the runtime has; one of the container never does.
      env: hook.env ?? (name === "startContainer" ? [] : process.environ()),
      fds: [input, sinks.out < 0 ? outWrite : sinks.out, sinks.err < 0 ? outWrite : sinks.err],
    });
  } catch (error) {
    fs.close(outRead);
    throw new TeuError({ code: "invalid", op: "run hook", subject: hook.path, message: name, cause: error });
  } finally {
    fs.close(input);
    fs.close(outWrite);
  }
  try {
    const output = collect(kernel, outRead, child.pidfd, hook.timeout);
    if (output === null) {
      process.pidfdSendSignal(child.pidfd, SIGKILL);
      process.waitpid(child.pid, 0);
      throw new TeuError({
        code: "timeout",
        op: "run hook",
        subject: hook.path,
        message: `${name}: still running after ${hook.timeout} s, killed`,
      });
    }
    const status = process.waitpid(child.pid, 0);
    if (status === null || status.kind !== "exited" || status.code !== 0) {
      const how = status?.kind === "exited" ? `exit status ${status.code}` : `signal: ${status?.code}`;
      throw new TeuError({
        code: "internal",
        op: "run hook",
        subject: hook.path,
        message: `error running ${name}: ${how}, output: ${output.trim()}`,
      });
    }
  } finally {
    fs.close(outRead);
    fs.close(child.pidfd);
  }
}

/** A file, not a pipe: a hook that does not read its stdin must not raise SIGPIPE here. */
function stateFile(kernel: Kernel, state: State): number {
  const fd = kernel.fs.memfdCreate("state", MFD_CLOEXEC);
  kernel.fs.write(fd, JSON.stringify(state));
  kernel.fs.lseek(fd, 0, 0);
  return fd;
}

/** Output until the hook ends; null when it does not end in time. A grandchild may keep the pipe open: the pidfd decides. */
function collect(kernel: Kernel, fd: number, pidfd: number, timeout: number | undefined): string | null {
  const { fs, host, poll } = kernel;
  const end = timeout === undefined ? null : host.monotonicNs() + BigInt(Math.trunc(timeout * 1e9));
  const epoll = poll.create();
  let text = "";
  fs.setNonblock(fd, true);
  try {
    poll.add(epoll, fd, POLLIN, 0);
    poll.add(epoll, pidfd, POLLIN, 1);
    for (;;) {
      const left = end === null ? FOREVER : Number((end - host.monotonicNs()) / 1_000_000n);
      if (end !== null && left <= 0) return null;
      const ready = poll.wait(epoll, left);
      if (ready.some(({ token }) => token === 0)) {
        const more = drain(kernel, fd);
        if (more === null) poll.remove(epoll, fd);
        else if (text.length < OUTPUT_LIMIT) text += more;
      } else if (ready.some(({ token }) => token === 1)) return text;
    }
  } finally {
    fs.close(epoll);
  }
}

function drain(kernel: Kernel, fd: number): string | null {
  try {
    const data = kernel.fs.read(fd, OUTPUT_LIMIT);
    return data.length === 0 ? null : kernel.host.utf8Decode(data);
  } catch (error) {
    if (isSysError(error, "EAGAIN")) return "";
    throw error;
  }
}
