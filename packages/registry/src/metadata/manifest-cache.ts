// Manifests asked for more than once lately, by repository and reference. Correct at all times: who changes the index takes out what
// it changes, and a change by another process empties the whole.

import type { StoredManifest } from "@teu/distribution/server/metadata-storage";

const MAX_BYTES = 16 << 20;
const MAX_ENTRIES = 10_000;
/** Manifests asked for once that are remembered: who asks for all of a large registry, one after the other, displaces nothing. */
const MAX_ASKED = 10_000;

/** A bounded map that forgets the oldest first. */
export class ManifestCache {
  readonly #entries: Map<string, StoredManifest> = new Map();
  readonly #asked: Set<string> = new Set();
  #bytes = 0;
  #version = -1;

  /** What is known under a key, given the database's present version. */
  get(key: string, version: number): StoredManifest | undefined {
    if (version !== this.#version) {
      this.clear();
      this.#version = version;
    }
    return this.#entries.get(key);
  }

  /** Remembers what was just read, from the second time on. */
  set(key: string, manifest: StoredManifest): void {
    if (manifest.bytes.length > MAX_BYTES / 8) return;
    if (!this.#asked.delete(key)) {
      if (this.#asked.size >= MAX_ASKED) this.#asked.clear();
      this.#asked.add(key);
      return;
    }
    this.delete(key);
    this.#entries.set(key, manifest);
    this.#bytes += manifest.bytes.length;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= MAX_BYTES && this.#entries.size <= MAX_ENTRIES) return;
      this.#entries.delete(oldest);
      this.#bytes -= entry.bytes.length;
    }
  }

  /** Forgets one entry. */
  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes.length;
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
