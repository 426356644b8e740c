// Decides once what a container is: the user's options over the image's config over Docker's defaults, everything checked.
// Image contents and labels reach only what is inside the container: arguments, environment, user, directory, volumes.

import { isIP } from "node:net";
import { posix } from "node:path";

import { TeuError } from "@teu/base/errors";
import type { Digest } from "@teu/image/digest";
import type { ImageConfig } from "@teu/specs/image";

import type { ContainerSettings } from "../container-settings.ts";
import type { CreateOptions, LogOptions } from "../create-options.ts";
import { capabilityNames, normaliseCapability } from "../spec/capabilities.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import { deviceSettings } from "./devices.ts";
import { checkHostname } from "./names.ts";
import { exposedPorts, publishSettings } from "./ports.ts";
import { checkOomScore, checkResources, checkUlimits } from "./resources.ts";
import { checkSysctls, securitySettings } from "./security.ts";
import { parseSignal } from "./signals.ts";
import { mountSettings } from "./volumes.ts";

/** What settings are made from. */
export interface SettingsInput {
  readonly id: string;
  readonly options: CreateOptions;
  /** As shown to people. */
  readonly image: string;
  readonly imageId: Digest | null;
  readonly chainId: Digest | null;
  readonly config: ImageConfig;
  readonly runtime: string;
  readonly facts: HostFacts;
}

/** Settings, and what could not be had. */
export interface ResolvedSettings {
  readonly settings: ContainerSettings;
  readonly warnings: readonly string[];
}

const DEFAULT_SHM = 64 << 20;
const DEFAULT_STOP_TIMEOUT = 10;
const SIGTERM = 15;

/** @throws TeuError `invalid` for senseless options, `unsupported` for what this host or this teu cannot do, `not-found` for files named in options. */
export function resolveSettings(input: SettingsInput): ResolvedSettings {
  const { options, config, facts, id } = input;
  const defaults = config.config ?? {};
  const shares = namespaceSettings(options);
  const network = networkMode(options);
  const warnings = checkAll(options, facts, {
    network: network !== "host",
    ipc: shares.ipc === "private",
    uts: shares.uts === "private",
  });
  const exposed = exposedPorts(Object.keys(defaults.ExposedPorts ?? {}));
  if (network !== "bridge" && (options.publish ?? []).length > 0)
    warnings.push(`published ports are dropped: the network is ${network}`);
  const settings: ContainerSettings = {
    image: input.image,
    imageId: input.imageId,
    chainId: input.chainId,
    runtime: input.runtime,
    ...commandSettings(options, defaults),
    env: environment(defaults.Env ?? [], options.env ?? []),
    workdir: workdir(options.workdir ?? defaults.WorkingDir ?? ""),
    user: options.user ?? defaults.User ?? "",
    groupAdd: options.groupAdd ?? [],
    // As in Docker: whoever has the host's network answers to the host's name.
    hostname:
      options.hostname !== undefined
        ? checkHostname(options.hostname)
        : network === "host"
          ? facts.hostname
          : id.slice(0, 12),
    domainname: options.domainname === undefined ? "" : checkHostname(options.domainname),
    tty: options.tty ?? false,
    interactive: options.interactive ?? false,
    stdinOnce: options.stdinOnce ?? options.interactive ?? false,
    labels: { ...defaults.Labels, ...options.labels },
    stopSignal: stopSignal(options.stopSignal, defaults.StopSignal),
    stopTimeout: options.stopTimeout ?? DEFAULT_STOP_TIMEOUT,
    network,
    exposed,
    publish: network === "bridge" ? publishSettings(options.publish ?? [], exposed, options.publishAll ?? false) : [],
    addHost: (options.addHost ?? []).map(checkAddHost),
    dns: (options.dns ?? []).map(checkNameServer),
    dnsSearch: options.dnsSearch ?? [],
    dnsOption: options.dnsOption ?? [],
    mounts: mountSettings(options.volumes ?? [], Object.keys(defaults.Volumes ?? {})),
    readOnly: options.readOnly ?? false,
    shmSize: options.shmSize ?? DEFAULT_SHM,
    resources: options.resources ?? {},
    ulimits: options.ulimits ?? [],
    sysctls: options.sysctls ?? {},
    oomScoreAdj: options.oomScoreAdj ?? 0,
    privileged: options.privileged ?? false,
    capAdd: (options.capAdd ?? []).map(normaliseCapability),
    capDrop: (options.capDrop ?? []).map(normaliseCapability),
    ...securitySettings(options.securityOpt ?? []),
    devices: deviceSettings(options.devices ?? []),
    ...shares,
    log: logSettings(options.log ?? {}),
  };
  // Asked for here, so that `create` and not `start` says no.
  capabilityNames(settings, facts.capabilities);
  return { settings, warnings };
}

