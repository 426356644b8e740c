// Overlay options: order, escaping, the page limit of the old call.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { overlayData, overlayOptions } from "./overlay-plan.ts";

test("overlayOptions: topmost layer first, then upper and work", () => {
  const keys = overlayOptions({ kind: "overlay", lower: ["/top", "/base"], upper: "/u", work: "/w", volatile: true });
  assert.deepEqual(
    keys.map(({ key, value }) => `${key}=${value ?? ""}`),
    [
      ...["lowerdir+=/top", "lowerdir+=/base", "upperdir=/u", "workdir=/w"],
      // Whatever the kernel's defaults: a diff reads the upper directory alone.
      ...["redirect_dir=off", "metacopy=off", "volatile="],
    ],
  );
});

test("overlayOptions: only layers when read-only", () => {
  assert.deepEqual(
    overlayOptions({ kind: "overlay", lower: ["/a", "/b"], volatile: true }).map(({ key }) => key),
    ["lowerdir+", "lowerdir+"],
  );
});

test("overlayData: characters that mean something are escaped", () => {
  const data = overlayData({ kind: "overlay", lower: ["/a:b", "/c,d\\"], upper: "/u,x:y", work: "/w" });
  assert.equal(data, "lowerdir=/a\\:b:/c\\,d\\\\,upperdir=/u\\,x:y,workdir=/w,redirect_dir=off,metacopy=off");
});

test("overlayData: unsupported when it does not fit a page", () => {
  const lower = Array.from({ length: 128 }, (_, i) => `/snapshots/${String(i).padStart(64, "0")}/fs`);
  assert.throws(
    () => overlayData({ kind: "overlay", lower }),
    (error) => isTeuError(error, "unsupported"),
  );
});
