// The context of examples/hello-base: a root file system of the static busybox and links to it under the names of its applets.

import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const EXAMPLES = join(import.meta.dirname, "../../examples");
const BUSYBOX = "/bin/busybox";

/** Writes Dockerfile and rootfs/ into `context` (made by the caller); returns the number of applets. */
export function writeBaseContext(context: string): number {
  if (!existsSync(BUSYBOX)) throw new Error(`${BUSYBOX} is missing: apt-get install busybox-static`);
  const rootfs = join(context, "rootfs");
  for (const dir of ["bin", "etc", "tmp", "root", "home"]) mkdirSync(join(rootfs, dir), { recursive: true });
  copyFileSync(BUSYBOX, join(rootfs, "bin/busybox"));
  const applets = execFileSync(BUSYBOX, ["--list"], { encoding: "utf8" })
    .split("\n")
    .filter((name) => name !== "" && name !== "busybox");
  for (const applet of applets) symlinkSync("busybox", join(rootfs, "bin", applet));
  writeFileSync(join(rootfs, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000:guest:/home:/bin/sh\n");
  writeFileSync(join(rootfs, "etc/group"), "root:x:0:\nguest:x:1000:\n");
  cpSync(join(EXAMPLES, "hello-base/Dockerfile"), join(context, "Dockerfile"));
  return applets.length;
}
