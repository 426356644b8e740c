// Schemas of the image-spec documents, the source of src/gen/image.js (tools/gen-specs.ts). Used at development time only.
// The TypeScript types in src/image.ts are written out for the reader; types.test.ts proves that both say the same.

import { Type } from "typebox";

const int64 = { minimum: 0, maximum: 2 ** 63 };
const strings = Type.Array(Type.String());
const stringMap = Type.Record(Type.String(), Type.String());

// image-spec, descriptor.md "Digests": unknown algorithms pass when they fit the grammar, known ones have their own lengths.
const digest = Type.String({
  pattern:
    "^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}|blake3:[a-f0-9]{64}|(?!sha256:|sha512:|blake3:)[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+)$",
});
const mediaType = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$",
});

const platformFields = {
  architecture: Type.String(),
  os: Type.String(),
  "os.version": Type.Optional(Type.String()),
  "os.features": Type.Optional(strings),
  variant: Type.Optional(Type.String()),
};

const Platform = Type.Object(platformFields);

/** Reference to content. */
export const Descriptor = Type.Object({
  mediaType,
  digest,
  size: Type.Integer(int64),
  urls: Type.Optional(strings),
  annotations: Type.Optional(stringMap),
  data: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9+/]*={0,2}$" })),
  artifactType: Type.Optional(mediaType),
  platform: Type.Optional(Platform),
});

/** Manifest of one image; Docker schema 2 has the same shape. */
export const ImageManifest = Type.Object({
  schemaVersion: Type.Literal(2),
  mediaType: Type.Optional(
    Type.String({
      pattern: "^application/vnd\\.(?:oci\\.image\\.manifest\\.v1|docker\\.distribution\\.manifest\\.v2)\\+json$",
    }),
  ),
  artifactType: Type.Optional(mediaType),
  config: Descriptor,
  layers: Type.Array(Descriptor),
  subject: Type.Optional(Descriptor),
  annotations: Type.Optional(stringMap),
});

/** List of manifests; Docker's manifest list has the same shape. */
export const ImageIndex = Type.Object({
  schemaVersion: Type.Literal(2),
  mediaType: Type.Optional(
    Type.String({
      pattern: "^application/vnd\\.(?:oci\\.image\\.index\\.v1|docker\\.distribution\\.manifest\\.list\\.v2)\\+json$",
    }),
  ),
  artifactType: Type.Optional(mediaType),
  manifests: Type.Array(Descriptor),
  subject: Type.Optional(Descriptor),
  annotations: Type.Optional(stringMap),
});

const Healthcheck = Type.Object({
  Test: Type.Optional(strings),
  Interval: Type.Optional(Type.Integer()),
  Timeout: Type.Optional(Type.Integer()),
  StartPeriod: Type.Optional(Type.Integer()),
  StartInterval: Type.Optional(Type.Integer()),
  Retries: Type.Optional(Type.Integer()),
});

const ContainerConfig = Type.Object({
  User: Type.Optional(Type.String()),
  ExposedPorts: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  Env: Type.Optional(strings),
  Entrypoint: Type.Optional(strings),
  Cmd: Type.Optional(strings),
  Volumes: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  WorkingDir: Type.Optional(Type.String()),
  Labels: Type.Optional(stringMap),
  StopSignal: Type.Optional(Type.String()),
  ArgsEscaped: Type.Optional(Type.Boolean()),
  Shell: Type.Optional(strings),
  Healthcheck: Type.Optional(Healthcheck),
  OnBuild: Type.Optional(strings),
});

/** Configuration blob. */
export const ImageConfig = Type.Object({
  ...platformFields,
  created: Type.Optional(Type.String()),
  author: Type.Optional(Type.String()),
  config: Type.Optional(ContainerConfig),
  rootfs: Type.Object({ type: Type.Literal("layers"), diff_ids: Type.Array(digest) }),
  history: Type.Optional(
    Type.Array(
      Type.Object({
        created: Type.Optional(Type.String()),
        author: Type.Optional(Type.String()),
        created_by: Type.Optional(Type.String()),
        comment: Type.Optional(Type.String()),
        empty_layer: Type.Optional(Type.Boolean()),
      }),
    ),
  ),
});

/** The file `oci-layout`. */
export const ImageLayout = Type.Object({ imageLayoutVersion: Type.Literal("1.0.0") });
