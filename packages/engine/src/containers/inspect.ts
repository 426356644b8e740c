// inspect: a container in the shape that Docker's API has, so that scripts and clients written for it find what they look for.

import type { Scope } from "@teu/base/scope";
import type { PortMapping } from "@teu/shim/protocol";

import { formatIpv4, macOf, parseSubnet } from "../networks/ipv4.ts";
import { workspaceOf } from "../snapshots/overlay-snapshots.ts";
import type { ContainerRow } from "../store/container-rows.ts";
import { getNetwork, listAddresses, listPorts } from "../store/network-rows.ts";
import type { ContainerSettings, MountSetting } from "./container-settings.ts";
import type { ContainerInspect } from "./containers.ts";
import type { ContainerContext } from "./context.ts";
import { findContainer } from "./find.ts";
import { type Life, readLife } from "./life.ts";

const NO_TIME = "0001-01-01T00:00:00Z";

/** See `Containers.inspect`. */
export async function inspectContainer(
  _scope: Scope,
  context: ContainerContext,
  ref: string,
): Promise<ContainerInspect> {
  const row = findContainer(context.db, ref);
  const { settings, id } = row;
  const paths = context.paths.container(id);
  const args = [...settings.entrypoint, ...settings.command];
  return {
    Id: id,
    Created: new Date(row.createdAt).toISOString(),
    Path: args[0] ?? "",
    Args: args.slice(1),
    State: stateOf(readLife(paths)),
    Image: row.imageId ?? "",
    ResolvConfPath: paths.resolvConf,
    HostnamePath: paths.hostname,
    HostsPath: paths.hosts,
    LogPath: settings.log.driver === "none" ? "" : paths.log,
    Name: `/${row.name}`,
    RestartCount: 0,
    Driver: "overlay",
    Platform: "linux",
    HostConfig: hostConfig(row),
    GraphDriver: graphDriver(context, row),
    Mounts: settings.mounts.filter((mount) => mount.kind !== "tmpfs").map((mount) => mountPoint(context, mount)),
    Config: configOf(row),
    NetworkSettings: networkSettings(context, row),
  };
}

function stateOf(life: Life): ContainerInspect["State"] {
  const running = life.phase === "running" || life.phase === "paused";
  const status = life.phase === "lost" ? "dead" : life.phase === "prepared" ? "created" : life.phase;
  return {
    Status: status,
    Running: running,
    Paused: life.phase === "paused",
    Restarting: false,
    OOMKilled: life.exit?.oomKilled ?? false,
    Dead: status === "dead",
    Pid: running ? life.pid : 0,
    ExitCode: life.exit?.code ?? 0,
    Error: life.exit?.error ?? "",
    StartedAt: life.startedAt ?? NO_TIME,
    FinishedAt: life.exit?.finishedAt ?? NO_TIME,
  };
}

function hostConfig(row: ContainerRow): Readonly<Record<string, unknown>> {
  const { settings } = row;
  const { resources } = settings;
  return {
    Binds: settings.mounts.flatMap((mount) =>
      mount.kind === "tmpfs"
        ? []
        : [`${mount.kind === "bind" ? mount.source : mount.name}:${mount.target}${mount.readOnly ? ":ro" : ""}`],
    ),
    Tmpfs: Object.fromEntries(
      settings.mounts.flatMap((mount) => (mount.kind === "tmpfs" ? [[mount.target, mount.options.join(",")]] : [])),
    ),
    LogConfig: {
      Type: settings.log.driver,
      Config:
        settings.log.maxSize === 0
          ? {}
          : { "max-size": String(settings.log.maxSize), "max-file": String(settings.log.maxFiles) },
    },
    NetworkMode: settings.network,
    AutoRemove: row.autoRemove,
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
    PortBindings: Object.fromEntries(
      Map.groupBy(settings.publish, (port) => `${port.containerPort}/${port.protocol}`)
        .entries()
        .map(([key, list]) => [
          key,
          list.map((port) => ({ HostIp: port.hostIp, HostPort: port.hostPort === 0 ? "" : String(port.hostPort) })),
        ]),
    ),
    CapAdd: settings.capAdd,
    CapDrop: settings.capDrop,
    Dns: settings.dns,
    DnsOptions: settings.dnsOption,
    DnsSearch: settings.dnsSearch,
    ExtraHosts: settings.addHost,
    GroupAdd: settings.groupAdd,
    IpcMode: settings.ipc,
    PidMode: settings.pid === "host" ? "host" : "",
    UTSMode: settings.uts === "host" ? "host" : "",
    CgroupnsMode: settings.cgroupns,
    OomScoreAdj: settings.oomScoreAdj,
    Privileged: settings.privileged,
    ReadonlyRootfs: settings.readOnly,
    ShmSize: settings.shmSize,
    Sysctls: settings.sysctls,
    SecurityOpt: securityOpt(settings),
    Runtime: settings.runtime,
    Memory: resources.memory ?? 0,
    MemorySwap: resources.memorySwap ?? 0,
    MemoryReservation: resources.memoryReservation ?? 0,
    NanoCpus: Math.round((resources.cpus ?? 0) * 1e9),
    CpuShares: resources.cpuShares ?? 0,
    CpuPeriod: resources.cpuPeriod ?? 0,
    CpuQuota: resources.cpuQuota ?? 0,
    CpusetCpus: resources.cpusetCpus ?? "",
    CpusetMems: resources.cpusetMems ?? "",
    PidsLimit: resources.pidsLimit ?? 0,
    Ulimits: settings.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    Devices: settings.devices.map(({ source, target, permissions }) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: permissions,
    })),
  };
}

