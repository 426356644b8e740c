// A registry client with this engine's credentials and rules; and what it tells while it works, in our words.

import { CredentialStore } from "@teu/distribution/client/credentials";
import type { TransferEvent, TransferProgress } from "@teu/distribution/client/progress";
import { readRegistriesConf, type RegistriesConf, registriesFiles } from "@teu/distribution/client/registries-conf";
import type { RegistryClient } from "@teu/distribution/client/registry-client";
import { DiskUploadJournal } from "@teu/distribution/client/upload-journal";
import { userClient, userCredentials } from "@teu/distribution/client/user-client";
import type { PolicyChoice } from "@teu/distribution/signing/policy/policy-gate";

import type { ImageContext } from "./context.ts";
import type { ImageProgress, RegistryAccess } from "./images.ts";

/** Where credentials are read and written. */
export function credentialStore(context: ImageContext): CredentialStore {
  const named = context.options.credentialsFile;
  return named === undefined ? userCredentials(process.env) : new CredentialStore([named]);
}

/** What this machine's registries.conf says. */
export function registriesConf(): Promise<RegistriesConf> {
  return readRegistriesConf(registriesFiles(process.env));
}

/** Which signature policy is for pulls. */
export function policyChoice({ options: { signaturePolicy: file } }: ImageContext): PolicyChoice {
  return { home: process.env["HOME"], ...(file === undefined ? {} : { file }) };
}

/** A client. The caller disposes it. `domain`: the only registry that `access` speaks of; `offline`: see `CredentialSource`. */
export function registryClient(
  context: ImageContext,
  access: RegistryAccess & { readonly offline?: boolean },
  domain: string,
): RegistryClient {
  const insecure = (host: string) => access.insecure === true && host === domain;
  const { certDirectory, credentials } = access;
  return userClient(process.env, {
    credentials:
      credentials === undefined
        ? credentialStore(context)
        : {
            find: async (_scope, host) => (host === domain ? credentials : null),
            ...(access.offline === true ? { offline: true } : {}),
          },
    insecure,
    uploads: new DiskUploadJournal(context.paths.uploads),
    ...(certDirectory === undefined
      ? {}
      : { certificateDirectory: (host) => (host === domain ? certDirectory : undefined) }),
  });
}

/** Passes a transfer's events on. */
export function transferProgress(
  direction: "download" | "upload",
  report: ((event: ImageProgress) => void) | undefined,
): TransferProgress | undefined {
  if (report === undefined) return undefined;
  return (event: TransferEvent) => {
    if (event.kind === "resolved") return report({ kind: "resolve", id: event.digest });
    if (event.kind === "present" || event.kind === "mounted")
      return report({ kind: "exists", id: event.digest, total: event.size });
    const current = "offset" in event ? event.offset : event.size;
    report({ kind: direction, id: event.digest, current, total: event.size });
  };
}
