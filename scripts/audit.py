"""Ask for known vulnerabilities of the pinned libraries, with pip-audit in its own environment.

Where no index or no service answers that knows them, it says so, and that is no failure.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TOOL = "pip-audit>=2.9,<3"


def main() -> int:
    """Audit each file of pins; give 1 where something is known to be vulnerable."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / "bin"
        made = subprocess.run([programs / "pip", "install", "--quiet", TOOL], check=False)
        if made.returncode != 0:
            print("Not done: no index answers that has pip-audit.")
            return 0
        found = [
            _audit(programs / "pip-audit", pins) for pins in sorted(ROOT.glob("requirements/*.txt"))
        ]
    return int(any(found))


def _audit(tool: Path, pins: Path) -> bool:
    """Audit one file; tell whether something in it is vulnerable."""
    options = ["--disable-pip", "--require-hashes", "--format=json", "--requirement", str(pins)]
    done = subprocess.run([tool, *options], check=False, capture_output=True, text=True)
    try:
        libraries: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"{pins.name}: not done: {done.stderr.strip().splitlines()[-1:] or 'no answer'}")
        return False
    known = [each for each in libraries if "vulns" in each]
    print(f"{pins.name}: {len(known)} of {len(libraries)} libraries are known to who was asked.")
    vulnerable = [each for each in known if each["vulns"]]
    for each in vulnerable:
        names = ", ".join(one["id"] for one in each["vulns"])
        print(f"  {each['name']} {each['version']}: {names}")
    return bool(vulnerable)


if __name__ == "__main__":
    sys.exit(main())
