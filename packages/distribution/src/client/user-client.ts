// A registry client as the user's machine is set up: credentials, certificates and proxies where Docker and Podman keep them.

import { certificateDirectories, certificatesIn } from "./certificates.ts";
import { credentialFiles, type CredentialSource, CredentialStore } from "./credentials.ts";
import { RegistryClient } from "./registry-client.ts";

/** What differs from call to call. */
export interface UserClientOptions {
  /** Hosts that may be spoken to without TLS or without a good certificate. */
  readonly insecure: (host: string) => boolean;
  /** Instead of what files and helpers say. */
  readonly credentials?: CredentialSource;
}

/** A client. The caller disposes it. */
export function userClient(
  env: Readonly<Record<string, string | undefined>>,
  { insecure, credentials }: UserClientOptions,
): RegistryClient {
  return new RegistryClient({
    credentials: credentials ?? new CredentialStore(credentialFiles(env)),
    plainHttp: insecure,
    insecure,
    certificates: certificatesIn(certificateDirectories(env)),
    proxyEnv: env,
  });
}
