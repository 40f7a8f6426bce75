#!/bin/sh
# Build the web application into web/dist, unless what is there was built from these very sources.
# Run by `make setup`. Types are checked by the tests, as a build need not wait for them.
set -eu
cd "$(dirname "$0")"

fail() {
    echo "web/build.sh: $1" >&2
    exit 1
}

# What the built files follow from, by content: an edit and its undoing build nothing.
sources() {
    find . \( -path ./node_modules -o -path './dist*' -o -name '*.test.ts' -o -name '*.test.tsx' \) -prune -o \
        -type f ! -name README.md -print | LC_ALL=C sort | tr '\n' '\0' | xargs -0 sha256sum | sha256sum
}

now=$(sources)
if [ -f dist/.sources ] && [ "$(cat dist/.sources)" = "$now" ]; then
    exit 0
fi

locked=$(sha256sum <package-lock.json)
if [ ! -f node_modules/.mela-locked ] || [ "$(cat node_modules/.mela-locked)" != "$locked" ]; then
    echo "installing the packages that web/package-lock.json pins"
    sh node.sh npm ci --no-audit --no-fund --loglevel=error ||
        fail "npm could not install the packages; the lines above say why (\`npm config list\` shows which registry it asks)"
    echo "$locked" >node_modules/.mela-locked
fi

echo "building the web application"
# Beside the old one, so that a running API never serves a half of each.
new=dist.$$
old=dist.old.$$
trap 'rm -rf "$new" "$old"' EXIT
sh node.sh vite build --outDir "$new" --logLevel warn || fail "the build failed; the lines above say where"
echo "$now" >"$new/.sources"
[ ! -d dist ] || mv dist "$old"
mv "$new" dist
