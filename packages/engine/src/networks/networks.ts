// What an engine can say about networks: the interface and its values. The shim makes them; the engine only allocates.

import type { Scope } from "@teu/base/scope";

/** A network of this engine. */
export interface Network {
  readonly name: string;
  readonly driver: "bridge" | "host" | "null";
  /** Interface of the bridge; "" for the others. */
  readonly bridge: string;
  /** "10.88.0.0/16"; "" for the others. */
  readonly subnet: string;
  /** "10.88.0.1"; "" for the others. */
  readonly gateway: string;
  /** Container id to its address without prefix. */
  readonly addresses: Readonly<Record<string, string>>;
}

/** Networks of one engine: "bridge", "host" and "none". */
export interface Networks {
  list(scope: Scope): Promise<Network[]>;
  /** `not-found` when there is none of this name. */
  get(scope: Scope, name: string): Promise<Network>;
}
