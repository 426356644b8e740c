// What a request did, for those who are told: logs, metrics, webhooks. Endpoints say it once it has happened.

import type { Exchange } from "./exchange.ts";

/** Something that happened to content. */
export interface RegistryEvent {
  readonly action: "push" | "pull" | "mount" | "delete";
  readonly repository: string;
  readonly mediaType?: string;
  readonly digest?: string;
  readonly size?: number;
  readonly tag?: string;
  /** Of a mount: where it came from. */
  readonly fromRepository?: string;
}

/** Told of every request once it is answered. Must not throw, and must not take long. */
export type Observer = (exchange: Exchange, milliseconds: number) => void;
