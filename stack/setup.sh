#!/bin/sh
# Make .venv, install the pinned packages and Mela itself, fetch the jars. Does nothing when all of
# that is in place. Run by `make setup`.
set -eu
cd "$(dirname "$0")/.."
UV=0.13.8
VERSIONS="3.13 3.12 3.11" # that Mela runs on, newest first; pyproject.toml says the same
stamp=.venv/mela-setup

fail() {
    echo "make setup: $1" >&2
    exit 1
}

version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

# An environment stays as long as Mela runs on its Python, also when a newer one comes to this
# machine; PYTHON asks for another.
is_kept() {
    here=$(version .venv/bin/python) || return 1
    case " $VERSIONS " in *" $here "*) ;; *) return 1 ;; esac
    [ -z "${PYTHON:-}" ] || [ "$(version "$PYTHON")" = "$here" ]
}

# Debian splits ensurepip off into python3-venv; pip can fill an empty environment without it.
make_environment() {
    python=$(UV_VERSION=$UV VERSIONS=$VERSIONS PYTHON=${PYTHON:-} sh stack/python.sh) || exit 1
    echo "making .venv with $python"
    rm -rf .venv
    if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        "$python" -m venv .venv
    else
        "$python" -m venv --without-pip .venv &&
            "$python" -m pip --python .venv/bin/python install --quiet pip
    fi || { rm -rf .venv && fail "$python could not make .venv; the lines above say why"; }
}

wanted() {
    cat requirements/runtime.txt requirements/dev.txt pyproject.toml stack/jars.sha256 stack/setup.sh |
        sha256sum
    pwd # the environment knows its clone by its path
    version .venv/bin/python # a system's upgrade may put another one under it
}

if is_kept && [ -f $stamp ] && [ "$(cat $stamp)" = "$(wanted)" ]; then
    exit 0
fi
command -v sha256sum >/dev/null || fail "sha256sum is missing; install coreutils"
is_kept && .venv/bin/python -m pip --version >/dev/null 2>&1 || make_environment
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
