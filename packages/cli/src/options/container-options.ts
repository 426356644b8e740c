// The flags that `run` and `create` share, spelled as Docker's, and their meaning as engine options.

import { parseSize } from "@teu/base/bytes";
import type { CreateOptions, NetworkMode, ResourceOptions, RestartPolicy } from "@teu/engine/containers/create-options";
import type { CommandInput, OptionSpec } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { parseDevice, parseLogOptions, parseUlimit } from "./container-values.ts";
import { readEnv, readLabels } from "./name-values.ts";
import { parsePublish } from "./publish.ts";
import { POLICY_OPTION } from "./signature-policy.ts";
import { presentMount, parseTmpfs, parseVolume } from "./volume.ts";

/** Flags of run and create. */
export const CONTAINER_OPTIONS: readonly OptionSpec[] = [
  { long: "add-host", value: "host:ip", repeat: true, help: "Add a line to /etc/hosts" },
  { long: "cap-add", value: "list", repeat: true, help: "Add capabilities" },
  { long: "cap-drop", value: "list", repeat: true, help: "Drop capabilities" },
  { long: "cgroupns", value: "string", help: 'Cgroup namespace: "host" or "private"' },
  { long: "cidfile", value: "string", help: "Write the container's id to this file" },
  { long: "cpu-period", value: "int", help: "CPU period in microseconds" },
  { long: "cpu-quota", value: "int", help: "CPU time in each period, microseconds" },
  { long: "cpu-shares", short: "c", value: "int", help: "Share of CPU time among containers" },
  { long: "cpus", value: "decimal", help: "Number of CPUs" },
  { long: "cpuset-cpus", value: "string", help: 'CPUs to run on ("0-2,4")' },
  { long: "cpuset-mems", value: "string", help: "Memory nodes to use" },
  { long: "device", value: "list", repeat: true, help: "Give the container a device of the host" },
  { long: "dns", value: "list", repeat: true, help: "Name servers" },
  { long: "dns-option", value: "list", repeat: true, help: "Options of resolv.conf" },
  { long: "dns-search", value: "list", repeat: true, help: "Search domains" },
  { long: "domainname", value: "string", help: "NIS domain name" },
  { long: "entrypoint", value: "string", help: "Replace the image's entrypoint" },
  { long: "env", short: "e", value: "list", repeat: true, help: "Set environment variables" },
  { long: "env-file", value: "list", repeat: true, help: "Read environment variables from a file" },
  { long: "group-add", value: "list", repeat: true, help: "Further groups of the user" },
  { long: "hostname", short: "h", value: "string", help: "Host name" },
  { long: "interactive", short: "i", help: "Keep stdin open" },
  { long: "ipc", value: "string", help: 'IPC namespace: "host" or "private"' },
  { long: "label", short: "l", value: "list", repeat: true, help: "Set labels" },
  { long: "label-file", value: "list", repeat: true, help: "Read labels from a file" },
  { long: "log-driver", value: "string", help: '"json-file" (default) or "none"' },
  { long: "log-opt", value: "list", repeat: true, help: "max-size=SIZE, max-file=COUNT" },
  { long: "memory", short: "m", value: "bytes", help: "Memory limit" },
  { long: "memory-reservation", value: "bytes", help: "Soft memory limit" },
  { long: "memory-swap", value: "bytes", help: "Limit of memory plus swap; -1: unlimited swap" },
  { long: "mount", value: "mount", repeat: true, help: "Mount something (type=bind|volume|tmpfs,...)" },
  { long: "name", value: "string", help: "Name of the container" },
  { long: "network", value: "network", help: '"bridge" (default), "host" or "none"' },
  { long: "net", value: "network", help: "As --network" },
  { long: "oom-score-adj", value: "int", help: "How soon the kernel kills it when memory is short (-1000 to 1000)" },
  { long: "pid", value: "string", help: 'PID namespace: "host" or "private"' },
  { long: "pids-limit", value: "int", help: "Most processes; -1: unlimited" },
  { long: "platform", value: "string", help: 'Platform of the image ("linux/arm64")' },
  { long: "privileged", help: "Give it extended privileges" },
  {
    long: "publish",
    short: "p",
    value: "list",
    repeat: true,
    help: "Publish ports ([IP:][HOST:]CONTAINER[/PROTOCOL])",
  },
  { long: "publish-all", short: "P", help: "Publish all exposed ports on free ports" },
  { long: "pull", value: "string", help: 'Pull the image: "always", "missing" (default) or "never"' },
  { long: "quiet", short: "q", help: "Show no progress of a pull" },
  { long: "read-only", help: "Make the root file system read-only" },
  { long: "restart", value: "string", help: 'When to start it again; only "no" for now' },
  { long: "rm", help: "Remove the container when it has ended" },
  { long: "runtime", value: "string", help: "teu-runtime, runc, crun, or an absolute path" },
  {
    long: "security-opt",
    value: "list",
    repeat: true,
    help: "seccomp=..., no-new-privileges, apparmor=unconfined, systempaths=unconfined",
  },
  { long: "shm-size", value: "bytes", help: "Size of /dev/shm" },
  POLICY_OPTION,
  { long: "stop-signal", value: "string", help: "Signal that stops it" },
  { long: "stop-timeout", value: "int", help: "Seconds to wait before it is killed" },
  { long: "sysctl", value: "map", repeat: true, help: "Kernel parameters of its namespaces" },
  { long: "tmpfs", value: "list", repeat: true, help: "Mount a tmpfs (PATH[:OPTIONS])" },
  { long: "tty", short: "t", help: "Allocate a terminal" },
  { long: "ulimit", value: "ulimit", repeat: true, help: "Resource limits (NAME=SOFT[:HARD])" },
  { long: "user", short: "u", value: "string", help: "User (NAME|UID[:GROUP|GID])" },
  { long: "uts", value: "string", help: 'UTS namespace: "host" or "private"' },
  {
    long: "volume",
    short: "v",
    value: "list",
    repeat: true,
    help: "Mount a directory or volume ([SOURCE:]TARGET[:OPTIONS])",
  },
  { long: "workdir", short: "w", value: "string", help: "Working directory" },
];

