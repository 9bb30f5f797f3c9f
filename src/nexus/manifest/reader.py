"""Reads and judges a plugin's manifest, without importing any of the plugin's code.

Bad input never raises: whatever is wrong becomes a problem, all problems are told at once, and a
manifest that cannot be read goes by its folder's name.
"""

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from nexus.manifest.activation import check_idle_stop, check_started_by
from nexus.manifest.json_reader import read_json
from nexus.manifest.model import MANIFEST, Manifest
from nexus.manifest.mount import check_mount
from nexus.manifest.permissions import KNOWN_PERMISSIONS, warn_of_unknown_permissions
from nexus.manifest.problems import Problem, json_text
from nexus.manifest.report import Report
from nexus.manifest.shapes import INVALID

FILE_NAME: Final = "manifest.json"
MAX_BYTES: Final = 1 << 20
"""The greatest size of a manifest, in bytes."""

_READ: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""How a manifest is opened: where it is a FIFO, that must not wait for somebody who writes."""
_UTF8_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """What came of reading one manifest.

    Attributes:
        name: The manifest's name; where there is no valid manifest, the folder's.
        manifest: The manifest, None when there is an error.
        problems: Everything that was found, errors and warnings.
    """

    name: str
    manifest: Manifest | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that make the manifest invalid."""
        return tuple(each for each in self.problems if each.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that leave the manifest valid."""
        return tuple(each for each in self.problems if each.severity == "warning")


def read_manifest(
    folder: Path,
    *,
    name: str | None = None,
    known_permissions: Collection[str] = KNOWN_PERMISSIONS,
) -> ReadResult:
    """Read `manifest.json` of a plugin's folder.

    Args:
        folder: The folder.
        name: The name that the manifest must have: the folder's unless given.
        known_permissions: The permissions that draw no warning.

    Returns:
        The manifest, or the problems. Nothing is raised for anything that can be on a disk.
    """
    if name is None:
        name = os.path.basename(os.path.abspath(folder))  # noqa: PTH100, PTH119 - raises on nothing
    report = Report()
    raw = _read_file(os.path.join(folder, FILE_NAME), report)  # noqa: PTH118 - a start has many
    if raw is None:
        return ReadResult(name=name, manifest=None, problems=report.problems())
    return parse_manifest(raw, name, known_permissions=known_permissions)


def parse_manifest(
    raw: bytes,
    folder_name: str | None = None,
    *,
    known_permissions: Collection[str] = KNOWN_PERMISSIONS,
) -> ReadResult:
    """Read a manifest from its bytes.

    Args:
        raw: The content of a `manifest.json`, in UTF-8, with or without a byte order mark.
        folder_name: The name that the manifest must have; None when there is no folder.
        known_permissions: The permissions that draw no warning.

    Returns:
        The manifest, or the problems. Nothing is raised, whatever the bytes are.
    """
    report = Report()
    read: dict[str, Any] = {}
    text = _decode(raw, report)
    document = INVALID if text is None else read_json(text, report)
    if document is not INVALID:
        read = MANIFEST.read_keys(document, (), report)
        _check_name(read, folder_name, report)
        _check_dependencies(read, report)
        _check_endpoints(read, report)
        _check_settings(read, report)
        check_idle_stop(read, report)
        check_mount(read, report)
        check_started_by(read, report)
        warn_of_unknown_permissions(
            read.get("permissions", ()), ("permissions",), known_permissions, report
        )
    name = read.get("name", INVALID)
    return ReadResult(
        name=folder_name or (name if name is not INVALID else ""),
        manifest=None if report.errors else Manifest(**read),
        problems=report.problems(),
    )


def _read_file(path: str, report: Report) -> bytes | None:
    refuse = partial(report.add, ())
    try:
        # By the calls of the system themselves: a start makes them for each of many plugins.
        file = os.open(path, _READ)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                refuse(found=f"{FILE_NAME} that is no regular file", expected="a file")
                return None
            if status.st_size > MAX_BYTES:
                _refuse_size(f"{status.st_size:,}", report)
                return None
            return _read_all(file, status.st_size)
        finally:
            os.close(file)
    except FileNotFoundError:
        refuse(found=f"no {FILE_NAME}", expected=f"a file {FILE_NAME} in the plugin's folder")
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = error.strerror if isinstance(error, OSError) else str(error)
        refuse(found=f"{FILE_NAME} that cannot be read ({reason})", expected="a readable file")
    return None


def _read_all(file: int, size: int) -> bytes:
    """Give the content of an open file of about this size; what grew since is read as well."""
    raw = os.read(file, size + 1)
    while len(raw) != size and len(raw) <= MAX_BYTES and (more := os.read(file, MAX_BYTES)):
        raw += more
    return raw


def _refuse_size(size: str, report: Report) -> None:
    report.add((), found=f"{size} bytes", expected=f"at most {MAX_BYTES:,} bytes")


def _decode(raw: bytes, report: Report) -> str | None:
    if len(raw) > MAX_BYTES:
        _refuse_size(f"more than {MAX_BYTES:,}", report)
        return None
    start = len(_UTF8_BOM) if raw.startswith(_UTF8_BOM) else 0
    try:
        return raw[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        offset = start + error.start
        found = f"bytes that are not UTF-8 at offset {offset} (0x{raw[offset]:02x})"
        report.add((), found=found, expected="JSON in UTF-8")
        return None


def _check_name(read: dict[str, Any], folder_name: str | None, report: Report) -> None:
    name = read.get("name", INVALID)
    if name is INVALID or folder_name is None or name == folder_name:
        return
    expected = f"{json_text(folder_name)}, the name of its folder or entry point"
    report.mismatch(("name",), name, expected, nearest=folder_name)


def _check_dependencies(read: dict[str, Any], report: Report) -> None:
    dependencies = read.get("dependencies", ())
    if dependencies is not INVALID and read.get("name") in {each.name for each in dependencies}:
        report.mismatch(("dependencies",), read["name"], "other plugins, not the plugin itself")


def _check_endpoints(read: dict[str, Any], report: Report) -> None:
    endpoints = read.get("api_endpoints", ())
    seen = set()
    for index, each in enumerate(() if endpoints is INVALID else endpoints):
        if each is INVALID:
            continue
        called = f"{each.method} {each.path}"
        if called in seen and not report.full("warning"):
            path = ("api_endpoints", index)
            report.mismatch(path, called, "each method and path once", severity="warning")
        seen.add(called)


def _check_settings(read: dict[str, Any], report: Report) -> None:
    settings = read.get("configuration", ())
    seen: dict[str, str] = {}
    for name in () if settings is INVALID else settings:
        first = seen.setdefault(name.lower(), name)
        if first != name and not report.full():
            expected = f"a name that differs from {first} in more than its case"
            report.add(("configuration", name), found="this key", expected=expected)
