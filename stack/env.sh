#!/bin/sh
# Make .env of .env.example, with a random value for each secret that stands empty there. What .env
# says already stays, so running this again after an upgrade adds only what is new.
set -eu
cd "$(dirname "$0")/.."
umask 077

random() {
    head -c 32 /dev/urandom | base64 | tr '+/' '-_'
}

new=$(mktemp .env.XXXXXX)
trap 'rm -f "$new"' EXIT
[ ! -f .env ] || cat .env >"$new"
while IFS= read -r line; do
    case $line in
    '' | '#'*) [ -f .env ] || echo "$line" ;;
    *)
        grep -q "^${line%%=*}=." "$new" && continue
        case $line in
        *=) echo "$line$(random)" ;;
        *) echo "$line" ;;
        esac
        ;;
    esac
done <.env.example >"$new.more"
# An empty line of an older .env must not come after the value made for it.
{ grep -v '^[A-Za-z_0-9]*=$' "$new" || true; cat "$new.more"; } >"$new.all"
rm -f "$new.more"
mv "$new.all" .env
echo "wrote $(pwd)/.env, readable by you alone"
