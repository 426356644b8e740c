// A worker that lets "passwd" and "other" of a directory change places for as long as it lives.

import { parentPort, workerData } from "node:worker_threads";

import { RENAME_EXCHANGE } from "@teu/files/constants";
import { renameAt } from "@teu/files/entries";
import { openDirectory } from "@teu/files/open";

using directory = openDirectory(String(workerData));
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is about windows
parentPort?.postMessage("ready");
for (;;) renameAt(directory.fd, "passwd", directory.fd, "other", RENAME_EXCHANGE);
