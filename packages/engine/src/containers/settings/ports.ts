// Published ports, checked; which host port a container gets in the end is decided at its start.

import { isIPv4 } from "node:net";

import { TeuError } from "@teu/base/errors";

import type { PublishOption } from "../create-options.ts";

/** Checks and completes `publish`; `all` adds every exposed port that is not there yet. @throws TeuError `invalid`, `unsupported`. */
export function publishSettings(
  wishes: readonly PublishOption[],
  exposed: readonly string[],
  all: boolean,
): Required<PublishOption>[] {
  const published = wishes.map(publishSetting);
  if (!all) return published;
  for (const text of exposed) {
    const [port, protocol] = text.split("/");
    const containerPort = Number(port);
    const known = published.some((one) => one.containerPort === containerPort && one.protocol === protocol);
    if (!known) published.push(publishSetting({ containerPort, protocol: protocol === "udp" ? "udp" : "tcp" }));
  }
  return published;
}

function publishSetting(wish: PublishOption): Required<PublishOption> {
  const { hostIp = "0.0.0.0", hostPort = 0, containerPort, protocol = "tcp" } = wish;
  const port = (value: number, least: number) => Number.isInteger(value) && value >= least && value <= 65_535;
  if (!port(hostPort, 0)) throw refuse(hostPort, "want a host port from 1 to 65535");
  if (!port(containerPort, 1)) throw refuse(containerPort, "want a container port from 1 to 65535");
  if (!isIPv4(hostIp))
    throw new TeuError({
      code: "unsupported",
      op: "publish port",
      subject: hostIp,
      message: "want an IPv4 address of this host",
    });
  return { hostIp, hostPort, containerPort, protocol };
}

/** ExposedPorts of an image config: "80", "80/tcp", "8000-8002/udp". What is not a port is dropped: images are not to be trusted. */
export function exposedPorts(keys: readonly string[]): string[] {
  const ports: string[] = [];
  for (const key of keys.slice(0, 1000)) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp))?$/.exec(key.toLowerCase());
    if (match === null) continue;
    const first = Number(match[1]);
    const last = Math.min(Number(match[2] ?? first), first + 1000);
    for (let port = first; port <= last; port++)
      if (port >= 1 && port <= 65_535) ports.push(`${port}/${match[3] ?? "tcp"}`);
  }
  return [...new Set(ports)];
}

function refuse(port: number, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "publish port", subject: String(port), message });
}
