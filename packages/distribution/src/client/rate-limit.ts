// What a registry says of how many pulls are left (Docker Hub's RateLimit-Limit and RateLimit-Remaining, draft-ietf-httpapi-ratelimit):
// "100;w=21600" and "76;w=21600".

import type { HttpResponse } from "./http-transport.ts";

/** How much may be asked for. */
export interface RateLimit {
  /** Requests in a window; null when only the rest is told. */
  readonly limit: number | null;
  readonly remaining: number;
  /** Seconds; null when it is not told. */
  readonly window: number | null;
}

/** From an answer's headers; null when they say nothing that can be understood. */
export function rateLimitOf(response: Pick<HttpResponse, "headers">): RateLimit | null {
  const remaining = quotaOf(response.headers["ratelimit-remaining"]);
  if (remaining === null) return null;
  const limit = quotaOf(response.headers["ratelimit-limit"]);
  return { limit: limit?.count ?? null, remaining: remaining.count, window: remaining.window ?? limit?.window ?? null };
}

/** Whether it is time to say something: a tenth is left. */
export function isScarce({ limit, remaining }: RateLimit): boolean {
  return remaining <= (limit ?? 100) / 10;
}

/** "5 of 100 pulls are left in a window of 6 h". */
export function rateLimitText({ limit, remaining, window }: RateLimit): string {
  const all = limit === null ? "" : ` of ${limit}`;
  const time = window === null ? "" : ` in a window of ${durationText(window)}`;
  return `${remaining}${all} pulls are left${time}`;
}

function durationText(seconds: number): string {
  if (seconds >= 3600) return `${Math.round(seconds / 3600)} h`;
  return seconds >= 60 ? `${Math.round(seconds / 60)} min` : `${seconds} s`;
}

function quotaOf(header: string | readonly string[] | undefined): { count: number; window: number | null } | null {
  const match = /^\s*(\d{1,9})\s*(?:;\s*w=(\d{1,9})\s*)?$/.exec(typeof header === "string" ? header : "");
  if (match === null) return null;
  return { count: Number(match[1]), window: match[2] === undefined ? null : Number(match[2]) };
}
