#!/bin/sh
# Print the interpreter that .venv is made with: the newest here that Mela runs on and that can make
# an environment. PYTHON names one instead. Where there is none, uv fetches one. Run by setup.sh,
# which says in VERSIONS what Mela runs on, newest first, and in UV_VERSION which uv.
set -eu
newest=${VERSIONS%% *}

fail() {
    echo "make setup: $1" >&2
    exit 1
}

# Answer for an interpreter: its version, whether it can make an environment, where it lies. An
# environment's Python answers for the one that it was made with, as setup may remove the
# environment. Nothing is answered for what is no CPython, or for one without its global lock.
PROBE='
import platform, subprocess, sys, sysconfig
base = getattr(sys, "_base_executable", None) or sys.executable
if base != sys.executable and len(sys.argv) < 2:
    sys.exit(subprocess.call([base, "-c", sys.orig_argv[sys.orig_argv.index("-c") + 1], "base"]))
if platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit(1)
def has(*names):
    try:
        return all([__import__(name) for name in names])
    except ImportError:
        return False
able = "able" if has("venv", "ensurepip") or has("venv", "pip") else "unable"
print("%d.%d" % sys.version_info[:2], able, sys.executable)
'
answer() { [ -x "$1" ] && "$1" -I -c "$PROBE" 2>/dev/null; }

# Where an interpreter of a version may lie, the best place first.
places() {
    echo "${PATH:-}" | tr ':' '\n' | while read -r folder; do
        printf '%s\n' "$folder/python$1" "$folder/python3"
    done
    home=${HOME:-/nonexistent}
    printf '%s\n' "/usr/local/bin/python$1" "/usr/bin/python$1" \
        "${PYENV_ROOT:-$home/.pyenv}/versions/$1".*/bin/python \
        "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$home/.local/share}/uv/python}/cpython-$1".*/bin/python
}

is_supported() { case " $VERSIONS " in *" $1 "*) ;; *) return 1 ;; esac; }
listed=$(echo "$VERSIONS" | sed 's/ \([^ ]*\)$/ or \1/; s/\([0-9]\) \([0-9]\)/\1, \2/g')

if [ -n "${PYTHON:-}" ]; then
    path=$(command -v "$PYTHON") || fail "expected PYTHON to name an interpreter, but there is no $PYTHON"
    said=$(answer "$path") || fail "expected PYTHON to name a CPython with its global lock, but $PYTHON does not answer as one"
    is_supported "${said%% *}" ||
        fail "expected PYTHON to name Python $listed, but $PYTHON is Python ${said%% *}; leave PYTHON out to take the newest that is here"
    case $said in *" unable "*) unable=$said ;; *) echo "${said#* able }" && exit ;; esac
fi

if [ -z "${PYTHON:-}" ]; then
    for version in $VERSIONS; do
        found=$(places "$version" | while read -r path; do
            said=$(answer "$path") || continue
            [ "${said%% *}" = "$version" ] || continue
            echo "$said"
            case $said in *" able "*) break ;; esac
        done)
        able=$(echo "$found" | sed -n 's/^[^ ]* able //p')
        [ -z "$able" ] || { echo "$able" && exit; }
        [ -n "${unable:-}" ] || unable=$(echo "$found" | head -n 1)
    done
fi
if [ -n "${unable:-}" ]; then
    fail "${unable#* unable } has neither ensurepip nor pip, so it cannot make .venv; install them (Debian and Ubuntu: \`apt install python${unable%% *}-venv\`), then run the same command again"
fi

# None is here: ask a uv for one, that of PATH or one that another Python's pip installs.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if command -v uv >/dev/null; then
    uv=uv
elif python3 -m pip install --quiet --target "$work" "uv==$UV_VERSION" >/dev/null 2>&1; then
    uv=$work/bin/uv
elif python3 -m venv "$work" >/dev/null 2>&1 && "$work/bin/python" -m pip install --quiet "uv==$UV_VERSION" >/dev/null 2>&1; then
    uv=$work/bin/uv
else
    uv=
fi
here=$(python3 -c 'import sys; print("python3 is Python %d.%d" % sys.version_info[:2])' 2>/dev/null) || here="there is no python3"
wish="expected one of Python $listed, but $here on PATH and there is none in /usr/bin or of pyenv or uv"
way="install one (Debian 12 and 13, Ubuntu 24.04: \`apt install python3 python3-venv\`; elsewhere: \`pyenv install $newest\` or \`uv python install $newest\`), or name it: make setup PYTHON=/path/to/python$newest"
[ -n "$uv" ] || fail "$wish; there is no uv to fetch it with; $way"
echo "fetching Python $newest with uv, as $here" >&2
"$uv" python install "$newest" >"$work/said" 2>&1 ||
    fail "$wish; uv could not fetch it ($(tail -n 1 "$work/said" | sed 's/^ *//; s/^cause: //')); $way"
"$uv" python find --managed-python "$newest"
