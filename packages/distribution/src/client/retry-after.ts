// The Retry-After header (RFC 9110, section 10.2.3).

import type { HttpResponse } from "./http-transport.ts";

/** Seconds to wait; null when the header is missing or malformed. A date in the past is 0. */
export function retryAfterSeconds(response: Pick<HttpResponse, "headers">, now: number = Date.now()): number | null {
  const text = response.headers["retry-after"]?.trim();
  if (text === undefined) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const at = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - now) / 1000));
}
