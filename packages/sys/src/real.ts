// The real kernel: the host's `sys:*` modules gathered into one value. Only bundled programs import this file.
// portable: runs in QuickJS only.

import * as bpf from "sys:bpf";
import * as capability from "sys:capability";
import * as fs from "sys:fs";
import * as host from "sys:host";
import * as mount from "sys:mount";
import * as namespace from "sys:namespace";
import * as poll from "sys:poll";
import * as process from "sys:process";
import * as seccomp from "sys:seccomp";
import * as socket from "sys:socket";
import * as terminal from "sys:terminal";
import type { Kernel } from "./kernel.ts";

/** The kernel this program runs on. Plain objects: a property of a module's namespace takes longer to find. */
export const realKernel: Kernel = {
  bpf: { ...bpf },
  capability: { ...capability },
  fs: { ...fs },
  host: { ...host },
  mount: { ...mount },
  namespace: { ...namespace },
  poll: { ...poll },
  process: { ...process },
  seccomp: { ...seccomp },
  socket: { ...socket },
  terminal: { ...terminal },
};
