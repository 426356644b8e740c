// Lists the files of an image on a registry: no daemon, no root, nothing unpacked, nothing written.
//   node examples/library/list-files.ts IMAGE [PLATFORM]

import { createScope } from "@teu/base/scope";
import { registrySource } from "@teu/distribution/client/registry-image";
import { userClient } from "@teu/distribution/client/user-client";
import { listFiles } from "@teu/image/files/list-files";
import { hostPlatform, parsePlatform } from "@teu/image/platform";
import { parseReference } from "@teu/image/reference";
import { openValue } from "@teu/image/values/value-source";

const [name, platform] = process.argv.slice(2);
if (name === undefined) {
  console.error("usage: node examples/library/list-files.ts IMAGE [PLATFORM]");
  process.exit(2);
}
const scope = createScope();

await using client = userClient(process.env);
await using source = registrySource(client, parseReference(name));
const image = await openValue(scope, source, platform === undefined ? hostPlatform() : parsePlatform(platform));

for (const { path, type, mode, size } of await listFiles(scope, image)) {
  console.log(mode.toString(8).padStart(4, "0"), String(size).padStart(10), type === "directory" ? `${path}/` : path);
}
