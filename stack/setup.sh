#!/bin/sh
# Make .venv, install the pinned packages and Mela itself, fetch the jars. Does nothing when all of
# that is in place. Run by `make setup`.
set -eu
cd "$(dirname "$0")/.."
UV=0.13.8
stamp=.venv/mela-setup

fail() {
    echo "make setup: $1" >&2
    exit 1
}

is_311() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1
}

find_python() {
    for name in "${PYTHON:-python3.11}" python3.11 python3 /usr/bin/python3.11; do
        if is_311 "$name"; then
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    fail "expected Python 3.11 as python3.11 or python3 on PATH, but found none; install it (Debian 12: \`apt install python3.11\`; elsewhere pyenv or uv bring it), or name it: make setup PYTHON=/path/to/python3.11"
}

# Debian splits ensurepip off into python3.11-venv; pip can fill an empty environment without it.
make_environment() {
    python=$(find_python)
    echo "making .venv with $python"
    rm -rf .venv
    if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        "$python" -m venv .venv
    elif "$python" -m venv --without-pip .venv 2>/dev/null &&
        "$python" -m pip --python .venv/bin/python install --quiet pip; then
        :
    else
        rm -rf .venv
        fail "$python has neither ensurepip nor pip, so it cannot make .venv; install them (Debian: \`apt install python3.11-venv\`), then run the same command again"
    fi
}

wanted() {
    cat requirements/runtime.txt requirements/dev.txt pyproject.toml stack/jars.sha256 stack/setup.sh |
        sha256sum
    pwd # the environment knows its clone by its path
}

if is_311 .venv/bin/python && [ -f $stamp ] && [ "$(cat $stamp)" = "$(wanted)" ]; then
    exit 0
fi
command -v sha256sum >/dev/null || fail "sha256sum is missing; install coreutils"
is_311 .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1 || make_environment
if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$UV" ]; then
    .venv/bin/python -m pip install --quiet "uv==$UV" ||
        fail "pip could not install uv $UV; check that this machine reaches its package index (\`pip config list\` shows which)"
fi
echo "installing the packages that requirements/dev.txt pins"
sh stack/uv.sh pip install --python .venv/bin/python --compile-bytecode -r requirements/dev.txt ||
    fail "the pinned packages could not be installed; the lines above say which and why"
sh stack/uv.sh pip install --quiet --python .venv/bin/python --no-deps -e . ||
    fail "Mela itself could not be installed; the lines above say why"
echo "fetching the jars of Kafka and of Spark's connector"
.venv/bin/python -m stack.fetch || fail "the jars could not be fetched; the lines above say why"
wanted >$stamp
