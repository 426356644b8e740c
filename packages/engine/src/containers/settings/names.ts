// Names and ids of containers: checking, and making up those that nobody gave.

import { TeuError } from "@teu/base/errors";

import { randomBelow, randomHex } from "@teu/files/random";

const ADJECTIVES = (
  "agile amber brisk calm candid clever cobalt copper cosmic crisp curious daring deft eager early earnest fabled fair fleet fluent " +
  "fond frosty gentle gilded glad golden grand hardy hazel humble ivory jolly keen kind lively lucid lunar mellow merry mighty misty " +
  "modest nimble noble olive patient placid plucky polite proud quick quiet rapid regal rosy rustic sage serene sharp silver sleek " +
  "snowy solar solid spry steady stellar sunny swift tidal tidy vivid warm wise witty young zesty"
).split(" ");

const NOUNS = (
  "acorn anchor anvil badger beacon birch bison brook canyon cedar comet condor coral cove crane delta dolphin dune ember falcon fern " +
  "finch fjord forge fox garnet geyser glacier glade grove gull harbor hawk heron ibis iris island jasper juniper kestrel lagoon lantern " +
  "lark lemur linden lotus lynx maple marlin marten meadow mesa meteor moss narwhal nebula oak orbit orca osprey otter owl panda " +
  "pebble pelican pine plover prairie quartz quill raven reef river robin sable salmon seal sequoia spruce swan thistle tide tulip " +
  "valley walrus willow wren"
).split(" ");

/** 64 hex digits. Never digits only in its first twelve: such a short id would be taken for a number (a host name must not be one). */
export function newContainerId(): string {
  for (;;) {
    const id = randomHex(32);
    if (/[a-f]/.test(id.slice(0, 12))) return id;
  }
}

/** "brisk_heron"; with a number behind it on later tries. */
export function randomName(attempt: number): string {
  const name = `${ADJECTIVES[randomBelow(ADJECTIVES.length)]}_${NOUNS[randomBelow(NOUNS.length)]}`;
  return attempt < 5 ? name : `${name}${randomBelow(10_000)}`;
}

/** Checks a name; a leading "/" is dropped, as Docker's API writes names with it. @throws TeuError `invalid`. */
export function checkContainerName(text: string): string {
  const name = text.startsWith("/") ? text.slice(1) : text;
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(name)) return name;
  throw new TeuError({
    code: "invalid",
    op: "name container",
    subject: text,
    message: 'want letters, digits, "_", "." or "-", beginning with a letter or digit',
  });
}

/** Checks a host or domain name (RFC 1123, as the kernel's 64 bytes allow). @throws TeuError `invalid`. */
export function checkHostname(text: string): string {
  if (text.length <= 64 && /^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/.test(text)) return text;
  throw new TeuError({
    code: "invalid",
    op: "set hostname",
    subject: text,
    message: "want at most 64 letters, digits, dots and hyphens",
  });
}
