// A registry client as the user's machine is set up: credentials, certificates, mirrors, rules and proxies where Docker, Podman and
// containerd keep them.

import { certificateDirectories, certificatesIn, clientCertificatesIn, type NamedDirectory } from "./certificates.ts";
import { credentialFiles, type CredentialSource, CredentialStore } from "./credentials.ts";
import { endpointsIn, hostsDirectories } from "./hosts-toml.ts";
import { readRegistriesConf, type RegistriesConf, registriesFiles } from "./registries-conf.ts";
import { RegistryClient } from "./registry-client.ts";
import type { UploadJournal } from "./upload-journal.ts";

/** What differs from call to call. */
export interface UserClientOptions {
  /** Hosts that may be spoken to without TLS or without a good certificate, beside this machine. Default: none. */
  readonly insecure?: (host: string) => boolean;
  /** Instead of what files and helpers say. */
  readonly credentials?: CredentialSource;
  /** Directories with certificates for single hosts, instead of those of certs.d. */
  readonly certificateDirectory?: NamedDirectory;
  /** Where unfinished uploads are remembered. */
  readonly uploads?: UploadJournal;
}

/** Credentials where Docker and Podman keep them: in files, and where registries.conf says. */
export function userCredentials(env: Readonly<Record<string, string | undefined>>): CredentialStore {
  return new CredentialStore(
    credentialFiles(env),
    async () => (await readRegistriesConf(registriesFiles(env))).credentialHelpers,
  );
}

/** A client. `env`: variables that say where the files are, `process.env` as a rule. The caller disposes it. */
export function userClient(
  env: Readonly<Record<string, string | undefined>>,
  { insecure = () => false, credentials, certificateDirectory, uploads }: UserClientOptions = {},
): RegistryClient {
  const registries = (): Promise<RegistriesConf> => readRegistriesConf(registriesFiles(env));
  return new RegistryClient({
    credentials: credentials ?? userCredentials(env),
    plainHttp: insecure,
    insecure,
    certificates: certificatesIn(certificateDirectories(env), certificateDirectory),
    clientCertificates: clientCertificatesIn(certificateDirectories(env), certificateDirectory),
    endpoints: endpointsIn(hostsDirectories(env)),
    registries,
    proxyEnv: env,
    ...(uploads === undefined ? {} : { uploads }),
  });
}
