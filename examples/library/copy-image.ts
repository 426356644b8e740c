// Copies an image between registries: every platform, and the signatures and SBOMs that refer to it. Bytes and digests stay.
//   node examples/library/copy-image.ts IMAGE NEW-IMAGE

import { createScope } from "@teu/base/scope";
import { registrySink, registrySource } from "@teu/distribution/client/registry-image";
import { userClient } from "@teu/distribution/client/user-client";
import { parseReference } from "@teu/image/reference";
import { copyImage } from "@teu/image/transport/copy-image";

const [from, to] = process.argv.slice(2);
if (from === undefined || to === undefined) {
  console.error("usage: node examples/library/copy-image.ts IMAGE NEW-IMAGE");
  process.exit(2);
}
const scope = createScope();

await using client = userClient(process.env);
await using source = registrySource(client, parseReference(from));
await using sink = registrySink(client, parseReference(to));

const { descriptor, documents, referrers } = await copyImage(scope, { source, sink, platform: "all", referrers: true });
console.log(descriptor.digest, `${documents.length} manifests, ${referrers} of them refer to others`);
