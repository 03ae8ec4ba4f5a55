#!/usr/bin/env bash
# Tests what needs a framework, each in a virtual environment of its own, as the frameworks exclude one another.
#
#     integrations/check.sh [NAME...]     harbor, openenv, verifiers (these by default), trl, verl
#
# trl and verl bring torch: point pip at a CPU build. A framework that cannot be installed is skipped with the reason;
# harbor needs Python 3.12, which is looked for on the path and where pyenv and uv keep theirs.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export QDKERNEL_CACHE="${QDKERNEL_CACHE:-$work/cache}"

newer_python() {
    local found
    for found in python3 python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3 \
            "$(uv python find 3.12 2>/dev/null)"; do
        if "$found" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            echo "$found"
            return
        fi
    done
    return 1
}

install() {  # name
    local packages=(-e .) own=(hypothesis psutil) python=python3
    case $1 in
        harbor)
            packages=(-e . harbor==0.26.0)
            python=$(newer_python) || { echo "ERROR: no Python 3.12 at hand" >"$work/$1.log"; return; }
            ;;
        openenv | verifiers) packages=(-e . "./integrations/$1") own=() ;;
        trl) packages=(-e ".[rl]" torch trl==1.16.0) ;;
        verl) packages=(-e ".[rl]" torch verl==0.9.1) ;;
    esac
    "$python" -m venv "$work/$1"
    if "$work/$1/bin/python" -m pip install -q pytest "${packages[@]}" "${own[@]}" >"$work/$1.log" 2>&1; then
        touch "$work/$1.installed"
    fi
}

run_tests() {  # name
    local tests=("tests/integrations/test_$1.py")
    [ -d "integrations/$1" ] && tests=(-c /dev/null "integrations/$1/tests")
    "$work/$1/bin/python" -m pytest -q -p no:cacheprovider --rootdir . "${tests[@]}"
}

[ $# -gt 0 ] || set -- harbor openenv verifiers
for name in "$@"; do
    case $name in
        harbor | openenv | verifiers | trl | verl) install "$name" & ;;
        *) echo "integrations: expected harbor, openenv, verifiers, trl or verl, got $name" >&2; exit 1 ;;
    esac
done
wait
for name in "$@"; do
    if [ -e "$work/$name.installed" ]; then
        echo "integrations: $name"
        run_tests "$name"
    else
        echo "integrations: $name is skipped, it cannot be installed here: $(grep -m 1 ERROR "$work/$name.log")"
    fi
done
