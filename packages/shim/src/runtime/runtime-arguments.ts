// The runtime's command lines, spelled exactly as containerd's go-runc does: wrappers (nvidia-container-runtime and its like)
// read them too. Pure.
// portable: no host types here.

/** What every call begins with. */
export interface RuntimeGlobals {
  /** --root */
  readonly root: string;
  /** Further global arguments. */
  readonly args: readonly string[];
  /** File for the runtime's own log. */
  readonly log: string;
}

/** Argument list without argv[0]. */
export function globalArguments(globals: RuntimeGlobals): string[] {
  return ["--root", globals.root, "--log", globals.log, "--log-format", "json", ...globals.args];
}

/** `create --bundle B --pid-file P [--console-socket S] ID` */
export function createArguments(options: {
  readonly id: string;
  readonly bundle: string;
  readonly pidFile: string;
  readonly consoleSocket?: string | undefined;
}): string[] {
  return [
    "create",
    "--bundle",
    options.bundle,
    "--pid-file",
    options.pidFile,
    ...consoleArguments(options.consoleSocket),
    options.id,
  ];
}

/** `exec --process FILE [--console-socket S] --detach --pid-file P ID` */
export function execArguments(options: {
  readonly id: string;
  readonly processFile: string;
  readonly pidFile: string;
  readonly consoleSocket?: string | undefined;
}): string[] {
  const { id, processFile, pidFile, consoleSocket } = options;
  return ["exec", "--process", processFile, ...consoleArguments(consoleSocket), "--detach", "--pid-file", pidFile, id];
}

/** `kill [--all] ID N` */
export function killArguments(id: string, signal: number, all: boolean): string[] {
  return ["kill", ...(all ? ["--all"] : []), id, String(signal)];
}

/** `delete [--force] ID` */
export function deleteArguments(id: string, force: boolean): string[] {
  return ["delete", ...(force ? ["--force"] : []), id];
}

function consoleArguments(socket: string | undefined): string[] {
  return socket === undefined ? [] : ["--console-socket", socket];
}