function checkAll(
  options: CreateOptions,
  facts: HostFacts,
  own: { readonly network: boolean; readonly ipc: boolean; readonly uts: boolean },
): string[] {
  if (options.restart !== undefined && options.restart !== "no") {
    throw new TeuError({
      code: "unsupported",
      op: "set restart policy",
      subject: options.restart,
      message: "containers are not restarted yet",
      hint: 'leave --restart out, or use "no"',
    });
  }
  const stopTimeout = options.stopTimeout ?? 0;
  if (!Number.isInteger(stopTimeout) || stopTimeout < -1)
    throw refuse("set stop timeout", String(stopTimeout), "want whole seconds, or -1 to wait for ever");
  if (options.shmSize !== undefined && !(options.shmSize > 0))
    throw refuse("set shm size", String(options.shmSize), "want a positive number of bytes");
  const warnings = checkResources(options.resources ?? {}, facts);
  checkUlimits(options.ulimits ?? []);
  checkOomScore(options.oomScoreAdj ?? 0, facts);
  checkSysctls(options.sysctls ?? {}, own);
  return warnings;
}

function commandSettings(
  options: CreateOptions,
  defaults: NonNullable<ImageConfig["config"]>,
): Pick<ContainerSettings, "entrypoint" | "command"> {
  // A new entrypoint does not know what to do with the image's command, so Docker drops that.
  const command = options.command ?? (options.entrypoint === undefined ? (defaults.Cmd ?? []) : []);
  const entrypoint = options.entrypoint ?? defaults.Entrypoint ?? [];
  const args = [...entrypoint, ...command];
  if (args.length === 0 || args[0] === "")
    throw refuse("create container", undefined, "no command: neither the image nor the options say what to run");
  if (args.some((arg) => arg.includes("\0")))
    throw refuse("create container", undefined, "an argument holds a zero byte");
  return { entrypoint, command };
}

/** Later entries win; a bare NAME takes the image's away. */
function environment(image: readonly string[], user: readonly string[]): string[] {
  const byName = new Map<string, string>();
  // An image's entry without "=" means nothing to execve; "=value" could hide another variable.
  for (const entry of image) if (/^[^=\0]+=[^\0]*$/.test(entry)) byName.set(nameOf(entry), entry);
  for (const entry of user) {
    if (!/^[^=\0]+(?:=[^\0]*)?$/.test(entry))
      throw refuse("set environment", entry, "want NAME=value or NAME, without zero bytes");
    if (entry.includes("=")) byName.set(nameOf(entry), entry);
    else byName.delete(entry);
  }
  return [...byName.values()];
}

function nameOf(entry: string): string {
  return entry.slice(0, entry.indexOf("="));
}

function workdir(text: string): string {
  if (text.includes("\0")) throw refuse("set working directory", text, "a path cannot hold a zero byte");
  return posix.normalize(posix.resolve("/", text));
}

function stopSignal(user: string | undefined, image: string | undefined): number {
  if (user !== undefined) return parseSignal(user);
  if (image === undefined || image === "") return SIGTERM;
  return parseSignal(image);
}

function networkMode(options: CreateOptions): ContainerSettings["network"] {
  const mode: string = options.network ?? "bridge";
  if (mode === "none" || mode === "host" || mode === "bridge") return mode;
  if (mode === "default") return "bridge";
  throw new TeuError({
    code: "unsupported",
    op: "set network",
    subject: mode,
    message: "the networks are none, host and bridge",
  });
}

function namespaceSettings(options: CreateOptions): Pick<ContainerSettings, "pid" | "ipc" | "uts" | "cgroupns"> {
  const read = (what: string, value: string | undefined) => {
    if (value === undefined || value === "" || value === "private" || value === "shareable") return "private";
    if (value === "host") return "host";
    throw new TeuError({
      code: "unsupported",
      op: `set ${what} namespace`,
      subject: value,
      message: "want private or host",
    });
  };
  return {
    pid: read("pid", options.pid),
    ipc: read("ipc", options.ipc),
    uts: read("uts", options.uts),
    cgroupns: read("cgroup", options.cgroupns),
  };
}

function checkAddHost(text: string): string {
  const [, name = "", ip = ""] = /^([^:=\s]+)[:=](.+)$/.exec(text) ?? [];
  const address = ip.replace(/^\[(.*)\]$/, "$1");
  if (name !== "" && (address === "host-gateway" || isIP(address) !== 0)) return `${name}:${address}`;
  throw refuse("add host", text, 'want "name:address"');
}

function checkNameServer(text: string): string {
  if (isIP(text) !== 0) return text;
  throw refuse("set dns server", text, "want an IP address");
}

function logSettings(options: LogOptions): ContainerSettings["log"] {
  const { driver = "json-file", maxSize = 0, maxFiles = 1 } = options;
  if (driver !== "json-file" && driver !== "none")
    throw new TeuError({
      code: "unsupported",
      op: "set log driver",
      subject: String(driver),
      message: "want json-file or none",
    });
  if (!(maxSize >= 0)) throw refuse("set log max-size", String(maxSize), "want a positive number of bytes");
  if (!(Number.isInteger(maxFiles) && maxFiles >= 1))
    throw refuse("set log max-file", String(maxFiles), "want at least 1");
  if (maxFiles > 1 && maxSize === 0) throw refuse("set log max-file", String(maxFiles), "it needs max-size too");
  return { driver, maxSize, maxFiles };
}

function refuse(op: string, subject: string | undefined, message: string): TeuError {
  return new TeuError({ code: "invalid", op, message, ...(subject === undefined ? {} : { subject }) });
}
