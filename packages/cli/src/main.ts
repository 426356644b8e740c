// Entry point of `teu`. It stays tiny: a start is paid for at every command.
//
// How to bundle: this file as one CommonJS bundle (platform node, format cjs) in which the dynamic imports of command-table.ts become
// `require`s of one CommonJS bundle per file of commands/ (esbuild: each command is an entry point of its own, `supported: {"dynamic-import": false}`,
// imports of "./commands/*.ts" marked external and rewritten to ".cjs"). Heavy packages (engine, builder, registry) then load only with the commands that use
// them. Do not split into ES modules: five chunks start slower than one file.

import { main } from "./start.ts";

main(process.argv.slice(2));
