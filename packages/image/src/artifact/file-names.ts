// Names of files in artifacts (`org.opencontainers.image.title`) and in archives of their directories. Whoever pushed chose them: a name
// that is not plainly a place below a directory is refused, never mended.

import { TeuError } from "@teu/base/errors";

/** The annotation that names a layer's file. */
export const TITLE = "org.opencontainers.image.title";
/** oras: the layer is a packed directory, to be unpacked. */
export const UNPACK = "io.deis.oras.content.unpack";
/** oras: digest of the packed directory's tar, uncompressed. */
export const CONTENT_DIGEST = "io.deis.oras.content.digest";
/** What our own work in a directory is called; no file may be. */
export const WORK_PREFIX = ".teu-artifact-";

const LONGEST = 4095;
const LONGEST_PART = 255;

/** The parts of a name; none for ".". @throws TeuError `invalid` for names that could lead elsewhere. */
export function nameParts(op: string, name: string): readonly string[] {
  const parts = name.split("/");
  // "./a" and a directory's "a/" are how tar writes names.
  if (parts[0] === "." && parts.length > 1) parts.shift();
  if (parts.at(-1) === "" && parts.length > 1) parts.pop();
  const why =
    name === "" || name.includes("\0")
      ? "it is empty or holds a NUL"
      : name.startsWith("/")
        ? "it is absolute"
        : parts.some((part) => part === "..")
          ? "it leads upwards"
          : Buffer.byteLength(name) > LONGEST || parts.some((part) => Buffer.byteLength(part) > LONGEST_PART)
            ? "it is too long"
            : !name.isWellFormed()
              ? "it is not UTF-8"
              : parts.length > 1 && parts.some((part) => part === "" || part === ".")
                ? "it has empty parts"
                : parts.some((part) => part.startsWith(WORK_PREFIX))
                  ? `${WORK_PREFIX}* is not for files`
                  : null;
  if (why === null) return parts.length === 1 && parts[0] === "." ? [] : parts;
  throw new TeuError({
    code: "invalid",
    op,
    subject: JSON.stringify(name.slice(0, 200)),
    message: `file name: ${why}`,
  });
}

/** The target of a symlink at `parts`, when it stays below `top` parts of them. @throws TeuError `invalid`. */
export function checkLinkTarget(op: string, parts: readonly string[], top: number, target: string): string {
  const place = parts.slice(0, -1);
  let isInside = target !== "" && !target.startsWith("/") && !target.includes("\0") && target.isWellFormed();
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") place.push(part);
    else if (place.pop() === undefined || place.length < top) isInside = false;
  }
  if (isInside) return target;
  throw new TeuError({
    code: "invalid",
    op,
    subject: parts.join("/"),
    message: `the symlink leads out of its directory: ${JSON.stringify(target.slice(0, 200))}`,
  });
}
