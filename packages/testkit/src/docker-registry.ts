// Debian's docker-registry (distribution 2.8) on a free loopback port with a directory of its own: the peer in interoperation tests.

import { type ChildProcess, spawn } from "node:child_process";
import { accessSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { rawRequest } from "./raw-http.ts";

const PROGRAM = "/usr/bin/docker-registry";

/** Why docker-registry cannot be used here; false when it can. For the `skip` option of a test. */
export function noDockerRegistry(): string | false {
  try {
    accessSync(PROGRAM);
    return false;
  } catch {
    return "docker-registry is not installed";
  }
}

/** How to start one. */
export interface DockerRegistryOptions {
  /** Text of an htpasswd file; absent: everybody may do everything. */
  readonly htpasswd?: string;
  /** Where its data goes: a directory of its own is made there. Default: the system's for temporary files. */
  readonly parent?: string;
}

/** A running docker-registry. Disposing ends it and removes its data. */
export class DockerRegistry implements AsyncDisposable {
  readonly address: string;
  readonly url: string;
  readonly pid: number;
  /** Its rootdirectory. */
  readonly data: string;
  readonly #process: ChildProcess;
  readonly #directory: string;

  private constructor(address: string, process: ChildProcess, directory: string) {
    this.address = address;
    this.url = `http://${address}`;
    this.#process = process;
    this.pid = process.pid ?? 0;
    this.data = path.join(directory, "data");
    this.#directory = directory;
  }

  /** Starts one; deletes are enabled. */
  static async start(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
    const directory = await mkdtemp(path.join(options.parent ?? tmpdir(), "teu-peer-"));
    const address = `127.0.0.1:${await freePort()}`;
    const users = path.join(directory, "users");
    const config = {
      version: "0.1",
      log: { level: "error", accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: path.join(directory, "data") },
        delete: { enabled: true },
        cache: { blobdescriptor: "inmemory" },
      },
      http: { addr: address },
      ...(options.htpasswd === undefined ? {} : { auth: { htpasswd: { realm: "peer", path: users } } }),
    };
    if (options.htpasswd !== undefined) await writeFile(users, options.htpasswd);
    const file = path.join(directory, "config.yml");
    // JSON is YAML.
    await writeFile(file, JSON.stringify(config));
    const child = spawn(PROGRAM, ["serve", file], { stdio: "ignore" });
    const registry = new DockerRegistry(address, child, directory);
    for (let tries = 0; tries < 200; tries++) {
      const answer = await rawRequest(`${registry.url}/v2/`).catch(() => null);
      if (answer?.status === 200 || answer?.status === 401) return registry;
      if (child.exitCode !== null) break;
      await sleep(25);
    }
    await registry[Symbol.asyncDispose]();
    throw new Error("docker-registry does not answer");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = new Promise((resolve) => this.#process.once("exit", resolve));
      this.#process.kill("SIGKILL");
      await ended;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
