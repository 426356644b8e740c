// ps: the processes of a container. As JSON the host pids; as a table the lines of the host's ps that concern them.
// portable: no host types here.

import { AT_FDCWD, O_CLOEXEC, X_OK } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import type { Command } from "../cli/command.ts";
import { environmentValue } from "../cli/environment.ts";
import { StateDirectory } from "../container/record.ts";
import { verbatim } from "../failure.ts";
import { containerPids } from "../linux/container-processes.ts";

const CHUNK = 1 << 20;
/** Pids that surely fit into one argument of a program (128 KiB). */
const MANY = 10_000;

/** The command. */
export const ps: Command = {
  name: "ps",
  operands: "<container-id> [ps options]",
  doc: "ps displays the processes running inside a container",
  minOperands: 1,
  maxOperands: Number.POSITIVE_INFINITY,
  flags: [{ name: "format", aliases: ["f"], kind: "string", doc: "select one of: table or json (default: table)" }],
  run: ({ kernel, root }, flags, [id = "", ...options]) => {
    const pids = containerPids(kernel, StateDirectory.open(kernel, root, id).read());
    const format = flags.string("format");
    if (format === "json") kernel.host.print(JSON.stringify(pids));
    else if (format === "" || format === "table")
      kernel.host.print((options.length === 0 ? quickTable(kernel, pids) : null) ?? table(kernel, pids, options));
    else throw verbatim("invalid", "invalid format option");
    return 0;
  },
};

/**
 * The default table by procps' -q, which reads nothing but these processes: -ef reads every one of the host. null when this ps does
 * not know it (busybox), when the processes have ended meanwhile, and when they are none or too many for one argument.
 */
function quickTable(kernel: Kernel, pids: readonly number[]): string | null {
  if (pids.length === 0 || pids.length > MANY) return null;
  const sorted = pids.toSorted((a, b) => a - b);
  const { text, code } = runPs(kernel, ["-f", "-q", sorted.join(",")], false);
  return code === 0 ? text.trimEnd() : null;
}

function table(kernel: Kernel, pids: readonly number[], asked: readonly string[]): string {
  const options = asked.length === 0 ? ["-ef"] : asked;
  const { text, code } = runPs(kernel, options, true);
  if (code !== 0) throw verbatim("invalid", `ps ${options.join(" ")} failed`);
  const lines = text.split("\n");
  const column = (lines[0] ?? "").trim().split(/\s+/).indexOf("PID");
  if (column < 0) throw verbatim("invalid", "couldn't find PID field in ps output");
  const wanted = new Set(pids.map(String));
  const rows = lines.slice(1).filter((line) => wanted.has(line.trim().split(/\s+/)[column] ?? ""));
  return [lines[0] ?? "", ...rows].join("\n");
}

function runPs(
  kernel: Kernel,
  options: readonly string[],
  complain: boolean,
): { readonly text: string; readonly code: number } {
  const { fs, process } = kernel;
  const path = ["/usr/bin/ps", "/bin/ps"].find((candidate) => fs.accessAt(AT_FDCWD, candidate, X_OK));
  if (path === undefined) throw verbatim("unavailable", "ps is not installed on this host; use --format json");
  const [read, write] = fs.pipe2(O_CLOEXEC);
  const child = process.spawn({
    path,
    argv: ["ps", ...options],
    env: [`PATH=${environmentValue(kernel, "PATH")}`],
    fds: [-1, write, complain ? 2 : -1],
  });
  fs.close(write);
  let text = "";
  for (let data = fs.read(read, CHUNK); data.length > 0; data = fs.read(read, CHUNK))
    text += kernel.host.utf8Decode(data);
  fs.close(read);
  const status = process.waitpid(child.pid, 0);
  fs.close(child.pidfd);
  return { text, code: status?.code ?? 1 };
}
