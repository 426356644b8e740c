#!/bin/sh
# Brings a fresh checkout to the point where TypeScript of our Node can take over, then runs one of the targets below.
# The only part that runs on whatever Node and npm the machine has. Needs: sh, flock, npm; everything else is set up.
# usage: sh tools/setup.sh demo|build|test|test-unit|mutation|check|bench [arguments of the target]
set -eu

cd "$(dirname "$0")/.."
target=${1:-}
[ $# -gt 0 ] && shift

say() { printf '%s\n' "$*" >&2; }

case $target in
  demo | test | mutation | bench)
    if [ "$(id -u)" != 0 ]; then
      say "npm $(case $target in demo) echo start ;; test) echo test ;; mutation) echo run test:mutation ;; bench) echo run bench ;; esac) needs root:"
      say "  it makes namespaces, cgroups, overlay mounts and network interfaces, and installs Debian packages that are missing."
      say "As another user, npm run test:unit runs every test that needs none of this."
      exit 1
    fi ;;
  build | test-unit | check) ;;
  *) say "usage: sh tools/setup.sh demo|build|test|test-unit|mutation|check|bench"; exit 2 ;;
esac

node=node_modules/.bin/node
mkdir -p .cache

# One set-up at a time. The lock goes with the process, however it ends.
exec 9>.cache/setup.lock
if ! flock -n 9; then
  say "another set-up is running in this checkout: waiting for it"
  flock 9
fi

# npm writes the hidden lock file last: an installation that was interrupted has none, a stale one is older.
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ -n "$(find package-lock.json -newer "$installed")" ]; then
  if ! command -v npm >/dev/null; then
    say "npm is missing: install Node 20 or newer with npm, for example: apt-get install nodejs npm"
    exit 1
  fi
  say "set-up: installing the packages of package-lock.json (our Node 24 is one of them)"
  npm ci --loglevel=error --no-fund --no-audit >&2 || {
    say "npm ci failed. Is the package registry reachable (npm ping)? Run the same command again afterwards."
    exit 1
  }
  touch "$installed"
fi
"$node" -e 'process.exit(process.versions.node.startsWith("24.") ? 0 : 1)' || {
  say "$node is not Node 24: remove node_modules and run this again"
  exit 1
}
PATH=$PWD/node_modules/.bin:$PATH
export PATH

case $target in
  check) ;;
  build) node tools/build.ts build "$@" ;;
  *) node tools/build.ts "$target" ;;
esac
exec 9>&-

case $target in
  build) ;;
  demo) exec node tools/demo.ts "$@" ;;
  test) exec node tools/test.ts "$@" ;;
  test-unit) exec node tools/test.ts --unit "$@" ;;
  mutation) exec node tools/test-mutation.ts "$@" ;;
  check) exec node tools/check.ts "$@" ;;
  bench) exec node tools/bench.ts "$@" ;;
esac
