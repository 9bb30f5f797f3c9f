#!/usr/bin/env bash
# Install the browser that the tests of pages drive, where there is none and apt-get may do it, and
# say what was done. Where it cannot be installed those tests are skipped by name; so this always
# ends with 0.
set -uo pipefail

for program in "${NEXUS_TEST_BROWSER:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    if [ -n "$program" ] && command -v "$program" >/dev/null; then
        echo "browser: $(command -v "$program") is there already"
        exit 0
    fi
done
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "browser: there is none, and this account cannot install one with apt-get"
    exit 0
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if { apt-get -qq update && apt-get -qq install --yes --no-install-recommends chromium; } \
    >"$log" 2>&1 </dev/null; then
    echo "browser: installed $(command -v chromium)"
else
    echo "browser: chromium could not be installed:"
    tail -n 5 "$log"
fi
exit 0
