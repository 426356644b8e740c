// A place that serves the content of a registry host: the host itself, or a mirror of it, and how to speak to it.

import type { ClientCertificate } from "./certificates.ts";

/** What an endpoint may be used for: "resolve" trusts it to say what a tag means, "pull" only to have content by digest. */
export type Capability = "pull" | "resolve" | "push";

/** How TLS differs from what holds for other hosts. */
export interface EndpointTls {
  /** PEM. */
  readonly authorities: readonly string[];
  readonly clients: readonly ClientCertificate[];
  readonly skipVerify: boolean;
}

/** Settings of an endpoint beyond its address. */
export interface EndpointSettings {
  readonly capabilities: ReadonlySet<Capability>;
  /** Sent with every request to this endpoint, and nowhere else. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: EndpointTls | null;
  /** Milliseconds; undefined for the default. */
  readonly connectTimeout: number | undefined;
}

/** An endpoint of a host. */
export interface Endpoint extends EndpointSettings {
  /** "https://mirror.example/v2/", with the slash; null: where the host itself is by default. */
  readonly root: URL | null;
}

/** Everything is allowed, nothing is special. */
export const DEFAULT_SETTINGS: EndpointSettings = {
  capabilities: new Set<Capability>(["pull", "resolve", "push"]),
  headers: {},
  tls: null,
  connectTimeout: undefined,
};

/** The endpoints of a host ("docker.io", "localhost:5000") in the order in which they are tried; null when nothing is said of it. */
export type EndpointSource = (host: string) => Promise<readonly Endpoint[] | null>;
