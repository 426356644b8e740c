// Schemas of the JSON bodies of distribution-spec, the source of src/gen/distribution.js. Used at development time only.

import { Type } from "typebox";

/** Body of a failed request. Real registries put anything into `detail`, and some leave `message` out. */
export const ErrorBody = Type.Object({
  errors: Type.Array(
    Type.Object({
      code: Type.String(),
      message: Type.Optional(Type.String()),
      detail: Type.Optional(Type.Unknown()),
    }),
  ),
});

/** Body of `tags/list`. */
export const TagList = Type.Object({ name: Type.String(), tags: Type.Array(Type.String()) });
