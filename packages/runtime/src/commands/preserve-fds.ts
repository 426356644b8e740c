// Flags of create, run and exec about descriptors: --preserve-fds N, how many inherited ones from 3 up the program gets;
// --pidfd-socket, who gets one for the program.
// portable: no host types here.

import type { Flag, FlagValues } from "../cli/flags.ts";
import { verbatim } from "../failure.ts";

const MOST = 1024;

/** The flag. */
export const PRESERVE_FDS: Flag = {
  name: "preserve-fds",
  kind: "number",
  doc: "pass N additional file descriptors to the container (stdio + $LISTEN_FDS + N in total)",
};

/** The flag. */
export const PIDFD_SOCKET: Flag = {
  name: "pidfd-socket",
  kind: "string",
  doc: "path to an AF_UNIX socket which will receive a file descriptor referencing the process",
};

/** The value of --preserve-fds. A negative one would close the standard streams. Throws `invalid`. */
export function preservedFds(flags: FlagValues): number {
  const count = flags.number(PRESERVE_FDS.name);
  if (count < 0 || count > MOST) throw verbatim("invalid", `--preserve-fds: want 0 to ${MOST}, have ${count}`);
  return count;
}
