// login and logout: credentials are tried before they are stored where Docker and Podman look for them.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import type { ImageContext } from "./context.ts";
import type { LoginResult, LogoutResult, RegistryAccess } from "./images.ts";
import { credentialStore, registryClient } from "./registry-client.ts";

/** What Docker Hub is called in references. */
const HUB = "docker.io";

/** See `Images.login`. */
export async function login(
  scope: Scope,
  context: ImageContext,
  registry: string,
  credentials: { readonly username: string; readonly password: string },
  access: Pick<RegistryAccess, "insecure" | "certDirectory">,
): Promise<LoginResult> {
  const host = hostOf(registry);
  await using client = registryClient(context, { ...access, credentials, offline: true }, host);
  const identityToken = await client.ping(scope, host);
  const kept = identityToken === null ? credentials : { identityToken };
  const stored = await credentialStore(context).store(scope, host, kept);
  return { registry: host, stored, token: identityToken !== null };
}

/** See `Images.logout`. */
export async function logout(scope: Scope, context: ImageContext, registry: string): Promise<LogoutResult> {
  const host = hostOf(registry);
  return { registry: host, removed: await credentialStore(context).erase(scope, host) };
}

/** "https://registry.example/v2/" as people paste it, or a bare host. */
function hostOf(text: string): string {
  const host = text.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  if (host === "" || host === "index.docker.io" || host === "registry-1.docker.io") return HUB;
  if (/^[A-Za-z0-9.[\]:-]+$/.test(host)) return host;
  throw new TeuError({
    code: "invalid",
    op: "read registry",
    subject: text,
    message: "want a host with an optional port",
  });
}
