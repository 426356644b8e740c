// Finds the program to execute as execvp(3) would, inside the container, and says what is wrong in the words callers look for.
// portable: no host types here.

import { AT_FDCWD, F_OK, S_IFDIR, S_IFMT, S_IFREG, X_OK } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { verbatim } from "../failure.ts";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PASSWD = "/etc/passwd";
const PASSWD_LIMIT = 1 << 20;

/** The path to execute for `name`, by PATH of `env` unless it has a slash. Throws with runc's texts, which engines map to 126 and 127. */
export function lookUpProgram(kernel: Kernel, name: string, env: readonly string[]): string {
  if (name.includes("/")) {
    const problem = problemWith(kernel, name);
    if (problem === "missing")
      throw verbatim("not-found", `exec: ${JSON.stringify(name)}: stat ${name}: no such file or directory`);
    if (problem === "not a directory")
      throw verbatim("not-found", `exec: ${JSON.stringify(name)}: stat ${name}: not a directory`);
    if (problem !== null) throw verbatim("denied", `exec: ${JSON.stringify(name)}: ${problem}`);
    return name;
  }
  const path = env.findLast((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? DEFAULT_PATH;
  let denied = false;
  for (const directory of path.split(":")) {
    const candidate = `${directory === "" ? "." : directory}/${name}`;
    const problem = name === "" ? "missing" : problemWith(kernel, candidate);
    if (problem === null) return candidate;
    denied ||= problem === "permission denied";
  }
  if (denied) throw verbatim("denied", `exec: ${JSON.stringify(name)}: permission denied`);
  throw verbatim("not-found", `exec: ${JSON.stringify(name)}: executable file not found in $PATH`);
}

// A directory: dockerd up to 20.10 and podman find their 126 in "permission denied", later dockerds in "is a directory".
type Problem = "missing" | "not a directory" | "is a directory: permission denied" | "permission denied";

function problemWith(kernel: Kernel, path: string): Problem | null {
  try {
    const { mode } = kernel.fs.statAt(AT_FDCWD, path, 0);
    if ((mode & S_IFMT) === S_IFDIR) return "is a directory: permission denied";
    return kernel.fs.accessAt(AT_FDCWD, path, X_OK) ? null : "permission denied";
  } catch (error) {
    if (isSysError(error, "ENOENT") || isSysError(error, "ELOOP")) return "missing";
    if (isSysError(error, "ENOTDIR")) return "not a directory";
    if (isSysError(error, "EACCES")) return "permission denied";
    if (isSysError(error, "EPERM") || isSysError(error, "ENOSYS")) return withoutLooking(kernel, path);
    throw error;
  }
}

/** A filter that is in force already does not let us look: what can be asked for is asked, and what cannot is execve's to say. */
function withoutLooking(kernel: Kernel, path: string): Problem | null {
  try {
    if (kernel.fs.accessAt(AT_FDCWD, path, X_OK)) return null;
    return kernel.fs.accessAt(AT_FDCWD, path, F_OK) ? "permission denied" : "missing";
  } catch (error) {
    if (isSysError(error, "EPERM") || isSysError(error, "ENOSYS")) return null;
    throw error;
  }
}

/** The environment with HOME added at its end when missing, from the container's /etc/passwd by number; "/" when unknown. */
export function environmentWithHome(
  kernel: Kernel,
  plan: { readonly env: readonly string[]; readonly uid: number },
): readonly string[] {
  if (plan.env.some((entry) => entry.startsWith("HOME=") && entry.length > "HOME=".length)) return plan.env;
  return [...plan.env.filter((entry) => entry !== "HOME="), `HOME=${homeOf(kernel, plan.uid)}`];
}

function homeOf(kernel: Kernel, uid: number): string {
  let text: string;
  try {
    // The root is the container's by now, and this process still has all privileges: what is no file is not opened.
    // Asked first, since many images have none: an exception costs more than the call.
    if (!kernel.fs.accessAt(AT_FDCWD, PASSWD, F_OK)) return "/";
    if ((kernel.fs.statAt(AT_FDCWD, PASSWD, 0).mode & S_IFMT) !== S_IFREG) return "/";
    text = kernel.fs.readTextAt(AT_FDCWD, PASSWD, PASSWD_LIMIT);
  } catch (error) {
    if (isSysError(error)) return "/";
    throw error;
  }
  for (const line of text.split("\n")) {
    const fields = line.split(":");
    // By number only: a user whose name is a number must not be taken for one (CVE-2016-3697).
    if (fields[2] === String(uid) && (fields[5] ?? "") !== "") return fields[5] ?? "/";
  }
  return "/";
}
