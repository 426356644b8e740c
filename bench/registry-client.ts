// A plain client of registries for benchmarks: one kept connection each, whole bodies, no checks but the status.

import { Agent, request } from "node:http";

import { digestOf } from "@teu/image/digest";
import { MEDIA_TYPES } from "@teu/specs/image";

/** Sends requests, one after the other or several at once. */
export class PlainClient implements Disposable {
  readonly #url: string;
  readonly #agent: Agent = new Agent({ keepAlive: true, maxSockets: 8 });

  constructor(url: string) {
    this.#url = url;
  }

  /** The body of an answer; any status but `status` is a failure. */
  async send(
    method: string,
    path: string,
    status: number,
    body?: Uint8Array | string,
    type?: string,
  ): Promise<{ location: string; body: Buffer }> {
    const url = new URL(path, this.#url);
    const headers = { ...(type === undefined ? {} : { "content-type": type }), "content-length": body?.length ?? 0 };
    return await new Promise((resolve, reject) => {
      const outgoing = request(url, { method, agent: this.#agent, headers });
      outgoing.once("error", reject);
      outgoing.once("response", (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.once("error", reject);
        incoming.once("end", () => {
          const answer = Buffer.concat(chunks);
          if (incoming.statusCode === status) resolve({ location: incoming.headers.location ?? "", body: answer });
          else reject(new Error(`${method} ${path}: ${incoming.statusCode} ${answer.toString("utf8", 0, 300)}`));
        });
      });
      outgoing.end(body);
    });
  }

  /** Where the next upload to a repository goes; it takes a digest. */
  async uploadTo(repository: string, digest: string): Promise<string> {
    const { location } = await this.send("POST", `/v2/${repository}/blobs/uploads/`, 202);
    const url = new URL(location, this.#url);
    url.searchParams.set("digest", digest);
    return url.href;
  }

  /** Pushes a blob. */
  async pushBlob(repository: string, content: Uint8Array | string): Promise<string> {
    const digest = digestOf(content);
    await this.send("PUT", await this.uploadTo(repository, digest), 201, content);
    return digest;
  }

  /** Pushes a manifest under a tag. */
  async pushManifest(repository: string, tag: string, body: string): Promise<void> {
    await this.send("PUT", `/v2/${repository}/manifests/${tag}`, 201, body, MEDIA_TYPES.manifest);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

/** A manifest of ten layers as large as one of ten layers is; its blobs are `{}`, which the repository must have. */
export function plainManifest(mark: string): string {
  const one = { mediaType: MEDIA_TYPES.config, digest: digestOf("{}"), size: 2 };
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config: one,
    layers: Array.from({ length: 10 }, () => one),
    annotations: { "bench.mark": mark },
  });
}
