// Puts a directory on top of an image and pushes the result: no daemon, no root, no Dockerfile. What is on the registry already is
// not downloaded: only the manifest and the config are read.
//   node examples/library/add-layer.ts IMAGE DIRECTORY PLACE-IN-IMAGE NEW-IMAGE

import { tmpdir } from "node:os";

import { createScope } from "@teu/base/scope";
import { registrySink, registrySource } from "@teu/distribution/client/registry-image";
import { userClient } from "@teu/distribution/client/user-client";
import { hostPlatform } from "@teu/image/platform";
import { parseReference } from "@teu/image/reference";
import { changeConfig } from "@teu/image/transforms/change-config";
import { appendLayers } from "@teu/image/transforms/change-layers";
import { copyImage } from "@teu/image/transport/copy-image";
import { directoryLayer } from "@teu/image/values/make-layer";
import { openScratch } from "@teu/image/values/scratch";
import { openValue, valueSourceFrom } from "@teu/image/values/value-source";

const [from, directory, prefix, to] = process.argv.slice(2);
if (from === undefined || directory === undefined || prefix === undefined || to === undefined) {
  console.error("usage: node examples/library/add-layer.ts IMAGE DIRECTORY PLACE-IN-IMAGE NEW-IMAGE");
  process.exit(2);
}
const scope = createScope();

await using client = userClient(process.env);
await using source = registrySource(client, parseReference(from));
await using room = await openScratch(scope, tmpdir());

const image = await openValue(scope, source, hostPlatform());
const layer = directoryLayer(directory, { scratch: room.scratch, prefix, owner: { uid: 0, gid: 0 } });
const changed = image.apply(appendLayers([layer], { created_by: "add-layer" }), changeConfig({ workdir: prefix }));

await using sink = registrySink(client, parseReference(to));
const { descriptor, blobs } = await copyImage(scope, {
  source: valueSourceFrom(changed, source),
  sink,
  platform: "all",
});
console.log(descriptor.digest, `${blobs.copied} uploaded, ${blobs.present + blobs.mounted} there already`);
