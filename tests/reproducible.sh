#!/usr/bin/env bash
# Builds the release twice, in folders and cargo homes of different names, and compares the bytes.
# What of a machine gets into a build is paths of sources in panic messages: they are replaced.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$PWD/.cache/reproducible
cargo_home=${CARGO_HOME:-$HOME/.cargo}
library=$(rustc --print sysroot)/lib/rustlib/src/rust
commit=$(rustc --version --verbose | sed -n 's/^commit-hash: //p')

# build NAME: the snapshot, built in a folder of that name; prints the sum of the binary.
build() {
    local folder=$scratch/$1/source home=$scratch/$1/home
    mkdir -p "$scratch/$1" "$home"
    cp -R "$scratch/snapshot" "$folder"
    ln -s "$cargo_home"/* "$home"
    (
        cd "$folder"
        export CARGO_HOME=$home
        export RUSTFLAGS="--remap-path-prefix=$home=/cargo --remap-path-prefix=$library=/rustc/$commit"
        cargo build --locked --offline --quiet --release --target-dir target >&2
        if grep --quiet --text "$scratch" target/release/sidelight; then
            echo "the build holds the name of its folder" >&2
            return 1
        fi
        sha256sum <target/release/sidelight
    )
}

rm -rf "$scratch"
trap 'rm -rf "$scratch"' EXIT
cargo fetch --locked --quiet
# one for both: whoever edits meanwhile changes neither
mkdir -p "$scratch/snapshot"
git ls-files -z --cached --others --exclude-standard | tar --null --files-from - --create |
    tar --extract --directory "$scratch/snapshot"
one=$(build one)
two=$(build another-folder)
echo "one folder:     $one"
echo "another folder: $two"
[[ $one == "$two" ]]
