#!/bin/sh
# Compile requirements/*.txt from pyproject.toml: for every platform and supported Python, with
# hashes, and without the address of the index that they happened to be found at.
set -eu
cd "$(dirname "$0")/.."

UV=${UV:-uv}
command -v "$UV" >/dev/null || { echo "make lock needs uv (or UV=/path/to/uv)" >&2; exit 1; }

together=$(mktemp)
trap 'rm -f "$together"' EXIT

# Extras stay: pip looks for a newer coverage[toml] where only coverage is pinned.
compile() {
    "$UV" pip compile --no-config --quiet --universal --python-version 3.11 --upgrade \
        --no-annotate --no-strip-extras --custom-compile-command 'make lock' "$@" >/dev/null
}

# All groups are resolved together first, so that two files never pin two versions of one thing.
compile pyproject.toml --all-extras --group test --group lint --group docs --group bench \
    --output-file "$together"

pin() {
    target=$1
    shift
    rm -f "requirements/$target.txt"
    compile "$@" --constraint "$together" --generate-hashes --output-file "requirements/$target.txt"
    echo "requirements/$target.txt: $(grep -c '==' "requirements/$target.txt") packages"
}

mkdir -p requirements
pin runtime pyproject.toml
pin build --group build
pin test pyproject.toml --all-extras --group test --group build
pin lint --group lint
pin docs --group docs
pin container pyproject.toml --all-extras
pin bench pyproject.toml --all-extras --group bench
