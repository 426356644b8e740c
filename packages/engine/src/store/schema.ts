// The tables of teu.db, as a list of migrations: entry N brings user_version from N to N+1. Entries are never changed, only added.
// JSON columns hold values whose shape belongs to one TypeScript type; what is searched or must be unique has a column of its own.

/** SQL scripts in order; the schema's version is their number. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE layer (
    chain_id    TEXT PRIMARY KEY,
    parent      TEXT REFERENCES layer(chain_id),
    diff_id     TEXT NOT NULL,
    blob        TEXT,                       -- JSON descriptor; null: blob not kept
    blob_digest TEXT,
    size        INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX layer_parent ON layer(parent);

  CREATE TABLE workspace (
    key         TEXT PRIMARY KEY,
    parent      TEXT REFERENCES layer(chain_id),
    created_at  INTEGER NOT NULL,
    owner       TEXT                        -- process (owner.ts) that made it for a build step; null: a container's
  ) STRICT;

  CREATE TABLE image (
    id          TEXT PRIMARY KEY,           -- digest of the config
    manifest    TEXT NOT NULL,              -- JSON descriptor
    platform    TEXT NOT NULL,              -- JSON platform
    chain_id    TEXT,                       -- what the layers give when unpacked; null: no layers
    blobs       TEXT NOT NULL,              -- JSON array of digests: manifest, config, layers
    size        INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,           -- from the config
    added_at    INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE image_name (
    name        TEXT PRIMARY KEY,           -- full reference, by tag or by digest
    image_id    TEXT NOT NULL REFERENCES image(id),
    target      TEXT NOT NULL,              -- JSON descriptor of what the name resolved to
    target_digest TEXT NOT NULL,
    tagged_at   INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX image_name_image ON image_name(image_id);

  CREATE TABLE container (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    image_id    TEXT,                       -- no foreign key: a forced rmi leaves it dangling, as Docker does
    chain_id    TEXT,
    auto_remove INTEGER NOT NULL,
    config      TEXT NOT NULL,              -- JSON ContainerConfig
    created_at  INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX container_image ON container(image_id);

  CREATE TABLE network (
    name        TEXT PRIMARY KEY,
    bridge      TEXT NOT NULL,
    subnet      TEXT NOT NULL,
    gateway     TEXT NOT NULL,
    last        INTEGER NOT NULL            -- last allocated address, so that a fresh one is not just now somebody else's
  ) STRICT;
  CREATE TABLE address (
    network     TEXT NOT NULL REFERENCES network(name),
    address     INTEGER NOT NULL,
    container_id TEXT NOT NULL,
    PRIMARY KEY (network, address)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX address_container ON address(network, container_id);
  CREATE TABLE port (
    protocol    TEXT NOT NULL,
    host_port   INTEGER NOT NULL,
    host_ip     TEXT NOT NULL,
    container_port INTEGER NOT NULL,
    container_id TEXT NOT NULL,
    PRIMARY KEY (protocol, host_port, host_ip)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX port_container ON port(container_id);

  CREATE TABLE volume (
    name        TEXT PRIMARY KEY,
    anonymous   INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE lease (
    id          TEXT PRIMARY KEY,
    owner       TEXT NOT NULL,              -- process, see owner.ts
    created_at  INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE lease_item (
    lease_id    TEXT NOT NULL REFERENCES lease(id) ON DELETE CASCADE,
    kind        TEXT NOT NULL,              -- 'blob' or 'layer'
    digest      TEXT NOT NULL,
    touched_at  INTEGER NOT NULL,
    PRIMARY KEY (kind, digest, lease_id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE build_cache (
    key         TEXT PRIMARY KEY,
    chain_id    TEXT,
    value       TEXT NOT NULL,
    used_at     INTEGER NOT NULL
  ) STRICT;
  `,
  `
  ALTER TABLE image ADD COLUMN config TEXT; -- JSON image config, verified; null: read it from the content store
  `,
  `
  ALTER TABLE container ADD COLUMN owner TEXT; -- process (owner.ts) without which nobody wants it; null: it stands for itself
  `,
  `
  CREATE TABLE image_index (
    digest      TEXT PRIMARY KEY,           -- of an index that names stand for
    blobs       TEXT NOT NULL               -- JSON array of digests: what is kept of it beside its images (indexes, attestations)
  ) STRICT;
  CREATE TABLE image_index_member (
    index_digest TEXT NOT NULL REFERENCES image_index(digest) ON DELETE CASCADE,
    image_id    TEXT NOT NULL REFERENCES image(id) ON DELETE CASCADE,
    PRIMARY KEY (index_digest, image_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX image_index_member_image ON image_index_member(image_id);
  `,
];
