# Sets up the virtual environment in .venv; sourced by ./demo, ./check and ./bench.
# shellcheck shell=sh

say() { printf '%s\n' "$*" >&2; }

is_root() { [ "$(id -u)" = 0 ]; }

on_debian() { command -v apt-get >/dev/null 2>&1; }

# Installs Debian packages when root, else tells the one line to run. Fails when they are missing.
need_packages() {
    if is_root && on_debian; then
        say "installing $*"
        # No service is to start by itself: the tests start what they need, on free ports.
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null 2>&1 || {
            apt-get update -q >/dev/null
            DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null
        }
    else
        say "missing: $*; as root, run: apt-get install $*"
        return 1
    fi
}

# Prints the python3 to use: 3.11 or newer.
find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

# have_environment SET: an environment with the locked packages of requirements/SET.txt and this project.
have_environment() {
    python=$(find_python) || need_packages python3 || exit 1
    python=$(find_python) || { say "python3 is older than 3.11; install a newer one"; exit 1; }
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv || exit 1

    wanted=$(cat pyproject.toml requirements/build.txt "requirements/$1.txt" | cksum)
    if [ "$(cat ".venv/.installed-$1" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    say "setting up .venv ($1)"
    [ -x .venv/bin/python ] || "$python" -m venv .venv || exit 1
    pip="python -m pip --disable-pip-version-check install --quiet --no-deps"
    # Byte-compiled at once: the first start would otherwise pay for it, and a read-only install at every start.
    .venv/bin/$pip --compile --require-hashes -r requirements/build.txt -r "requirements/$1.txt" || exit 1
    .venv/bin/$pip --no-build-isolation --editable . || exit 1
    .venv/bin/python -m compileall -q maildaemon
    printf '%s\n' "$wanted" >".venv/.installed-$1"
}
