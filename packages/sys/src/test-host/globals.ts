// The few globals of other platforms that portable *tests* use; portable code has none of them, which the type check sees to.
// portable: runs in QuickJS only.

import { monotonicNs, utf8Decode, utf8Encode } from "sys:host";

class TextEncoder {
  encode(text: string): Uint8Array {
    return utf8Encode(text);
  }
}

class TextDecoder {
  decode(bytes: Uint8Array): string {
    return utf8Decode(bytes);
  }
}

Object.assign(globalThis, {
  TextEncoder,
  TextDecoder,
  performance: { now: (): number => Number(monotonicNs()) / 1e6 },
});
