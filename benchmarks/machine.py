"""What the measurements ran on, as far as it matters to them; no names and no paths."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("fastapi", "starlette", "pydantic", "uvicorn", "nexus-platform")


def describe() -> dict[str, str]:
    """Give the machine, the interpreter and the versions of what is measured, by name."""
    kernel = re.match(r"[0-9.]*", platform.release())[0]
    return {
        "processor": processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {kernel} ({platform.machine()})",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: version(name) for name in LIBRARIES},
    }


def processor() -> str:
    """Give the processor's model as the kernel names it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def slug(machine: dict[str, str]) -> str:
    """Give a machine's short name, fit for a file's."""
    words = re.sub(r"\(.*?\)", " ", machine["processor"].lower()).partition("@")[0]
    name = "-".join(re.findall(r"[a-z0-9.]+", words))
    python = "".join(re.findall(r"\d+", machine["python"])[:2])
    return f"{name}-{machine['cores']}-cores-py{python}"
