// The platform of a build and the arguments that every Dockerfile gets from it.

import { TeuError } from "@teu/base/errors";
import type { Platform } from "@teu/specs/image";

/** Go's names of processor architectures, as images use them. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  arm: "arm",
  ia32: "386",
  riscv64: "riscv64",
  ppc64: "ppc64le",
  s390x: "s390x",
  loong64: "loong64",
};

/** This host. */
export function hostPlatform(): Platform {
  return { os: "linux", architecture: ARCHITECTURES[process.arch] ?? process.arch };
}

/** @throws TeuError `invalid` unless "os/arch[/variant]"; `unsupported` for another os than linux. */
export function parsePlatform(text: string): Platform {
  const match = /^([a-z0-9_-]+)\/([a-z0-9_-]+)(?:\/([a-z0-9._-]+))?$/.exec(text.toLowerCase());
  const [, os = "", architecture = "", variant] = match ?? [];
  if (match === null)
    throw new TeuError({
      code: "invalid",
      op: "read platform",
      subject: text,
      message: 'want os/architecture, as in "linux/amd64"',
    });
  if (os !== "linux")
    throw new TeuError({
      code: "unsupported",
      op: "read platform",
      subject: text,
      message: "only linux images can be built",
    });
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** "linux/arm64/v8" */
export function platformText(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter((part) => part !== undefined).join("/");
}

/** BUILDPLATFORM, TARGETARCH and the rest. */
export function platformArguments(build: Platform, target: Platform, stage: string): ReadonlyMap<string, string> {
  return new Map([
    ["BUILDPLATFORM", platformText(build)],
    ["BUILDOS", build.os],
    ["BUILDOSVERSION", ""],
    ["BUILDARCH", build.architecture],
    ["BUILDVARIANT", build.variant ?? ""],
    ["TARGETPLATFORM", platformText(target)],
    ["TARGETOS", target.os],
    ["TARGETOSVERSION", ""],
    ["TARGETARCH", target.architecture],
    ["TARGETVARIANT", target.variant ?? ""],
    ["TARGETSTAGE", stage],
  ]);
}
