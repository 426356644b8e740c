// A registry client as the user's machine is set up: credentials, certificates, mirrors, rules and proxies where Docker, Podman and
// containerd keep them.

import { certificateDirectories, certificatesIn, clientCertificatesIn, type NamedDirectory } from "./certificates.ts";
import { credentialFiles, type CredentialSource, CredentialStore } from "./credentials.ts";
import { endpointsIn, hostsDirectories } from "./hosts-toml.ts";
import { readRegistriesConf, registriesFiles } from "./registries-conf.ts";
import { RegistryClient } from "./registry-client.ts";
import type { UploadJournal } from "./upload-journal.ts";

/** What differs from call to call. */
export interface UserClientOptions {
  /** Hosts that may be spoken to without TLS or without a good certificate. */
  readonly insecure: (host: string) => boolean;
  /** Instead of what files and helpers say. */
  readonly credentials?: CredentialSource;
  /** Directories with certificates for single hosts, instead of those of certs.d. */
  readonly certificateDirectory?: NamedDirectory;
  /** Where unfinished uploads are remembered. */
  readonly uploads?: UploadJournal;
}

/** A client. The caller disposes it. */
export function userClient(
  env: Readonly<Record<string, string | undefined>>,
  { insecure, credentials, certificateDirectory, uploads }: UserClientOptions,
): RegistryClient {
  return new RegistryClient({
    credentials: credentials ?? new CredentialStore(credentialFiles(env)),
    plainHttp: insecure,
    insecure,
    certificates: certificatesIn(certificateDirectories(env), certificateDirectory),
    clientCertificates: clientCertificatesIn(certificateDirectories(env), certificateDirectory),
    endpoints: endpointsIn(hostsDirectories(env)),
    registries: () => readRegistriesConf(registriesFiles(env)),
    proxyEnv: env,
    ...(uploads === undefined ? {} : { uploads }),
  });
}
