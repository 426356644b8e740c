// --preserve-fds N: how many inherited descriptors from 3 up the program gets, for create, run and exec.
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

/** Its value. A negative one would close the standard streams. Throws `invalid`. */
export function preservedFds(flags: FlagValues): number {
  const count = flags.number(PRESERVE_FDS.name);
  if (count < 0 || count > MOST) throw verbatim("invalid", `--preserve-fds: want 0 to ${MOST}, have ${count}`);
  return count;
}