/** Docker's flags of run and create that are known and cannot be had yet. */
export const UNSUPPORTED_CONTAINER_OPTIONS: readonly string[] = [
  "annotation",
  "attach",
  "blkio-weight",
  "blkio-weight-device",
  "cgroup-parent",
  "cpu-count",
  "cpu-percent",
  "cpu-rt-period",
  "cpu-rt-runtime",
  "device-cgroup-rule",
  "device-read-bps",
  "device-read-iops",
  "device-write-bps",
  "device-write-iops",
  "disable-content-trust",
  "expose",
  "gpus",
  "health-cmd",
  "health-interval",
  "health-retries",
  "health-start-interval",
  "health-start-period",
  "health-timeout",
  "init",
  "io-maxbandwidth",
  "io-maxiops",
  "ip",
  "ip6",
  "isolation",
  "kernel-memory",
  "link",
  "link-local-ip",
  "mac-address",
  "memory-swappiness",
  "network-alias",
  "net-alias",
  "no-healthcheck",
  "oom-kill-disable",
  "storage-opt",
  "use-api-socket",
  "userns",
  "volume-driver",
  "volumes-from",
];

/** Options for `create` of the engine. @throws TeuError `invalid` for values that cannot be read. */
export async function containerOptions(
  input: CommandInput,
  env: Readonly<Record<string, string | undefined>>,
): Promise<CreateOptions> {
  const [image = "", ...command] = input.args;
  const entrypoint = input.text("entrypoint");
  return {
    image,
    ...(command.length === 0 ? {} : { command }),
    ...(entrypoint === undefined ? {} : { entrypoint: entrypoint === "" ? [] : [entrypoint] }),
    env: await readEnv(input.list("env"), input.list("env-file"), env),
    labels: await readLabels(input.list("label"), input.list("label-file")),
    ...texts(input),
    ...lists(input),
    tty: input.flag("tty"),
    interactive: input.flag("interactive"),
    autoRemove: input.flag("rm"),
    publishAll: input.flag("publish-all"),
    readOnly: input.flag("read-only"),
    privileged: input.flag("privileged"),
    network: networkMode(input.text("network") ?? input.text("net") ?? "bridge"),
    publish: input.list("publish").flatMap(parsePublish),
    volumes: [
      ...input.list("volume").map(parseVolume),
      ...input.list("mount").map(presentMount),
      ...input.list("tmpfs").map(parseTmpfs),
    ],
    resources: resources(input),
    ulimits: input.list("ulimit").map(parseUlimit),
    devices: input.list("device").map(parseDevice),
    ...(input.list("sysctl").length === 0
      ? {}
      : { sysctls: Object.fromEntries(input.list("sysctl").map(splitSysctl)) }),
    ...parseLogOptions(input.text("log-driver"), input.list("log-opt")),
  };
}

type Texts = Pick<
  CreateOptions,
  | "name"
  | "workdir"
  | "user"
  | "hostname"
  | "domainname"
  | "stopSignal"
  | "platform"
  | "runtime"
  | "pid"
  | "ipc"
  | "uts"
  | "cgroupns"
>;

