// The index as tables. Written so that PostgreSQL can hold it: no SQLite-only types, names compared as bytes, JSON as text.
// Entry N of MIGRATIONS brings the version from N to N+1. Entries are never changed, only added.
//
//   repository 1-* repository_blob      *-1 blob         which repository has which blob
//   repository 1-* repository_manifest  *-1 manifest     likewise, manifests with what lists show of them
//   repository_manifest 1-* reference                    what a manifest points at: config, layers, manifests
//   repository 1-* tag, tag_change                       where tags point, and where they pointed
//   repository 1-* upload 1-* upload_claim               uploads in progress, and what they are about to become

/** SQL scripts in order. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE repository (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE blob (
    digest      TEXT PRIMARY KEY,
    size        INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    orphaned_at INTEGER                     -- since when no repository has it; null: some has
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blob_orphaned ON blob(orphaned_at) WHERE orphaned_at IS NOT NULL;

  CREATE TABLE repository_blob (
    repository_id INTEGER NOT NULL REFERENCES repository(id),
    digest      TEXT NOT NULL REFERENCES blob(digest),
    linked_at   INTEGER NOT NULL,
    used_at     INTEGER NOT NULL,           -- lease: last asked for, in steps of LEASE_STEP
    PRIMARY KEY (repository_id, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX repository_blob_digest ON repository_blob(digest);
  CREATE INDEX repository_blob_used ON repository_blob(used_at);

  CREATE TABLE manifest (
    digest      TEXT PRIMARY KEY,
    content     BLOB NOT NULL
  ) STRICT;

  CREATE TABLE repository_manifest (
    repository_id INTEGER NOT NULL REFERENCES repository(id),
    digest      TEXT NOT NULL REFERENCES manifest(digest),
    media_type  TEXT NOT NULL,
    size        INTEGER NOT NULL,
    artifact_type TEXT,
    subject     TEXT,
    annotations TEXT,                       -- JSON object
    pushed_at   INTEGER NOT NULL,
    PRIMARY KEY (repository_id, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX repository_manifest_digest ON repository_manifest(digest);
  CREATE INDEX repository_manifest_subject ON repository_manifest(repository_id, subject, digest) WHERE subject IS NOT NULL;

  CREATE TABLE reference (
    repository_id INTEGER NOT NULL,
    manifest    TEXT NOT NULL,
    target      TEXT NOT NULL,
    kind        TEXT NOT NULL,              -- config, layer, manifest
    PRIMARY KEY (repository_id, manifest, target, kind),
    FOREIGN KEY (repository_id, manifest) REFERENCES repository_manifest(repository_id, digest) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX reference_target ON reference(repository_id, target);

  CREATE TABLE tag (
    repository_id INTEGER NOT NULL REFERENCES repository(id),
    name        TEXT NOT NULL,
    digest      TEXT NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, digest) REFERENCES repository_manifest(repository_id, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tag_digest ON tag(repository_id, digest);

  CREATE TABLE tag_change (
    id          INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL REFERENCES repository(id),
    name        TEXT NOT NULL,
    digest      TEXT,                       -- null: the tag was removed
    at          INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX tag_change_name ON tag_change(repository_id, name, id);

  CREATE TABLE upload (
    id          TEXT PRIMARY KEY,
    repository  TEXT NOT NULL,
    algorithm   TEXT,
    created_at  INTEGER NOT NULL,
    used_at     INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX upload_used ON upload(used_at);
  `,
  `
  ALTER TABLE repository_manifest ADD COLUMN deleted_at INTEGER;  -- marked: hidden, and purged after a grace time
  ALTER TABLE repository_manifest ADD COLUMN pulled_at INTEGER;   -- last fetched, in steps
  CREATE INDEX repository_manifest_deleted ON repository_manifest(deleted_at) WHERE deleted_at IS NOT NULL;

  CREATE TABLE upload_claim (               -- blobs whose bytes an upload is just putting in place
    upload      TEXT NOT NULL REFERENCES upload(id) ON DELETE CASCADE,
    digest      TEXT NOT NULL,
    PRIMARY KEY (upload, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX upload_claim_digest ON upload_claim(digest);
  `,
  `
  -- Which registry this is, so that its backup is known from another's. Copies keep it.
  CREATE TABLE registry (id TEXT NOT NULL);
  INSERT INTO registry (id) VALUES (lower(hex(randomblob(16))));
  `,
];

/** A lease is written anew at most this often, milliseconds: reading must not mean writing. */
export const LEASE_STEP = 300_000;
