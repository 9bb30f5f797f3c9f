#!/bin/sh
# Print the first Python on PATH that the project supports and that can make a virtual environment.
# A candidate counts only when it runs: version managers leave stubs on PATH that do not.
set -u

supported='import sys; raise SystemExit(not (3, 11) <= sys.version_info < (3, 15))'
unequipped=''
for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    "$candidate" -c "$supported" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        echo "$candidate"
        exit 0
    fi
    [ -n "$unequipped" ] || unequipped=$candidate
done

if [ -n "$unequipped" ]; then
    version=$("$unequipped" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "Found $unequipped ($version), but it cannot make a virtual environment: the module" >&2
    echo "ensurepip is missing. On Debian and Ubuntu: apt install python$version-venv" >&2
else
    echo "No Python 3.11 to 3.14 found: tried python3, python3.14 to python3.11, and python." >&2
    echo "Install one, or name it: make PYTHON=/path/to/python3 ..." >&2
fi
exit 1