function texts(
  input: CommandInput,
): Texts & Pick<CreateOptions, "restart" | "stopTimeout" | "oomScoreAdj" | "shmSize"> {
  const names: Readonly<Record<keyof Texts, string>> = {
    name: "name",
    workdir: "workdir",
    user: "user",
    hostname: "hostname",
    domainname: "domainname",
    stopSignal: "stop-signal",
    platform: "platform",
    runtime: "runtime",
    pid: "pid",
    ipc: "ipc",
    uts: "uts",
    cgroupns: "cgroupns",
  };
  const found = Object.fromEntries(
    Object.entries(names).flatMap(([key, flag]) => (input.text(flag) === undefined ? [] : [[key, input.text(flag)]])),
  ) as Texts;
  const restart = input.text("restart");
  const stopTimeout = wholeNumber(input, "stop-timeout");
  const oomScoreAdj = wholeNumber(input, "oom-score-adj");
  const shmSize = input.text("shm-size");
  return {
    ...found,
    ...(restart === undefined ? {} : { restart: restartPolicy(restart) }),
    ...(stopTimeout === undefined ? {} : { stopTimeout }),
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
    ...(shmSize === undefined ? {} : { shmSize: parseSize(shmSize) }),
  };
}

function lists(
  input: CommandInput,
): Pick<
  CreateOptions,
  "groupAdd" | "addHost" | "dns" | "dnsSearch" | "dnsOption" | "capAdd" | "capDrop" | "securityOpt"
> {
  const names = {
    groupAdd: "group-add",
    addHost: "add-host",
    dns: "dns",
    dnsSearch: "dns-search",
    dnsOption: "dns-option",
    capAdd: "cap-add",
    capDrop: "cap-drop",
    securityOpt: "security-opt",
  };
  return Object.fromEntries(
    Object.entries(names).flatMap(([key, flag]) => (input.list(flag).length === 0 ? [] : [[key, input.list(flag)]])),
  );
}

function resources(input: CommandInput): ResourceOptions {
  const swap = input.text("memory-swap");
  const cpus = input.text("cpus");
  if (cpus !== undefined && !(Number(cpus) > 0))
    throw usageError(`--cpus=${cpus} is not a number above 0`, { fallback: "write it as 1.5" });
  const numbers = {
    cpuShares: "cpu-shares",
    cpuPeriod: "cpu-period",
    cpuQuota: "cpu-quota",
    pidsLimit: "pids-limit",
  } as const;
  const sizes = { memory: "memory", memoryReservation: "memory-reservation" } as const;
  return {
    ...Object.fromEntries(
      Object.entries(numbers).flatMap(([key, flag]) =>
        input.text(flag) === undefined ? [] : [[key, wholeNumber(input, flag)]],
      ),
    ),
    ...Object.fromEntries(
      Object.entries(sizes).flatMap(([key, flag]) =>
        input.text(flag) === undefined ? [] : [[key, parseSize(input.text(flag) ?? "")]],
      ),
    ),
    ...(swap === undefined ? {} : { memorySwap: swap === "-1" ? -1 : parseSize(swap) }),
    ...(cpus === undefined ? {} : { cpus: Number(cpus) }),
    ...(input.text("cpuset-cpus") === undefined ? {} : { cpusetCpus: input.text("cpuset-cpus") ?? "" }),
    ...(input.text("cpuset-mems") === undefined ? {} : { cpusetMems: input.text("cpuset-mems") ?? "" }),
  };
}

/** A whole number given to a flag. @throws TeuError `invalid`. */
export function wholeNumber(input: CommandInput, flag: string): number | undefined {
  const text = input.text(flag);
  if (text === undefined) return undefined;
  if (!/^-?\d{1,15}$/.test(text))
    throw usageError(`--${flag}=${text} is not a whole number`, { fallback: `write --${flag}=10` });
  return Number(text);
}

function networkMode(text: string): NetworkMode {
  if (text === "default") return "bridge";
  if (text === "bridge" || text === "host" || text === "none") return text;
  throw usageError(`the network ${JSON.stringify(text)} is not known`, {
    word: text,
    known: ["bridge", "host", "none"],
    fallback: "use bridge, host or none",
  });
}

function restartPolicy(text: string): RestartPolicy {
  const name = text.split(":")[0] ?? "";
  if (name === "no" || name === "always" || name === "unless-stopped" || name === "on-failure") return name;
  throw usageError(`the restart policy ${JSON.stringify(text)} is not known`, {
    word: name,
    known: ["no", "always", "unless-stopped", "on-failure"],
    fallback: "use no",
  });
}

function splitSysctl(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals <= 0)
    throw usageError(`--sysctl=${text} has no value`, { fallback: "write --sysctl net.ipv4.ip_forward=1" });
  return [text.slice(0, equals), text.slice(equals + 1)];
}
