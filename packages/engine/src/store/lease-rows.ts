// Rows of leases. The protocol with the collector: a lease names a digest first and looks for the thing second;
// the collector deletes inside a write transaction in which no live lease names it. So either sees the other.

import { randomHex } from "@teu/files/random";

import type { Database } from "./database.ts";
import { ownerAlive, selfOwner } from "./owner.ts";

/** How long an untouched item of a living process counts, milliseconds. */
export const LEASE_TERM: number = 24 * 3600 * 1000;

/** As a blob's digest: every blob that comes to be after this was named. For writers who learn the digest at the end. */
export const EVERY_NEW_BLOB = "*";

/** What a lease can name. */
export type LeaseKind = "blob" | "layer";

/** Opens a lease for this process; returns its id. */
export function addLease(db: Database, now: number): string {
  const id = randomHex(8);
  db.run("INSERT INTO lease(id, owner, created_at) VALUES (?, ?, ?)", id, selfOwner(), Math.trunc(now));
  return id;
}

/** Names things that the lease keeps; again: their term begins anew. */
export function touchLease(
  db: Database,
  lease: string,
  kind: LeaseKind,
  digests: readonly string[],
  now: number,
): void {
  db.transaction(() => {
    for (const digest of digests) {
      db.run(
        `INSERT INTO lease_item(lease_id, kind, digest, touched_at) VALUES (?, ?, ?, ?)
         ON CONFLICT(kind, digest, lease_id) DO UPDATE SET touched_at = excluded.touched_at`,
        lease,
        kind,
        digest,
        Math.trunc(now),
      );
    }
  });
}

/** Takes one thing out of a lease. */
export function dropFromLease(db: Database, lease: string, kind: LeaseKind, digest: string): void {
  db.run("DELETE FROM lease_item WHERE lease_id = ? AND kind = ? AND digest = ?", lease, kind, digest);
}

/** Ends a lease; no error when it is gone. */
export function deleteLease(db: Database, lease: string): void {
  db.run("DELETE FROM lease WHERE id = ?", lease);
}

/** Forgets leases of dead processes and items past their term. Call before counting on `leased`. */
export function expireLeases(db: Database, now: number): void {
  const dead = db.all("SELECT id, owner FROM lease").filter((row) => !ownerAlive(String(row["owner"])));
  db.transaction(() => {
    for (const row of dead) deleteLease(db, String(row["id"]));
    db.run("DELETE FROM lease_item WHERE touched_at < ?", Math.trunc(now - LEASE_TERM));
  });
}

/** From when on new blobs are kept whatever their digest, milliseconds since 1970; null: by no lease. */
export function newBlobsKeptSince(db: Database): number | null {
  const since = db.get(
    "SELECT min(touched_at) AS since FROM lease_item WHERE kind = 'blob' AND digest = ?",
    EVERY_NEW_BLOB,
  )?.["since"];
  return typeof since === "number" ? since : null;
}
