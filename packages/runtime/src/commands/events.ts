// events: what a container uses, one JSON line at each interval, and a line when the kernel kills for want of memory; as runc prints it.
// portable: no host types here.

import { POLLIN } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import type { Command } from "../cli/command.ts";
import { type ContainerRecord, StateDirectory } from "../container/record.ts";
import { statusOf } from "../container/status.ts";
import { verbatim } from "../failure.ts";
import { watchOom } from "../linux/cgroup/oom-watch.ts";
import { exactJson } from "../linux/cgroup/stat-files.ts";
import { cgroupStats } from "../linux/cgroup/stats.ts";
import { openInit } from "../linux/kill-container.ts";

const DEFAULT_INTERVAL = "5s";
const TOKEN_TIMER = 0;
const TOKEN_END = 1;
const TOKEN_OOM = 2;

/** The command. */
export const events: Command = {
  name: "events",
  operands: "<container-id>",
  doc: "display container events such as OOM notifications, cpu, memory, and IO usage statistics",
  minOperands: 1,
  maxOperands: 1,
  flags: [
    { name: "interval", kind: "string", doc: `set the stats collection interval (default: ${DEFAULT_INTERVAL})` },
    { name: "stats", kind: "boolean", doc: "display the container's stats then exit" },
  ],
  run: ({ kernel, root }, flags, [id = ""]) => {
    const interval = parseDuration(flags.given("interval") ? flags.string("interval") : DEFAULT_INTERVAL);
    if (interval === null || interval <= 0) throw verbatim("invalid", "duration interval must be greater than 0");
    const directory = StateDirectory.open(kernel, root, id);
    const record = directory.read();
    if (statusOf(kernel, directory, record) === "stopped")
      throw verbatim("conflict", `container with id ${id} is not running`);
    if (flags.boolean("stats")) printStats(kernel, record);
    else follow(kernel, record, interval);
    return 0;
  },
};

function printStats(kernel: Kernel, record: ContainerRecord): void {
  kernel.host.print(exactJson({ type: "stats", id: record.id, data: cgroupStats(kernel, record.cgroup) }));
}

/** Until the container's first process ends. */
function follow(kernel: Kernel, record: ContainerRecord, interval: number): void {
  const { fs, host, poll } = kernel;
  const init = openInit(kernel, record);
  if (init === null) return;
  const oom = watchOom(kernel, record.cgroup);
  const timer = poll.timerfd(interval, interval);
  const epoll = poll.create();
  poll.add(epoll, init, POLLIN, TOKEN_END);
  poll.add(epoll, timer, POLLIN, TOKEN_TIMER);
  if (oom !== null) poll.add(epoll, oom.fd, POLLIN, TOKEN_OOM);
  const tellOom = (): void => {
    if (oom?.taken() === true) host.print(exactJson({ type: "oom", id: record.id }));
  };
  for (let running = true; running;) {
    for (const { token } of poll.wait(epoll, -1)) {
      if (token === TOKEN_OOM) tellOom();
      else if (token === TOKEN_END) running = false;
      else if (poll.readTimer(timer) > 0) printStats(kernel, record);
    }
  }
  // Init itself may be what was killed.
  tellOom();
  for (const fd of [init, timer, epoll, ...(oom === null ? [] : [oom.fd])]) fs.close(fd);
}

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "\u00b5s": 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a duration as Go writes it: "5s", "1m30s", "1.5s"; null for anything else. At least one, unless it is zero. */
export function parseDuration(text: string): number | null {
  if (text === "0") return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|\u00b5s|ms|s|m|h))+$/.test(text)) return null;
  let total = 0;
  for (const [, count = "", unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|\u00b5s|ms|s|m|h)/g))
    total += Number(count) * (UNITS[unit] ?? 0);
  return total === 0 ? 0 : Math.max(1, Math.round(total));
}
