// Paths of the distribution API (distribution-spec, "Endpoints"): matched by the server, made by the client.
// Names contain slashes, so a path is read from its end; whether name, tag and digest are well-formed is the caller's check.

/** What a path under /v2/ asks for; the parts are raw text, percent-decoded where a client may encode them. */
export type Route =
  | { readonly kind: "ping" }
  | { readonly kind: "catalog" }
  | { readonly kind: "extensions" }
  | { readonly kind: "tags"; readonly repository: string }
  | { readonly kind: "manifest"; readonly repository: string; readonly reference: string }
  | { readonly kind: "blob"; readonly repository: string; readonly digest: string }
  | { readonly kind: "referrers"; readonly repository: string; readonly digest: string }
  | { readonly kind: "uploads"; readonly repository: string }
  | { readonly kind: "upload"; readonly repository: string; readonly id: string };

/** The ping path, beginning of all others. */
export const API_ROOT = "/v2/";

const FIXED: Readonly<Record<string, Route>> = {
  "/v2/": { kind: "ping" },
  "/v2": { kind: "ping" },
  "/v2/_catalog": { kind: "catalog" },
  "/v2/_oci/ext/discover": { kind: "extensions" },
};

/** The route of a path without query; null when there is none. */
export function matchRoute(path: string): Route | null {
  const fixed = FIXED[path];
  if (fixed !== undefined) return fixed;
  if (!path.startsWith(API_ROOT)) return null;
  const lastSlash = path.lastIndexOf("/");
  const last = path.slice(lastSlash + 1);
  const verbSlash = path.lastIndexOf("/", lastSlash - 1);
  if (verbSlash < API_ROOT.length) return null;
  const verb = path.slice(verbSlash + 1, lastSlash);
  const repository = path.slice(API_ROOT.length, verbSlash);
  if (verb === "manifests") return withText(last, (reference) => ({ kind: "manifest", repository, reference }));
  if (verb === "referrers") return withText(last, (digest) => ({ kind: "referrers", repository, digest }));
  if (verb === "tags" && last === "list") return { kind: "tags", repository };
  // "uploads" is no digest: POST .../blobs/uploads without the slash means the same as with it.
  if (verb === "blobs" && last === "uploads") return { kind: "uploads", repository };
  if (verb === "blobs") return withText(last, (digest) => ({ kind: "blob", repository, digest }));
  if (verb === "uploads" && repository.endsWith("/blobs")) {
    const owner = repository.slice(0, -"/blobs".length);
    return last === "" ? { kind: "uploads", repository: owner } : { kind: "upload", repository: owner, id: last };
  }
  return null;
}

/** `/v2/NAME/manifests/REFERENCE`. */
export function manifestPath(repository: string, reference: string): string {
  return `${API_ROOT}${repository}/manifests/${reference}`;
}

/** `/v2/NAME/blobs/DIGEST`. */
export function blobPath(repository: string, digest: string): string {
  return `${API_ROOT}${repository}/blobs/${digest}`;
}

/** `/v2/NAME/blobs/uploads/`. */
export function uploadsPath(repository: string): string {
  return `${API_ROOT}${repository}/blobs/uploads/`;
}

/** `/v2/NAME/blobs/uploads/ID`. */
export function uploadPath(repository: string, id: string): string {
  return `${API_ROOT}${repository}/blobs/uploads/${id}`;
}

/** `/v2/NAME/tags/list`. */
export function tagsPath(repository: string): string {
  return `${API_ROOT}${repository}/tags/list`;
}

/** `/v2/NAME/referrers/DIGEST`. */
export function referrersPath(repository: string, digest: string): string {
  return `${API_ROOT}${repository}/referrers/${digest}`;
}

// Only the last part is decoded (clients write "sha256%3A..."); a name with "%2f" stays ill-formed, so no name has two spellings.
function withText(text: string, make: (decoded: string) => Route): Route | null {
  if (text === "") return null;
  if (!text.includes("%")) return make(text);
  try {
    return make(decodeURIComponent(text));
  } catch {
    return null;
  }
}
