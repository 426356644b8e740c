// What the command line takes from the process: environment variables, paths relative to the working directory.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";

/** The value of an environment variable; "" when not set. */
export function environmentValue(kernel: Kernel, name: string): string {
  return valueIn(kernel.process.environ(), name);
}

/** The same in an environment that has been read. */
export function valueIn(environment: readonly string[], name: string): string {
  return environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
}

/** An absolute path for one given on the command line. */
export function absolutePath(kernel: Kernel, path: string): string {
  if (path.startsWith("/")) return withoutEndSlashes(path) || "/";
  const cwd = kernel.process.getcwd();
  return path === "" || path === "." ? cwd : `${cwd === "/" ? "" : cwd}/${withoutEndSlashes(path)}`;
}

/** Regular expressions cost a start more than all else that is done to its few words. "" for slashes alone. */
function withoutEndSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === "/") end--;
  return path.slice(0, end);
}