function securityOpt(settings: ContainerSettings): string[] {
  return [
    ...(settings.noNewPrivileges ? ["no-new-privileges"] : []),
    ...(settings.seccomp.kind === "unconfined"
      ? ["seccomp=unconfined"]
      : settings.seccomp.kind === "profile"
        ? [`seccomp=${settings.seccomp.text}`]
        : []),
    ...(settings.systemPathsUnconfined ? ["systempaths=unconfined"] : []),
  ];
}

function graphDriver(context: ContainerContext, row: ContainerRow): ContainerInspect["GraphDriver"] {
  const { lower, upper, work } = workspaceOf(context.snapshots.context, row.id, row.chainId);
  return { Name: "overlay", Data: { LowerDir: lower.join(":"), UpperDir: upper, WorkDir: work } };
}

function mountPoint(
  context: ContainerContext,
  mount: Exclude<MountSetting, { kind: "tmpfs" }>,
): Readonly<Record<string, unknown>> {
  const base = { Destination: mount.target, RW: !mount.readOnly, Mode: mount.readOnly ? "ro" : "" };
  return mount.kind === "bind"
    ? { Type: "bind", Source: mount.source, ...base, Propagation: mount.propagation }
    : {
        Type: "volume",
        Name: mount.name,
        Source: context.paths.volume(mount.name),
        Driver: "local",
        ...base,
        Propagation: "",
      };
}

function configOf({ settings }: ContainerRow): Readonly<Record<string, unknown>> {
  return {
    Hostname: settings.hostname,
    Domainname: settings.domainname,
    User: settings.user,
    AttachStdin: false,
    AttachStdout: true,
    AttachStderr: true,
    ExposedPorts: Object.fromEntries(settings.exposed.map((port) => [port, {}])),
    Tty: settings.tty,
    OpenStdin: settings.interactive,
    StdinOnce: settings.stdinOnce,
    Env: settings.env,
    Cmd: settings.command,
    Image: settings.image,
    Volumes: null,
    WorkingDir: settings.workdir,
    Entrypoint: settings.entrypoint.length === 0 ? null : settings.entrypoint,
    Labels: settings.labels,
    StopSignal: String(settings.stopSignal),
    StopTimeout: settings.stopTimeout,
  };
}

function networkSettings(context: ContainerContext, row: ContainerRow): Readonly<Record<string, unknown>> {
  const { network } = row.settings;
  const ports = listPorts(context.db, row.id).get(row.id) ?? [];
  const bridge = getNetwork(context.db, "bridge");
  const address = bridge === null ? undefined : listAddresses(context.db, bridge.name).get(row.id);
  const up = network === "bridge" && bridge !== null && address !== undefined;
  const endpoint = up
    ? {
        IPAddress: formatIpv4(address),
        IPPrefixLen: parseSubnet(bridge.subnet).prefix,
        Gateway: bridge.gateway,
        MacAddress: macOf(address),
      }
    : { IPAddress: "", IPPrefixLen: 0, Gateway: "", MacAddress: "" };
  return {
    Bridge: up ? bridge.bridge : "",
    Ports: portMap(row, ports),
    ...endpoint,
    Networks: { [network]: { ...endpoint, NetworkID: network } },
  };
}

function portMap(row: ContainerRow, ports: readonly PortMapping[]): Readonly<Record<string, unknown>> {
  const map: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const port of row.settings.exposed) map[port] = null;
  for (const port of ports)
    (map[`${port.containerPort}/${port.protocol}`] ??= []).push({
      HostIp: port.hostIp,
      HostPort: String(port.hostPort),
    });
  return map;
}
