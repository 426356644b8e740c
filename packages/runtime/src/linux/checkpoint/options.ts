// What checkpoint and restore are asked for on the command line, in types.
// portable: no host types here.

import { CLONE_NEWNET } from "@teu/sys/constants/process";
import type { Flag, FlagValues } from "../../cli/flags.ts";
import { verbatim } from "../../failure.ts";
import { CGROUP_MODES, type CriuOptions } from "./criu-messages.ts";

/** Flags of both commands. */
export const SHARED_FLAGS: readonly Flag[] = [
  { name: "image-path", kind: "string", doc: "directory of the images (default: ./checkpoint)" },
  { name: "work-path", kind: "string", doc: "directory for CRIU's log and statistics (default: that of the images)" },
  { name: "tcp-established", kind: "boolean", doc: "allow open TCP connections" },
  { name: "ext-unix-sk", kind: "boolean", doc: "allow external Unix sockets" },
  { name: "shell-job", kind: "boolean", doc: "allow shell jobs" },
  { name: "lazy-pages", kind: "boolean", doc: "use userfaultfd to restore memory pages lazily" },
  { name: "file-locks", kind: "boolean", doc: "handle file locks" },
  { name: "manage-cgroups-mode", kind: "string", doc: "cgroups mode: soft|full|strict|ignore (default: soft)" },
  { name: "empty-ns", kind: "list", doc: "create a namespace, but do not restore its properties (network)" },
  { name: "auto-dedup", kind: "boolean", doc: "enable auto deduplication of memory images" },
];

/** The part of CRIU's options that both take from their flags. Throws `invalid` with runc's texts. */
export function sharedOptions(flags: FlagValues): Partial<CriuOptions> {
  const mode = flags.string("manage-cgroups-mode");
  if (mode !== "" && CGROUP_MODES[mode] === undefined) throw verbatim("invalid", "Invalid manage-cgroups-mode value");
  let emptyNamespaces = 0;
  for (const name of flags.list("empty-ns")) {
    if (name !== "network") throw verbatim("invalid", `namespace ${JSON.stringify(name)} is not supported`);
    emptyNamespaces |= CLONE_NEWNET;
  }
  return {
    emptyNamespaces,
    tcpEstablished: flags.boolean("tcp-established"),
    externalUnixSockets: flags.boolean("ext-unix-sk"),
    shellJob: flags.boolean("shell-job"),
    lazyPages: flags.boolean("lazy-pages"),
    fileLocks: flags.boolean("file-locks"),
    autoDedup: flags.boolean("auto-dedup"),
    ...(mode === "" ? {} : { cgroupMode: CGROUP_MODES[mode] ?? 0 }),
  };
}

/** ADDRESS:PORT; the address of IPv6 in brackets or not. Throws `invalid` with runc's text. */
export function parsePageServer(text: string): { readonly address: string; readonly port: number } {
  const at = text.lastIndexOf(":");
  const address = text.slice(0, Math.max(at, 0)).replace(/^\[(.*)\]$/, "$1");
  const port = text.slice(at + 1);
  if (address === "") throw verbatim("invalid", "Use --page-server ADDRESS:PORT to specify page server");
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw verbatim("invalid", "Invalid port number");
  return { address, port: Number(port) };
}
