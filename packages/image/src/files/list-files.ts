// The files of an image as a list, wherever the image is.

import { createHash } from "node:crypto";

import type { Scope } from "@teu/base/scope";

import type { ImageValue } from "../values/image-value.ts";
import type { FileFacts } from "./merged-tree.ts";
import { type ContentTaker, readTree, treeFiles } from "./read-tree.ts";

/** A file of an image. */
export interface ImageFile {
  /** "/usr/bin/sh". */
  readonly path: string;
  readonly type: FileFacts["type"];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** Target of a symlink; else "". */
  readonly linkName: string;
  /** The layer it comes from, from 0 at the bottom. */
  readonly layer: number;
}

/** Every file that a container of the image would see, directories before their content, sorted by name. Reads all layers. */
export async function listFiles(scope: Scope, image: ImageValue): Promise<ImageFile[]> {
  const tree = await readTree(scope, image);
  return Array.from(treeFiles(tree), ({ path, node: { facts, layer } }) => {
    const { type, mode, uid, gid, size, linkName } = facts;
    return { path, type, mode, uid, gid, size, linkName, layer };
  });
}

/** Hashes a file's content, holes as zeros; `end` gives hexadecimal sha256. */
export function hashingTaker({ size }: FileFacts): ContentTaker {
  const hash = createHash("sha256");
  let at = 0;
  const fill = (to: number): void => {
    for (; at < to; at += ZEROS.length) hash.update(ZEROS.subarray(0, Math.min(ZEROS.length, to - at)));
    at = to;
  };
  return {
    data: (chunk, offset) => {
      fill(offset);
      hash.update(chunk);
      at += chunk.length;
    },
    end: () => {
      fill(size);
      return hash.digest("hex");
    },
  };
}

const ZEROS = new Uint8Array(64 << 10);
