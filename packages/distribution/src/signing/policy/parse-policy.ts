// Reads a policy.json. As strict as containers/image: a name that is not known, a second one, or a wrong type makes the whole file
// unusable, and with it every image.

import { isTeuError, TeuError } from "@teu/base/errors";
import { parseReference } from "@teu/image/reference";

import { signingError } from "../signing-error.ts";
import { type JsonObject, StrictJson } from "../strict-json.ts";
import type {
  AuthoritySource,
  KeySource,
  PolicyRequirement,
  PolicyRequirements,
  SignaturePolicy,
  SignedIdentity,
} from "./policy.ts";
import { hasTagOrDigest } from "./signed-identity.ts";

/** Largest policy that is read. */
export const LARGEST_POLICY: number = 1 << 20;

const SIMPLE_IDENTITIES = ["matchExact", "matchRepoDigestOrExact", "matchRepository"] as const;
/** Reserved by containers/image, and of no meaning anywhere yet. */
const OTHER_KEY_TYPES: ReadonlySet<string> = new Set(["signedByGPGKeys", "X509Certificates", "signedByX509CAs"]);
const DOMAIN = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[a-fA-F0-9:.]+\])(?::[0-9]+)?$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const HOSTNAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?$/;
const PKI_FIELDS: readonly string[] = [
  "caRootsPath",
  "caRootsData",
  "caIntermediatesPath",
  "caIntermediatesData",
  "subjectEmail",
  "subjectHostname",
];
/** Transports whose scopes are paths. */
const OF_FILES: ReadonlySet<string> = new Set(["dir", "oci", "oci-archive"]);

/** @throws TeuError `invalid`, naming the file and what is wrong. */
export function parsePolicy(bytes: Uint8Array, file: string): SignaturePolicy {
  try {
    return new PolicyReader().read(bytes, file);
  } catch (cause) {
    if (!isTeuError(cause)) throw cause;
    throw new TeuError({
      code: "invalid",
      op: "read signature policy",
      subject: file,
      message: cause.what,
      hint: "no image is taken while the policy cannot be read; see containers-policy.json(5)",
    });
  }
}

class PolicyReader {
  readonly #json = new StrictJson("signature policy");

  read(bytes: Uint8Array, file: string): SignaturePolicy {
    const document = this.#json.parse(bytes, LARGEST_POLICY);
    this.#json.onlyFields(document, "it", ["default"], ["transports"]);
    const fallback = this.#requirements(document["default"], "default");
    const transports = new Map<string, ReadonlyMap<string, PolicyRequirements>>();
    const named = document["transports"] === undefined ? {} : this.#json.object(document["transports"], "transports");
    for (const [transport, value] of Object.entries(named)) {
      const scopes = new Map<string, PolicyRequirements>();
      for (const [scope, list] of Object.entries(this.#json.object(value, `transports.${transport}`))) {
        const where = `transports.${transport}[${JSON.stringify(scope)}]`;
        this.#checkScope(transport, scope, where);
        scopes.set(scope, this.#requirements(list, where));
      }
      transports.set(transport, scopes);
    }
    return { file, fallback, transports };
  }

  // What could never match is a mistake of whoever wrote it.
  #checkScope(transport: string, scope: string, where: string): void {
    if (scope === "" || !OF_FILES.has(transport)) return;
    if (!/^(?:\/[^/]+)+$/.test(scope) || /\/\.\.?(?:\/|$)/.test(scope))
      throw this.#json.fault(`${where} must be an absolute path without "." and "..", and not "/"`);
  }

  #requirements(value: unknown, where: string): PolicyRequirements {
    const list = this.#json.array(value, where);
    if (list.length === 0) throw this.#json.fault(`${where} must not be empty`);
    return list.map((one, i) => this.#requirement(this.#json.object(one, `${where}[${i}]`), `${where}[${i}]`));
  }

  #requirement(value: JsonObject, where: string): PolicyRequirement {
    const type = this.#json.text(value["type"], `${where}.type`);
    if (type === "insecureAcceptAnything" || type === "reject") {
      this.#json.onlyFields(value, where, ["type"]);
      return { type };
    }
    if (type === "sigstoreSigned") return this.#sigstoreSigned(value, where);
    if (type === "signedBy") return this.#signedBy(value, where);
    if (type === "signedBaseLayer") {
      this.#json.onlyFields(value, where, ["type", "baseLayerIdentity"]);
      this.#identity(value["baseLayerIdentity"], `${where}.baseLayerIdentity`);
      return { type: "unevaluable", what: "signatures of base layers (signedBaseLayer)" };
    }
    throw this.#json.fault(`${where}.type ${JSON.stringify(type.slice(0, 100))} is not known`);
  }

