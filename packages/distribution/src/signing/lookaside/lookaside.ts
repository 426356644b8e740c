// Signatures that are kept apart from their images ("lookaside"), in a directory or on a web server that knows nothing of registries:
// BASE/REPOSITORY@ALGORITHM=HEX/signature-1, signature-2 ... until there is none.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Scope } from "@teu/base/scope";
import { errnoOf, fileError } from "@teu/files/addon";
import { type Digest, digestAlgorithm, digestEncoded } from "@teu/image/digest";
import type { Reference } from "@teu/image/reference";

import type { RegistryClient } from "../../client/registry-client.ts";
import { readLimitedFile } from "../limited-file.ts";
import { registrySubject } from "../policy/policy-scopes.ts";
import { signingError } from "../signing-error.ts";
import type { LookasideFiles } from "./lookaside-files.ts";
import { type LookasideRules, readRegistriesD } from "./registries-d.ts";

/** Signature `number`, from 1, of an image; null: no more. @throws TeuError `exhausted` for a larger one, `unavailable` and the like. */
export type Lookaside = (scope: Scope, image: Digest, number: number, limit: number) => Promise<Uint8Array | null>;

const OP = "look for signatures";

/** Where the signatures for a reference are. `client` asks web servers. @throws TeuError about the files that say so. */
export async function openLookaside(
  client: RegistryClient,
  reference: Reference,
  files: LookasideFiles,
): Promise<Lookaside> {
  const address = addressFor(await readRegistriesD(files.directories), reference);
  const { repository } = reference;
  // References have no such names; a way out of the directory would be one into other files.
  if (repository.split("/").some((part) => part === "" || part === "." || part === ".."))
    throw signingError("invalid", OP, `${JSON.stringify(repository)} is no repository`);
  const pathOf = (image: Digest, number: number): string =>
    `${repository}@${digestAlgorithm(image)}=${digestEncoded(image)}/signature-${number}`;
  const base = address === null ? null : parseAddress(address);
  if (base !== null && base.protocol !== "file:")
    return async (scope, image, number, limit) => client.webFile(scope, under(base, pathOf(image, number)), limit);
  const directory = base === null ? files.fallback : fileURLToPath(base);
  return async (scope, image, number, limit) => {
    scope.check(OP);
    return directory === null ? null : readSignature(join(directory, pathOf(image, number)), limit);
  };
}

/**
 * The address of the most specific scope that has one; null: none has. As containers/image does it, whatever its manual page says: a
 * scope without an address leaves the question to the next one.
 */
export function addressFor({ scopes, fallback }: LookasideRules, reference: Reference): string | null {
  const said = registrySubject(reference, "").scopes.map((scope) => scopes.get(scope) ?? null);
  return said.find((address) => address !== null) ?? fallback;
}

/** @throws TeuError `invalid` for what is no address of signatures. */
export function parseAddress(address: string): URL {
  const fault = (message: string): Error =>
    signingError("invalid", OP, `the lookaside address ${JSON.stringify(address.slice(0, 300))} ${message}`, {
      hint: "registries.d names it; see containers-registries.d(5)",
    });
  if (!URL.canParse(address) || !/^(?:file:\/\/\/|https?:\/\/)/i.test(address))
    throw fault("is none of file:///DIRECTORY, http:// and https://");
  const url = new URL(address);
  if (url.username !== "" || url.password !== "") throw fault("has a user in it: signatures are public");
  if (url.protocol === "file:" && /%(?:00|2f)/i.test(url.pathname)) throw fault("is no path");
  url.hash = "";
  return url;
}

function under(base: URL, path: string): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, "")}/${path}`;
  return url;
}

async function readSignature(file: string, limit: number): Promise<Uint8Array | null> {
  try {
    // A fifo would wait for a writer.
    if ((await stat(file)).isFile()) return await readLimitedFile(file, limit);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return null;
    throw fileError(OP, file, error);
  }
  throw signingError("invalid", OP, `${file} is not a regular file`);
}
