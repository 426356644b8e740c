// Signature policies (containers-policy.json(5)) as values.

import type { WantedSigner } from "../trust-in-authorities.ts";

/** Which name a signature has to say the image has. */
export type SignedIdentity =
  | { readonly type: "matchExact" | "matchRepoDigestOrExact" | "matchRepository" }
  | { readonly type: "exactReference"; readonly dockerReference: string }
  | { readonly type: "exactRepository"; readonly dockerRepository: string }
  | { readonly type: "remapIdentity"; readonly prefix: string; readonly signedPrefix: string };

/** A file of keys, or the keys themselves. */
export type KeySource = { readonly path: string } | { readonly data: Buffer };

/** Authorities whose certificates say who has signed. */
export interface AuthoritySource {
  /** "fulcio": valid when a log recorded the signature; "pki": valid now. */
  readonly kind: "fulcio" | "pki";
  readonly roots: KeySource;
  readonly intermediates: KeySource | null;
  readonly signer: WantedSigner;
}

/** Signed with cosign, skopeo or teu. */
export interface SigstoreSigned {
  readonly type: "sigstoreSigned";
  /** Whose certificate the signature has to come with; null: a key decides. */
  readonly authority: AuthoritySource | null;
  /** One of them has to have signed; none when there is an authority. */
  readonly keys: readonly KeySource[];
  /** When there are any, one of these logs has to have recorded it. */
  readonly logs: readonly KeySource[];
  readonly signedIdentity: SignedIdentity;
}

/** Signed with GPG. */
export interface SignedBy {
  readonly type: "signedBy";
  /** Keyrings; one of their keys has to have signed. */
  readonly keys: readonly KeySource[];
  readonly signedIdentity: SignedIdentity;
}

/** What an image has to fulfil. */
export type PolicyRequirement =
  | { readonly type: "insecureAcceptAnything" }
  | { readonly type: "reject" }
  | SigstoreSigned
  | SignedBy
  /** Well-formed, and nothing that can be found out here: never fulfilled. */
  | { readonly type: "unevaluable"; readonly what: string };

/** All of them have to be fulfilled; never empty. */
export type PolicyRequirements = readonly PolicyRequirement[];

/** A policy. */
export interface SignaturePolicy {
  /** The file it is from; for errors. */
  readonly file: string;
  readonly fallback: PolicyRequirements;
  /** By transport, then by scope; "": all of the transport. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, PolicyRequirements>>;
}