  #signedBy(value: JsonObject, where: string): PolicyRequirement {
    this.#json.onlyFields(value, where, ["type", "keyType"], ["keyPath", "keyPaths", "keyData", "signedIdentity"]);
    const keyType = this.#json.text(value["keyType"], `${where}.keyType`);
    const keys = this.#keys(value, where, "key", ["keyPath", "keyPaths", "keyData"], true);
    const signedIdentity = this.#identity(value["signedIdentity"], `${where}.signedIdentity`);
    if (keyType === "GPGKeys") return { type: "signedBy", keys, signedIdentity };
    if (!OTHER_KEY_TYPES.has(keyType)) throw this.#json.fault(`${where}.keyType is not known`);
    return { type: "unevaluable", what: `signatures by ${keyType} (signedBy)` };
  }

  #sigstoreSigned(value: JsonObject, where: string): PolicyRequirement {
    const keyNames = ["keyPath", "keyPaths", "keyData", "keyDatas"];
    const logNames = ["rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas"];
    const optional = [...keyNames, ...logNames, "fulcio", "pki", "signedIdentity"];
    this.#json.onlyFields(value, where, ["type"], optional);
    const signedIdentity = this.#identity(value["signedIdentity"], `${where}.signedIdentity`);
    const logs = this.#keys(value, where, "rekorPublicKey", logNames, false);
    const signers = ["fulcio", "pki", ...keyNames].filter((name) => value[name] !== undefined);
    const [name] = signers;
    if (signers.length > 1 && (name === "fulcio" || name === "pki"))
      throw this.#json.fault(`${where} has both ${signers.join(" and ")}`);
    const authority =
      name === "fulcio" || name === "pki" ? this.#authority(value[name], name, `${where}.${name}`) : null;
    // Its certificates are good for minutes: only a log can say that it was in those.
    if (name === "fulcio" && logs.length === 0) throw this.#json.fault(`${where} has fulcio without rekorPublicKey`);
    // containers/image refuses it as well: a certificate that is good now needs no log, and whoever names one expects more.
    if (name === "pki" && logs.length > 0) throw this.#json.fault(`${where} has pki with a rekorPublicKey`);
    const keys = authority === null ? this.#keys(value, where, "key", keyNames, true) : [];
    return { type: "sigstoreSigned", authority, keys, logs, signedIdentity };
  }

  #authority(value: unknown, kind: "fulcio" | "pki", where: string): AuthoritySource {
    const object = this.#json.object(value, where);
    const name = (field: string): string | null => {
      if (object[field] === undefined) return null;
      const text = this.#json.text(object[field], `${where}.${field}`);
      if (text !== "") return text;
      throw this.#json.fault(`${where}.${field} must not be empty`);
    };
    const file = (what: string, needed: boolean): KeySource[] =>
      this.#keys(object, where, what, [`${what}Path`, `${what}Data`], needed);
    if (kind === "fulcio") this.#json.onlyFields(object, where, ["oidcIssuer", "subjectEmail"], ["caPath", "caData"]);
    else this.#json.onlyFields(object, where, [], PKI_FIELDS);
    const [roots] = file(kind === "fulcio" ? "ca" : "caRoots", true);
    const [intermediates] = kind === "fulcio" ? [] : file("caIntermediates", false);
    const signer = { oidcIssuer: name("oidcIssuer"), email: name("subjectEmail"), hostname: name("subjectHostname") };
    if (signer.email === null && signer.hostname === null)
      throw this.#json.fault(`${where} must have subjectEmail or subjectHostname`);
    // A name with a dot in front would be one of any host below it.
    if (signer.hostname !== null && !HOSTNAME.test(signer.hostname))
      throw this.#json.fault(`${where}.subjectHostname is no host`);
    if (roots === undefined) throw this.#json.fault(`${where} has no authority`);
    return { kind, roots, intermediates: intermediates ?? null, signer };
  }

  #keys(value: JsonObject, where: string, what: string, names: readonly string[], needed: boolean): KeySource[] {
    const given = names.filter((name) => value[name] !== undefined);
    const [name] = given;
    if (name === undefined && !needed) return [];
    if (name === undefined || given.length > 1) throw this.#json.fault(`${where} must have one of ${names.join(", ")}`);
    const several = name.endsWith("s");
    const list = several ? this.#json.array(value[name], `${where}.${name}`) : [value[name]];
    if (list.length === 0) throw this.#json.fault(`${where}.${name} must not be empty`);
    return list.map((one): KeySource => {
      if (name.startsWith(`${what}Data`)) return { data: this.#json.base64(one, `${where}.${name}`) };
      const path = this.#json.text(one, `${where}.${name}`);
      if (path.startsWith("/")) return { path };
      // What a relative path means would depend on where somebody stands.
      throw this.#json.fault(`${where}.${name} must be an absolute path`);
    });
  }

  #identity(value: unknown, where: string): SignedIdentity {
    if (value === undefined) return { type: "matchRepoDigestOrExact" };
    const identity = this.#json.object(value, where);
    const type = this.#json.text(identity["type"], `${where}.type`);
    const simple = SIMPLE_IDENTITIES.find((one) => one === type);
    if (simple !== undefined) {
      this.#json.onlyFields(identity, where, ["type"]);
      return { type: simple };
    }
    if (type === "exactReference") {
      this.#json.onlyFields(identity, where, ["type", "dockerReference"]);
      const dockerReference = this.#reference(identity["dockerReference"], `${where}.dockerReference`);
      if (hasTagOrDigest(dockerReference)) return { type, dockerReference };
      throw this.#json.fault(`${where}.dockerReference has neither tag nor digest`);
    }
    if (type === "exactRepository") {
      this.#json.onlyFields(identity, where, ["type", "dockerRepository"]);
      return { type, dockerRepository: this.#reference(identity["dockerRepository"], `${where}.dockerRepository`) };
    }
    if (type === "remapIdentity") {
      this.#json.onlyFields(identity, where, ["type", "prefix", "signedPrefix"]);
      const [prefix, signedPrefix] = ["prefix", "signedPrefix"].map((name) =>
        this.#prefix(identity[name], `${where}.${name}`),
      );
      return { type, prefix: prefix ?? "", signedPrefix: signedPrefix ?? "" };
    }
    throw this.#json.fault(`${where}.type ${JSON.stringify(type.slice(0, 100))} is not known`);
  }

  #reference(value: unknown, where: string): string {
    const text = this.#json.text(value, where);
    try {
      parseReference(text);
      return text;
    } catch (cause) {
      if (!isTeuError(cause)) throw cause;
      throw signingError("invalid", "read signature policy", `${where} is no reference: ${cause.what}`);
    }
  }

  #prefix(value: unknown, where: string): string {
    const text = this.#json.text(value, where);
    const slash = text.indexOf("/");
    const domain = slash < 0 ? text : text.slice(0, slash);
    if (DOMAIN.test(domain) && (slash < 0 || PATH.test(text.slice(slash + 1)))) return text;
    throw this.#json.fault(`${where} is no host, namespace or repository`);
  }
}
