// The signature policy in front of a copy: by the place that is read. What an engine has came through the policy when it was pulled.

import { realpath } from "node:fs/promises";
import type { PolicyGate } from "@teu/distribution/signing/policy/policy-gate";
import { isDigest } from "@teu/image/digest";
import { parseReference } from "@teu/image/reference";
import { fileError } from "@teu/files/addon";
import type { ImageSource } from "@teu/image/transport/source-and-sink";
import type { CommandContext } from "../command.ts";
import type { PlaceAccess, Places } from "./open-place.ts";
import type { TransportName } from "./transport-name.ts";

/** The gate; undefined when everything is taken. @throws TeuError for a policy that cannot be read. */
export async function copyGate(
  { environment: { home } }: CommandContext,
  { signaturePolicy: file }: { readonly signaturePolicy?: string },
  places: Places,
  name: TransportName,
  access: PlaceAccess,
  source: ImageSource,
): Promise<PolicyGate | undefined> {
  if (name.transport === "containers") return undefined;
  const { policyGate } = await import("@teu/distribution/signing/policy/policy-gate");
  const { daemonSubject, fileSubject, registrySubject } =
    await import("@teu/distribution/signing/policy/policy-scopes");
  const { registryPlace, sourcePlace } = await import("@teu/distribution/signing/signature-place");
  const choice = { home, ...(file === undefined ? {} : { file }) };
  if (name.transport === "docker") {
    const client = await places.client(name.reference.domain, access);
    const { lookasideFiles } = await import("@teu/distribution/signing/lookaside/lookaside-files");
    const place = registryPlace(client, name.reference, lookasideFiles(home));
    return policyGate(choice, registrySubject(name.reference, name.text), place);
  }
  if (name.transport === "docker-daemon") {
    const reference = isDigest(name.image) ? null : parseReference(name.image);
    return policyGate(choice, daemonSubject(reference, name.text), sourcePlace(source));
  }
  // Docker's archives have no scopes (containers-policy.json(5)).
  const path = name.transport === "docker-archive" ? "" : await resolved(name.path);
  return policyGate(choice, fileSubject(name.transport, name.text, path), sourcePlace(source));
}

async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw fileError("read image", path, error);
  }
}
