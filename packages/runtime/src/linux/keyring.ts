// A session keyring of the container's own, session-keyring(7), so that it does not share the caller's keys.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";

/** Possessor: all; owner: view, read, search, link, so that a later exec finds the keyring by its name. */
const PERMISSIONS = 0x3f1b0000;

/** Joins "_ses.ID"; a kernel without keyrings has none to share. */
export function joinKeyring(kernel: Kernel, id: string): void {
  try {
    kernel.process.setKeyPermissions(kernel.process.joinSessionKeyring(`_ses.${id}`), PERMISSIONS);
  } catch (error) {
    if (!isSysError(error, "ENOSYS")) throw error;
  }
}
