#!/usr/bin/env bash
# Every check of the project. `all` (default) needs at most 60 minutes on 2 cores; `quick` is
# what needs no download but the crates and takes under 10; `soak` is SOAK_MINUTES (10) of mixed traffic.
# Installs what it needs: Debian's packages as root (else it says what is missing and stops),
# Python environments in .cache/. Goes on after a failure, sums up, exits 1.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

mode=${1:-all}
uv_version=0.13.9
# a suite that hangs must not hang the rest; the slowest takes a fifth of it
suite_limit=20m
export PYTHONDONTWRITEBYTECODE=1 UV_CACHE_DIR=$PWD/.cache/uv-cache UV_PYTHON_DOWNLOADS=never

case $mode in
all | quick | soak) ;;
*)
    echo "usage: tests/run.sh [all|quick|soak]" >&2
    exit 64
    ;;
esac

passed=0
failed=()
report=()

# step NAME COMMAND...: runs it, prints and notes how long it took and whether it passed.
step() {
    local name=$1 began=$SECONDS outcome=ok
    shift
    echo "== $name"
    if "$@"; then
        passed=$((passed + 1))
    else
        outcome=FAILED
        failed+=("$name")
    fi
    report+=("$(printf '%5d s  %-6s  %s' $((SECONDS - began)) "$outcome" "$name")")
    echo "${report[-1]}"
}

# require COMMAND=PACKAGE...: installs packages whose command is missing.
require() {
    local missing=() pair
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    ((${#missing[@]})) || return 0
    if [[ $mode == quick || $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "missing: ${missing[*]} (Debian's names); install them, or run this as root on Debian" >&2
        exit 1
    fi
    install_packages "${missing[@]}"
}

# Installs packages; their services must not start: the suites run servers of their own.
install_packages() {
    local policy=/usr/sbin/policy-rc.d status=0 own=false
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && own=true
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null || status=$?
    if $own; then rm -f $policy; fi
    if ((status)); then
        echo "apt-get could not install: $*" >&2
        exit 1
    fi
}

# environment NAME REQUIREMENTS: a Python environment with exactly these packages, in .cache/venv/NAME.
environment() {
    local folder=.cache/venv/$1 pins=$2 uv
    cmp -s "$pins" "$folder/pins.txt" && return 0
    uv=$(command -v uv) || uv=$PWD/.cache/uv/bin/uv
    if [[ ! -x $uv ]]; then
        python3 -m pip install --quiet --root-user-action ignore --target .cache/uv "uv==$uv_version" || return 1
    fi
    "$uv" venv --quiet --clear --python "$(command -v python3)" "$folder" &&
        "$uv" pip sync --quiet --python "$folder/bin/python" "$pins" &&
        cp "$pins" "$folder/pins.txt"
}

suite() {
    timeout --foreground "$suite_limit" "${@:2}" "tests/e2e/$1.py"
}

course_page() {
    environment course_service tests/e2e/course_service/requirements.txt &&
        suite course_page .cache/venv/course_service/bin/python
}

checks() {
    step "format" cargo fmt --check
    step "clippy" cargo clippy --locked --quiet --all-targets -- -D warnings
    step "rustdoc" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --no-deps --lib
    step "dependencies" python3 tests/dependencies.py
    step "dependencies, self-test" python3 tests/dependencies.py --self-test
    step "cargo test" cargo test --locked --quiet
}

suites() {
    step "release build" cargo build --locked --quiet --release
    step "e2e: the harness itself" suite harness_check python3
    step "e2e: the bundled server, exactly" suite exact python3
    step "e2e: another host" suite outside python3
    step "e2e: faults" suite faults python3
    step "e2e: HTTP conformance" suite conformance python3
    step "e2e: memory" suite memory python3
}

real_programs() {
    step "e2e: the course's service" course_page
    step "e2e: a real Prometheus" suite prometheus python3
}

case $mode in
quick)
    require python3=python3
    checks
    suites
    ;;
all)
    require python3=python3 curl=curl prometheus=prometheus promtool=prometheus
    command -v uv >/dev/null || python3 -m pip --version >/dev/null 2>&1 || require pip3=python3-pip
    checks
    suites
    real_programs
    ;;
soak)
    require python3=python3
    step "release build" cargo build --locked --quiet --release
    suite_limit=0
    step "e2e: memory of peers" suite memory_peers python3
    step "e2e: soak" suite soak python3
    ;;
esac

echo
printf '%s\n' "${report[@]}"
if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[@]}"
fi
echo "$passed passed, ${#failed[@]} failed"
((${#failed[@]} == 0))
