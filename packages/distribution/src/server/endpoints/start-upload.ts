// POST /v2/NAME/blobs/uploads/ (end-4a, 4b, 4c, 11): begins an upload, or takes the whole blob, or mounts one from elsewhere.

import { type Digest, digestAlgorithm } from "@teu/image/digest";
import { isRepositoryName } from "@teu/specs/distribution";

import { CONTENT_DIGEST } from "../../wire/headers.ts";
import { blobPath } from "../../wire/routes.ts";
import { appendBody } from "../body-reader.ts";
import type { Exchange } from "../exchange.ts";
import { checkComputableDigest, checkDigest, isComputable } from "../names.ts";
import { problem } from "../problem.ts";
import { sendProgress } from "../upload-answer.ts";
import type { UploadSessions } from "../upload-sessions.ts";

/** Repositories looked at for a mount that names none. */
const MOUNT_CANDIDATES = 50;

/** Begins an upload. */
export async function startUpload(exchange: Exchange, repository: string, sessions: UploadSessions): Promise<void> {
  const { query } = exchange;
  const mount = query.get("mount");
  if (mount !== null) {
    const digest = checkDigest(mount);
    if (await mountBlob(exchange, repository, digest, query.get("from")))
      return sendCreated(exchange, repository, digest);
  }
  const whole = mount === null ? query.get("digest") : null;
  if (whole !== null) return pushWhole(exchange, repository, checkComputableDigest(whole), sessions);
  await using held = await sessions.start(repository, algorithmHint(exchange, mount));
  sendProgress(exchange, held, 202);
}

async function pushWhole(
  exchange: Exchange,
  repository: string,
  digest: Digest,
  sessions: UploadSessions,
): Promise<void> {
  await using held = await sessions.start(repository, digestAlgorithm(digest));
  try {
    await appendBody(exchange.request, held.upload, exchange.context.limits);
  } catch (error) {
    // Nobody was told the session's id: nobody can continue it.
    await sessions.cancel(held);
    throw error;
  }
  const { size } = await sessions.finish(held, digest);
  exchange.happened({ action: "push", repository, digest, size });
  sendCreated(exchange, repository, digest);
}

function algorithmHint(exchange: Exchange, mount: string | null): string | undefined {
  const named = exchange.query.get("digest-algorithm");
  if (named !== null && !isComputable(named)) {
    throw problem(400, "DIGEST_INVALID", "unknown digest algorithm; sha256 and sha512 can be verified here", {
      algorithm: named.slice(0, 64),
    });
  }
  const mounted = mount === null ? undefined : mount.slice(0, mount.indexOf(":"));
  return named ?? (mounted !== undefined && isComputable(mounted) ? mounted : undefined);
}

// A mount that fails, for whatever reason, is answered like one of a blob that does not exist:
// nobody learns from it what private repositories hold.
async function mountBlob(
  exchange: Exchange,
  repository: string,
  digest: Digest,
  from: string | null,
): Promise<boolean> {
  const { access, metadata, scope } = exchange.context;
  if (from !== null && !isRepositoryName(from)) return false;
  const sources = from === null ? await metadata.repositoriesWithBlob(scope, digest, MOUNT_CANDIDATES) : [from];
  for (const source of sources) {
    const decision = await access.decide(scope, exchange.request, { action: "pull", repository: source });
    const blob = decision.allowed ? await metadata.mountBlob(scope, repository, digest, source) : null;
    if (blob === null) continue;
    exchange.happened({ action: "mount", repository, digest, size: blob.size, fromRepository: source });
    return true;
  }
  return false;
}

function sendCreated(exchange: Exchange, repository: string, digest: Digest): void {
  exchange.sendEmpty(201, { location: blobPath(repository, digest), [CONTENT_DIGEST]: digest });
}
