// The exit code of a command that runs a container, when the container itself has none (docker run's convention).

import { isTeuError } from "@teu/base/errors";

/** The engine failed. */
const ENGINE = 125;

/**
 * 127 when the program was not found, 126 when it could not be executed, else 125.
 * The shim says which in `detail.exitCode`; a runtime's bare text is read as dockerd reads it.
 */
export function exitCodeOf(error: unknown): number {
  if (!isTeuError(error)) return ENGINE;
  const said = error.detail["exitCode"];
  return said === 126 || said === 127 ? said : ENGINE;
}
