// Memory to read files into. It begins where a page does: what Node gets from malloc lies 16 bytes behind that, and then the kernel's copy
// takes five times as long on some processors (native/node/src/read_buffer.rs).

import { filesAddon } from "./addon.ts";

const PAGE = 4096;
/** Below this, the copy is a small part of what a read costs, and a page more a large one of the memory. */
const LEAST = 64 << 10;

/** New memory, not zeroed and not from Node's pool. @throws TeuError `unavailable` without the addon. */
export function readBuffer(length: number): Buffer {
  if (length < LEAST) return Buffer.allocUnsafeSlow(length);
  const memory = Buffer.allocUnsafeSlow(length + PAGE);
  const at = (PAGE - filesAddon().pageOffset(memory)) % PAGE;
  return memory.subarray(at, at + length);
}
