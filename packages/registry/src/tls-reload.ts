// Looks now and then whether the files of a certificate are other ones, as whoever renews certificates leaves them, and takes them.
// A pair that is only half there, or wrong, is logged, and the old one stays.

import { errorText } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import type { HttpServer } from "./http-server.ts";
import { readTlsFiles, type TlsFiles, tlsStamp } from "./tls-files.ts";

/** Milliseconds between two looks. */
const EVERY = 10_000;

/** Watches one server's files; disposing ends that. */
export class TlsReload implements Disposable {
  readonly #scope: Scope;
  readonly #http: HttpServer;
  readonly #timer: NodeJS.Timeout;
  #files: TlsFiles;
  #stamp: string;

  constructor(scope: Scope, http: HttpServer, files: TlsFiles, stamp: string) {
    this.#scope = scope;
    this.#http = http;
    this.#files = files;
    this.#stamp = stamp;
    this.#timer = setInterval(() => void this.look(), EVERY).unref();
  }

  /** Takes what is in the files now, when that is another than before. */
  async look(files: TlsFiles = this.#files): Promise<void> {
    const stamp = await tlsStamp(files);
    if (stamp === this.#stamp && files === this.#files) return;
    // Also when they cannot be used: one warning for each change.
    this.#stamp = stamp;
    this.#files = files;
    try {
      this.#http.exchange(await readTlsFiles(files));
      this.#scope.log.info("certificates were read again", { certificate: files.cert });
    } catch (error) {
      this.#scope.log.warn("certificates stay as they were", { error: errorText(error) });
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
