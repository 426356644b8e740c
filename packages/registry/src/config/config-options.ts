// A configuration as what `Registry.listen` takes. Relative paths begin at the directory of the file.

import { resolve } from "node:path";

import type { RegistryOptions } from "../registry.ts";
import type { RegistryConfig } from "./config-types.ts";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of "90s". The schema has seen to its form. */
export function milliseconds(text: string): number {
  const [, count, unit = ""] = /^(\d+)(\w+)$/.exec(text) ?? [];
  return Number(count) * (UNITS[unit] ?? Number.NaN);
}

/** The options. */
export function configOptions(config: RegistryConfig, directory: string): RegistryOptions {
  const { storage = {}, users, tls } = config;
  return compact({
    address: config.address ?? "127.0.0.1:5000",
    root: path(directory, config.root),
    readOnly: config.readOnly ?? false,
    deletes: config.deletes ?? true,
    sparse: config.sparse ?? false,
    drain: duration(config.drain),
    grace: duration(storage.grace),
    uploadExpiry: duration(storage.uploadExpiry),
    sweepInterval: duration(storage.sweepInterval),
    deleteUntagged: storage.deleteUntagged,
    dryRun: storage.dryRun,
    history: storage.history === undefined ? undefined : historyLimits(storage.history),
    retention: storage.retention?.map(({ pushedWithin, pulledWithin, ...rule }) => ({
      ...rule,
      ...(pushedWithin === undefined ? {} : { pushedWithin: milliseconds(pushedWithin) }),
      ...(pulledWithin === undefined ? {} : { pulledWithin: milliseconds(pulledWithin) }),
    })),
    limits: config.limits,
    tls: tls === undefined ? undefined : tlsFiles(tls, directory),
    tokens: tokenOptions(config.tokens),
    trustedTokens: config.trustedTokens?.map((one) => ({
      ...one,
      jwks: one.jwks.map((place) => (/^https?:/i.test(place) ? place : resolve(directory, place))),
    })),
    htpasswd: path(directory, users?.htpasswd),
    anonymousPull: users?.anonymousPull,
    attempts: users?.attempts === undefined ? undefined : attempts(users.attempts),
    rules: config.rules,
    groups: config.groups,
    immutable: config.immutable,
    proxies: config.proxies?.map(({ ttl, ca, passwordFile, ...proxy }) => ({
      ...proxy,
      ...(ttl === undefined ? {} : { ttl: milliseconds(ttl) }),
      ...(ca === undefined ? {} : { ca: resolve(directory, ca) }),
      ...(passwordFile === undefined ? {} : { passwordFile: resolve(directory, passwordFile) }),
    })),
    requests: config.requests,
    operations: config.operations,
    accessLog: logFile(directory, config.log?.access),
    auditLog: logFile(directory, config.log?.audit),
    webhooks: config.webhooks?.map(({ timeout, ...hook }) => ({
      ...hook,
      ...(timeout === undefined ? {} : { timeout: milliseconds(timeout) }),
    })),
    trustedProxies: config.trustedProxies,
  });
}

function tlsFiles(tls: NonNullable<RegistryConfig["tls"]>, directory: string): NonNullable<RegistryOptions["tls"]> {
  const { cert, key, minVersion, clientCa, clientCertificates } = tls;
  return {
    cert: resolve(directory, cert),
    key: resolve(directory, key),
    ...(minVersion === undefined ? {} : { minVersion: `TLSv${minVersion}` }),
    ...(clientCa === undefined ? {} : { clientCa: resolve(directory, clientCa) }),
    ...(clientCertificates === undefined ? {} : { clientCertificates }),
  };
}

function tokenOptions(tokens: RegistryConfig["tokens"]): RegistryOptions["tokens"] {
  if (tokens === undefined) return undefined;
  const { lifetime, refreshLifetime, rotation, ...names } = tokens;
  return {
    ...names,
    ...(lifetime === undefined ? {} : { lifetime: milliseconds(lifetime) }),
    ...(refreshLifetime === undefined ? {} : { refreshLifetime: milliseconds(refreshLifetime) }),
    ...(rotation === undefined ? {} : { rotation: milliseconds(rotation) }),
  };
}

type History = NonNullable<NonNullable<RegistryConfig["storage"]>["history"]>;

function historyLimits({ within, ...counts }: History): NonNullable<RegistryOptions["history"]> {
  return { ...counts, ...(within === undefined ? {} : { within: milliseconds(within) }) };
}

type Attempts = NonNullable<NonNullable<RegistryConfig["users"]>["attempts"]>;

function attempts({ longest, ...counts }: Attempts): NonNullable<RegistryOptions["attempts"]> {
  return { ...counts, ...(longest === undefined ? {} : { longest: milliseconds(longest) }) };
}

function path(directory: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : resolve(directory, text);
}

function logFile(directory: string, text: string | undefined): string | undefined {
  return text === "-" ? text : path(directory, text);
}

function duration(text: string | undefined): number | undefined {
  return text === undefined ? undefined : milliseconds(text);
}

type Loose = { readonly [K in keyof RegistryOptions]: RegistryOptions[K] | undefined };

function compact(options: Loose): RegistryOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
