// What a schema cannot say of a configuration: keys that exclude or need each other, names that are there twice or nowhere.

import type { RegistryConfig } from "./config-types.ts";
import { ROOT_SCHEMA } from "./json-schema.ts";
import type { Fault } from "./validate.ts";

/** What is wrong with a configuration that fits the schema, or did before the environment had its say. */
export function configFaults(config: RegistryConfig): readonly Fault[] {
  return [...missingParts(config), ...contradictions(config), ...twice(config), ...unknownGroups(config)];
}

function contradictions({ root, memory, rules, users, tokens, tls, proxies = [] }: RegistryConfig): Fault[] {
  const faults: (readonly [when: boolean, path: string, message: string])[] = [
    [(root === undefined) !== (memory === true), "root", "either this or memory: true must be there, and not both"],
    [
      rules !== undefined && users?.anonymousPull === true,
      "users.anonymousPull",
      "is for a registry without rules; write anonymous: [read] there",
    ],
    [tokens !== undefined && users === undefined, "tokens", "needs users: the token server is for them"],
    [
      tls?.clientCertificates !== undefined && tls.clientCa === undefined,
      "tls.clientCertificates",
      "needs tls.clientCa: the authority of those certificates",
    ],
    ...proxies.map(
      ({ username, password, passwordFile }, i) =>
        [
          (username === undefined) !== (password === undefined && passwordFile === undefined) ||
            (password !== undefined && passwordFile !== undefined),
          `proxies[${i}]`,
          "username goes with one of password and passwordFile",
        ] as const,
    ),
  ];
  return faults.filter(([when]) => when).map(([, path, message]) => ({ path, message }));
}

// Which of two would count, nobody could tell.
function twice({ rules = [], proxies = [], webhooks = [] }: RegistryConfig): Fault[] {
  return [
    ...repeated(rules.flatMap(({ repositories }, i) => repositories.map((glob) => [`rules[${i}].repositories`, glob]))),
    ...repeated(proxies.map(({ prefix }, i) => [`proxies[${i}].prefix`, prefix])),
    ...repeated(webhooks.map(({ name }, i) => [`webhooks[${i}].name`, name])),
  ];
}

function repeated(entries: readonly (readonly string[])[]): Fault[] {
  const seen = new Set<string>();
  return entries.flatMap(([path = "", value = ""]) => {
    const isRepeated = seen.has(value);
    seen.add(value);
    return isRepeated ? [{ path, message: `${JSON.stringify(value)} was there before` }] : [];
  });
}

// Tokens of others may name groups of their own.
function unknownGroups({ rules = [], groups = {}, trustedTokens = [] }: RegistryConfig): Fault[] {
  if (trustedTokens.some(({ decides }) => decides === false)) return [];
  return rules.flatMap((rule, i) =>
    Object.keys(rule.groups ?? {})
      .filter((name) => !Object.hasOwn(groups, name))
      .map((name) => ({ path: `rules[${i}].groups.${name}`, message: "is no group: groups has none of that name" })),
  );
}

function missingParts(config: RegistryConfig): Fault[] {
  return Object.entries(ROOT_SCHEMA.properties ?? {}).flatMap(([name, schema]) => {
    const part = config[name as keyof RegistryConfig];
    if (typeof part !== "object" || Array.isArray(part)) return [];
    const missing = (schema.required ?? []).filter((key) => !Object.hasOwn(part, key));
    return missing.map((key) => ({ path: `${name}.${key}`, message: "is missing" }));
  });
}
