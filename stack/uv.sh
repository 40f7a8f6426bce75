#!/bin/sh
# uv, told what pip was told. uv does not read pip's configuration, so a machine that reaches its
# packages through an index, a proxy's certificate or a folder of wheels names them for pip alone.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=$root/.venv/bin/python

options=$("$python" -m pip config list 2>/dev/null || true)

# Print the value of a pip option; the environment wins over files, as it does in pip.
asked() {
    echo "$options" | sed -n \
        -e "s/^:env:\.$1='\(.*\)'\$/0 \1/p" \
        -e "s/^install\.$1='\(.*\)'\$/1 \1/p" \
        -e "s/^global\.$1='\(.*\)'\$/2 \1/p" | sort -s -k1,1n | sed -n '1s/^[0-9] //p' |
        sed 's/\\n/ /g'
}

# Set a variable of uv's from an option of pip's, unless the user set it.
follow() {
    eval "current=\${$1:-}"
    [ -n "$current" ] && return
    value=$(asked "$2")
    [ -z "$value" ] || export "$1=$value"
}

follow SSL_CERT_FILE cert
follow UV_HTTP_TIMEOUT default-timeout
[ -n "${UV_INDEX_URL:-}" ] || follow UV_DEFAULT_INDEX index-url
[ -n "${UV_EXTRA_INDEX_URL:-}" ] || follow UV_INDEX extra-index-url
follow UV_INSECURE_HOST trusted-host
if [ -z "${UV_FIND_LINKS:-}" ]; then
    links=$(asked find-links)
    UV_FIND_LINKS=$(echo "$links" | tr -s ' ' ',' | sed 's/^,//; s/,$//')
    [ -z "$UV_FIND_LINKS" ] || export UV_FIND_LINKS
fi
[ "$(asked no-index)" = "1" ] && export UV_NO_INDEX=1

cache=${UV_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/uv}
mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || export UV_NO_CACHE=1

exec "$root/.venv/bin/uv" "$@"
