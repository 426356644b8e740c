// An engine in directories of its own, with a busybox image made from the host's static binary. Everything is gone when it is disposed.
// RUNTIME selects the runtime (name or path, default teu-runtime when it is built, else runc).

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createScope, type Scope } from "@teu/base/scope";
import { Engine, type EngineOptions } from "@teu/engine/engine";
import type { StreamSession } from "@teu/engine/containers/containers";
import type { CreateOptions } from "@teu/engine/containers/create-options";
import type { Image } from "@teu/engine/images/images";
import { type Digest, digestOf } from "@teu/image/digest";
import { NO_XATTRS, type TarEntry, type TarType } from "@teu/image/tar/entry";
import { encodeTarHeader, TAR_END, tarPadding } from "@teu/image/tar/writer";
import { type ImageConfig, MEDIA_TYPES } from "@teu/specs/image";

const ROOT = new URL("../..", import.meta.url).pathname;
const BUSYBOX = "/bin/busybox";
const APPLETS = (
  "sh sleep cat echo true false ls id env pwd ip nc wget yes head stty dd kill ping seq hostname tail grep tty mkdir mount umount rm touch ps wc " +
  "date test stat free nproc ulimit chroot unshare setsid readlink ln mknod find sync df du printf tr cut sed awk chmod chown cp mv sort uniq httpd trap"
).split(" ");

const RUNTIME: string = process.env["RUNTIME"] ?? (existsSync(join(ROOT, "bin/teu-runtime")) ? "teu-runtime" : "runc");

/** Why these tests cannot run here; undefined when they can. For node:test's `skip`. */
export const UNABLE: string | undefined =
  process.getuid?.() !== 0
    ? "needs root"
    : !existsSync(BUSYBOX)
      ? `no static busybox at ${BUSYBOX}`
      : !existsSync(join(ROOT, "dist/native/teu-files.node"))
        ? "the file addon is not built"
        : !existsSync(join(ROOT, "bin/teu-shim"))
          ? "teu-shim is not built"
          : undefined;

/** One entry of a layer. */
export interface LayerEntry {
  readonly name: string;
  readonly type?: TarType;
  readonly content?: string | Uint8Array;
  readonly linkName?: string;
  readonly mode?: number;
  readonly uid?: number;
}

/** The tar of a layer. */
export function layerTar(entries: readonly LayerEntry[]): Uint8Array {
  const parts = entries.flatMap((entry) => {
    const content =
      typeof entry.content === "string" ? Buffer.from(entry.content) : (entry.content ?? new Uint8Array(0));
    const type =
      entry.type ?? (entry.linkName === undefined ? (entry.content === undefined ? "directory" : "file") : "symlink");
    const full: TarEntry = {
      type,
      name: entry.name,
      linkName: entry.linkName ?? "",
      size: content.length,
      mode: entry.mode ?? (type === "directory" ? 0o755 : 0o755),
      uid: entry.uid ?? 0,
      gid: entry.uid ?? 0,
      userName: "",
      groupName: "",
      mtimeNs: 0n,
      devMajor: 0,
      devMinor: 0,
      xattrs: NO_XATTRS,
      sparse: null,
    };
    return [encodeTarHeader(full), content, tarPadding(content.length)];
  });
  return Buffer.concat([...parts, TAR_END]);
}

/** Entries of a small but complete system. */
export function busyboxEntries(): LayerEntry[] {
  return [
    ...["bin", "dev", "etc", "proc", "sys", "root", "home", "usr", "var"].map((name) => ({ name })),
    { name: "tmp", mode: 0o1777 },
    { name: "bin/busybox", content: readFileSync(BUSYBOX) },
    ...APPLETS.map((name) => ({ name: `bin/${name}`, linkName: "busybox" })),
    {
      name: "etc/passwd",
      content: "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n",
      mode: 0o644,
    },
    { name: "etc/group", content: "root:x:0:\napp:x:1000:\nextra:x:2000:app\n", mode: 0o644 },
  ];
}

/** An engine for a test. */
export class EngineHost implements AsyncDisposable {
  readonly directory: string;
  readonly options: EngineOptions;
  readonly scope: Scope;
  engine: Engine;

  private constructor(directory: string, options: EngineOptions, scope: Scope, engine: Engine) {
    this.directory = directory;
    this.options = options;
    this.scope = scope;
    this.engine = engine;
  }

  static async open(
    more: Partial<EngineOptions> = {},
    directory: string = mkdtempSync(join(tmpdir(), "teu-engine-")),
  ): Promise<EngineHost> {
    const scope = createScope({ signal: AbortSignal.timeout(120_000) });
    const options: EngineOptions = {
      root: join(directory, "root"),
      runroot: join(directory, "run"),
      runtime: RUNTIME,
      shim: join(ROOT, "bin/teu-shim"),
      credentialsFile: join(directory, "config.json"),
      ...more,
    };
    return new EngineHost(directory, options, scope, await Engine.open(scope, options));
  }

  /** Another opening of the same root, as another process would have it. */
  another(): Promise<Engine> {
    return Engine.open(this.scope, this.options);
  }

  /** An image of one layer. */
  async image(
    name: string,
    entries: readonly LayerEntry[],
    config: Partial<ImageConfig["config"]> = {},
  ): Promise<Image> {
    const { scope, engine } = this;
    const tar = layerTar(entries);
    const descriptor = { mediaType: MEDIA_TYPES.layer, digest: digestOf(tar), size: tar.length };
    await using lease = await engine.lease(scope);
    if ((await lease.content.info(scope, descriptor.digest)) === null) {
      await using ingest = await lease.content.ingest(scope, descriptor.digest, {
        digest: descriptor.digest,
        size: tar.length,
      });
      await ingest.write(tar);
      await ingest.commit();
    }
    const layer = await lease.snapshots.unpack(scope, { descriptor, parent: null });
    return engine.images.create(scope, { config: imageConfig([layer.diffId], config), layers: [layer], names: [name] });
  }

  /** The busybox image. */
  busybox(name = "busybox", config: Partial<ImageConfig["config"]> = {}): Promise<Image> {
    return this.image(name, busyboxEntries(), { Cmd: ["sh"], Env: ["PATH=/bin"], ...config });
  }

  /** Creates, starts, reads all and waits: `run` without `--rm`. */
  async run(options: CreateOptions): Promise<{ id: string; code: number; stdout: string; stderr: string }> {
    const { id } = await this.engine.containers.create(this.scope, options);
    await using session = await this.engine.containers.start(this.scope, id, { attach: {} });
    const output = await readAll(session);
    const code = await session.exitCode;
    await this.engine.containers.wait(this.scope, id);
    return { id, code, ...output };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const scope = createScope({ signal: AbortSignal.timeout(30_000) });
    for (const container of await this.engine.containers.list(scope, { all: true })) {
      await this.engine.containers.remove(scope, container.id, { force: true, volumes: true });
    }
    await this.engine[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A complete config. */
export function imageConfig(diffIds: readonly Digest[], config: Partial<ImageConfig["config"]> = {}): ImageConfig {
  return {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    created: "2026-01-01T00:00:00Z",
    config: { ...config },
    rootfs: { type: "layers", diff_ids: diffIds },
  };
}

/** Everything a session puts out. */
export async function readAll(session: StreamSession): Promise<{ stdout: string; stderr: string }> {
  const parts: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
  for await (const { stream, data } of session.output) parts[stream].push(Buffer.from(data));
  return { stdout: Buffer.concat(parts.stdout).toString("utf8"), stderr: Buffer.concat(parts.stderr).toString("utf8") };
}
