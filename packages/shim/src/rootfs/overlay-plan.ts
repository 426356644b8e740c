// An overlay mount as data: the options in the order the kernel wants them, and the one string of the old mount call.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import type { RootfsConfig } from "../protocol.ts";

/** The overlay half of `RootfsConfig`. */
export type OverlayConfig = Extract<RootfsConfig, { kind: "overlay" }>;

/** An fsconfig(2) step; a `value` of undefined is a flag. `path`: the value is a path, which may be handed over by descriptor. */
export interface MountOption {
  readonly key: string;
  readonly value?: string;
  readonly path?: boolean;
}

/**
 * What a container changes is read from its upper directory alone, so that must be whole: no renamed directory that is a reference to
 * a lower one, no file whose content stayed in a lower layer. A kernel or a module option may have these on.
 */
const WHOLE_UPPER: readonly MountOption[] = [
  { key: "redirect_dir", value: "off" },
  { key: "metacopy", value: "off" },
];

// mount(2) takes one page of options.
const OLD_DATA_LIMIT = 4095;

/** Options for fsconfig: one `lowerdir+` for each layer, so that their number has no page to fit in (Linux 6.5). */
export function overlayOptions(overlay: OverlayConfig): MountOption[] {
  const options: MountOption[] = overlay.lower.map((value) => ({ key: "lowerdir+", value, path: true }));
  if (overlay.upper !== undefined && overlay.work !== undefined) {
    options.push(
      { key: "upperdir", value: overlay.upper, path: true },
      { key: "workdir", value: overlay.work, path: true },
      ...WHOLE_UPPER,
    );
    if (overlay.volatile === true) options.push({ key: "volatile" });
  }
  return options;
}

/**
 * The same as mount(2) wants it.
 * @throws TeuError `unsupported` when it does not fit into a page.
 */
export function overlayData(overlay: OverlayConfig): string {
  const parts = [`lowerdir=${overlay.lower.map(escapeLower).join(":")}`];
  if (overlay.upper !== undefined && overlay.work !== undefined) {
    parts.push(`upperdir=${escapeOption(overlay.upper)}`, `workdir=${escapeOption(overlay.work)}`);
    parts.push(...WHOLE_UPPER.map(({ key, value }) => `${key}=${value}`));
    if (overlay.volatile === true) parts.push("volatile");
  }
  const data = parts.join(",");
  if (data.length > OLD_DATA_LIMIT) {
    throw new TeuError({
      code: "unsupported",
      op: "mount root file system",
      message: `${overlay.lower.length} layers take ${data.length} bytes of options, this kernel takes ${OLD_DATA_LIMIT}`,
      hint: "Linux 6.5 or newer has no such limit",
    });
  }
  return data;
}

function escapeOption(path: string): string {
  return path.replace(/[\\,]/g, "\\$&");
}

// A colon separates layers.
function escapeLower(path: string): string {
  return path.replace(/[\\,:]/g, "\\$&");
}
