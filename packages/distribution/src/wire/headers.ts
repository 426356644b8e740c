// Names of the headers that distribution-spec and its practice add to HTTP, lower case as node:http reads them.

/** Digest of the content of this answer. */
export const CONTENT_DIGEST = "docker-content-digest";
/** De facto sign of a registry: "registry/2.0". */
export const API_VERSION = "docker-distribution-api-version";
/** Id of an upload session. */
export const UPLOAD_UUID = "docker-upload-uuid";
/** Digest of the subject that a pushed manifest was filed under. */
export const OCI_SUBJECT = "oci-subject";
/** Filters a referrers answer went through. */
export const OCI_FILTERS_APPLIED = "oci-filters-applied";
/** Tag accepted with a push by digest. */
export const OCI_TAG = "oci-tag";
/** Least size of all chunks but the last. */
export const OCI_CHUNK_MIN_LENGTH = "oci-chunk-min-length";
