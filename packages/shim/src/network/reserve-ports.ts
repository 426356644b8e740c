// Holds the published host ports for as long as the container lives: a bound, listening socket that no packet reaches (they are
// translated before), so that no other program and no other container takes the port.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AF_INET, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { PortMapping } from "../protocol.ts";

/** Reserved ports; dispose frees them. */
export class PortReservation implements Disposable {
  readonly #kernel: Kernel;
  #fds: number[] = [];

  /** @throws TeuError `conflict` "port is already allocated"; `denied`; `not-found` for an address that this host has not. All or none. */
  constructor(kernel: Kernel, ports: readonly PortMapping[]) {
    this.#kernel = kernel;
    try {
      for (const port of ports) this.#reserve(port);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds) this.#kernel.fs.close(fd);
    this.#fds = [];
  }

  #reserve(port: PortMapping): void {
    const { socket } = this.#kernel;
    const stream = port.protocol === "tcp";
    const fd = socket.socket(AF_INET, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
    this.#fds.push(fd);
    try {
      socket.bindInet(fd, port.hostIp, port.hostPort);
      // A socket that is only bound gives way to one with SO_REUSEADDR.
      if (stream) socket.listen(fd, 1);
    } catch (error) {
      throw isSysError(error) ? bindError(port, error.errno, error.message) : error;
    }
  }
}

function bindError(port: PortMapping, errno: string, message: string): TeuError {
  const subject = `${port.hostIp}:${port.hostPort}/${port.protocol}`;
  const known = {
    EADDRINUSE: ["conflict", "port is already allocated"],
    EACCES: ["denied", "not allowed to use this port"],
    EADDRNOTAVAIL: ["not-found", "this host does not have that address"],
  } as const;
  const [code, text] = known[errno as keyof typeof known] ?? (["internal", message] as const);
  return new TeuError({ code, op: "publish port", subject, message: text });
}
