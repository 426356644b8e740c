import assert from "node:assert/strict";
import { test } from "node:test";

import { parseReference } from "@teu/image/reference";

import { parseSyncTarget, placeOf } from "./sync-target.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

test("placeOf: as skopeo names them, with and without the whole name", () => {
  const cases: readonly [target: string, source: string, scoped: boolean, wanted: string][] = [
    ["docker://localhost:5000", "quay.io/coreos/etcd:v3", false, "docker://localhost:5000/etcd:v3"],
    ["docker://localhost:5000/m/", "quay.io/coreos/etcd:v3", true, "docker://localhost:5000/m/quay.io/coreos/etcd:v3"],
    ["localhost:5000/m", "localhost:5001/app:v1", true, "docker://localhost:5000/m/localhost-5001/app:v1"],
    ["localhost:5000/m", `busybox@${DIGEST}`, false, `docker://localhost:5000/m/busybox@${DIGEST}`],
    ["dir:/media/usb", "busybox:1-glibc", false, "dir:/media/usb/busybox:1-glibc"],
    ["dir:/media/usb", "busybox:1-glibc", true, "dir:/media/usb/docker.io/library/busybox:1-glibc"],
    ["oci:layout", "quay.io/coreos/etcd:v3", false, "oci:layout:etcd:v3"],
    ["oci:layout", "quay.io/coreos/etcd:v3", true, "oci:layout:quay.io/coreos/etcd:v3"],
  ];
  for (const [target, source, scoped, wanted] of cases)
    assert.equal(placeOf(parseSyncTarget(target), parseReference(source), scoped).text, wanted);
});

test("parseSyncTarget: places for one image only are refused", () => {
  for (const text of [
    "docker://localhost:5000/app:v1",
    `docker://localhost:5000/app@${DIGEST}`,
    "oci:layout:v1",
    "oci-archive:x.tar",
    "docker-archive:x.tar",
    "containers:x",
    "docker://",
    "dir:",
  ])
    assert.throws(() => parseSyncTarget(text), { code: "invalid" }, text);
});
