"""Holds a plugin's source against its manifest, without running it.

Only what stands in the source as plain text can be judged: a name that the code puts together at
run time is left alone.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nexus.cli.checks.activation import check_activation
from nexus.cli.checks.blocking import check_blocking
from nexus.cli.checks.finding import Finding, Level
from nexus.cli.checks.scoped import check_scoped, uses_of
from nexus.cli.checks.source import method_of_a_plugin, read_source
from nexus.cli.checks.stored import StoredUse, check_stored, stored_uses
from nexus.errors import nearest
from nexus.events.pattern import matches
from nexus.manifest import Manifest

_NEEDS: Final = {
    "publish_event": "events.publish",
    "request": "events.publish",
    "subscribe_to_event": "events.subscribe",
    "write_audit": "audit.write",
    "on_behalf_of": "platform.manage",
    "get_data": "database.read",
    "set_data": "database.write",
    "delete_data": "database.write",
}
"""The permission that each method of a plugin needs."""

_PUBLISHING: Final = frozenset({"publish_event"})
_PLATFORM: Final = ("system.", "plugin.")


@dataclass(slots=True, kw_only=True)
class _Uses:
    """What the source does, with the places where it does it.

    Attributes:
        methods: Places by method.
        published: Places by event name.
        requested: Places by the name of a request.
        subscribed: Places by pattern.
        settings: Places by key.
        unknown: The methods that are called with a name put together at run time.
        stored: What is done with the plugin's database.
    """

    methods: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    published: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    requested: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    subscribed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    settings: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unknown: set[str] = field(default_factory=set)
    stored: list[StoredUse] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsOfCode:
    """The names of events in a plugin's code.

    Attributes:
        published: Those that it publishes.
        requested: Those that it asks for a reply.
        computes: Whether it makes names at run time, so that there may be others.
    """

    published: frozenset[str] = frozenset()
    requested: frozenset[str] = frozenset()
    computes: bool = False


def events_of_code(folder: Path, manifest: Manifest) -> EventsOfCode | None:
    """Give the events that a plugin's code publishes; None where it cannot be parsed.

    Args:
        folder: The plugin's folder.
        manifest: Its manifest.
    """
    source = read_source(folder)
    if not source.complete:
        return None
    uses = _Uses()
    for file, tree in source.trees:
        _collect(tree, file, manifest.name, uses)
    return EventsOfCode(
        published=frozenset(uses.published),
        requested=frozenset(uses.requested),
        computes=bool(uses.unknown & {"publish_event", "request"}),
    )


def check_code(folder: Path, manifest: Manifest) -> list[Finding]:
    """Find what source and manifest do not agree on, and calls that block the event loop.

    Args:
        folder: The plugin's folder.
        manifest: Its manifest.
    """
    source = read_source(folder)
    uses = _Uses(stored=stored_uses(source))
    for file, tree in source.trees:
        _collect(tree, file, manifest.name, uses)
    findings = [
        *_permissions(manifest, uses),
        *check_stored(uses.stored, _asked(manifest)),
        *check_scoped(source, manifest),
        *check_activation(source, manifest),
        *_publishing(manifest, uses),
        *_subscribing(manifest, uses),
        *_settings(manifest, uses),
    ]
    if source.complete:
        findings += [*_unused(manifest, uses), *uses_of(source, manifest)]
    return [*findings, *check_blocking(source)]


def _collect(tree: ast.AST, file: str, plugin: str, uses: _Uses) -> None:
    named = {
        "publish_event": uses.published,
        "request": uses.requested,
        "subscribe_to_event": uses.subscribed,
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or (method := method_of_a_plugin(node)) is None:
            continue
        place = f"{file}:{node.lineno}"
        name = _literal(node, plugin)
        if method == "get_config" and name is not None:
            uses.settings[name].append(place)
        if method not in _NEEDS:
            continue
        uses.methods[method].append(place)
        if name is None:
            uses.unknown.add(method)
        elif method in named:
            named[method][name].append(place)


def _literal(call: ast.Call, plugin: str) -> str | None:
    """Give the text of the first argument, `{self.name}` filled in, if it is plain text."""
    named = [word.value for word in call.keywords if word.arg in {"name", "pattern", "key"}]
    value = next(iter([*call.args[:1], *named]), None)
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    if not isinstance(value, ast.JoinedStr):
        return None
    parts = [_part(part, plugin) for part in value.values]
    return None if None in parts else "".join(part for part in parts if part is not None)


def _part(part: ast.expr, plugin: str) -> str | None:
    if isinstance(part, ast.Constant):
        return str(part.value)
    if isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == "self.name":
        return plugin
    return None


def _asked(manifest: Manifest) -> set[str]:
    return {permission.partition(":")[0] for permission in manifest.permissions}


def _permissions(manifest: Manifest, uses: _Uses) -> Iterator[Finding]:
    asked = _asked(manifest)
    used: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for method, places in uses.methods.items():
        used[_NEEDS[method]].append((method, places[0]))
    for permission, calls in used.items():
        if permission not in asked:
            method, place = calls[0]
            yield Finding(
                level=Level.ERROR,
                place=place,
                message=f"{method}() needs the permission {permission!r}, which the manifest does"
                f' not ask for. Add "{permission}" to "permissions".',
            )


def _publishing(manifest: Manifest, uses: _Uses) -> Iterator[Finding]:
    declared = manifest.events.publishes
    own = f"{manifest.name}."
    for name, places in uses.published.items():
        if name.startswith(_PLATFORM):
            yield Finding(
                level=Level.ERROR,
                place=places[0],
                message=f"publishes {name!r}, a name that only the platform publishes.",
            )
        elif not name.startswith(own) and name not in declared:
            yield Finding(
                level=Level.ERROR,
                place=places[0],
                message=f"publishes {name!r}, which is neither under {own!r} nor declared. Add"
                f' "{name}" to "events.publishes".',
            )


def _subscribing(manifest: Manifest, uses: _Uses) -> Iterator[Finding]:
    declared = manifest.events.subscribes
    for pattern, places in uses.subscribed.items():
        if pattern not in declared:
            close = next((one for one in declared if _covers(one, pattern)), None)
            hint = f" {close!r} is, which is another subscription." if close else ""
            message = f"subscribes to {pattern!r}, which events.subscribes does not declare.{hint}"
            yield Finding(level=Level.NOTE, place=places[0], message=message)


def _settings(manifest: Manifest, uses: _Uses) -> Iterator[Finding]:
    for key, places in uses.settings.items():
        if key in manifest.configuration:
            continue
        close = nearest(key, tuple(manifest.configuration))
        hint = f" Did you mean {close!r}?" if close else ""
        yield Finding(
            level=Level.WARNING if close else Level.NOTE,
            place=places[0],
            message=f"reads the setting {key!r}, which the manifest does not declare.{hint}",
        )


def _unused(manifest: Manifest, uses: _Uses) -> Iterator[Finding]:
    used = {_NEEDS[method] for method in uses.methods}
    used = used.union(*(use.may_use for use in uses.stored))
    for permission in manifest.permissions:
        name = permission.partition(":")[0]
        if name in _NEEDS.values() and name not in used:
            methods = ", ".join(f"{each}()" for each, needed in _NEEDS.items() if needed == name)
            if name.startswith("database."):
                methods += " and no use of self.db"
            yield Finding(
                level=Level.WARNING,
                place="manifest.json $.permissions",
                message=f"{permission!r} is asked for and not used: found no {methods}.",
            )
    for index, name in enumerate(manifest.events.publishes):
        if name not in uses.published and not uses.unknown & _PUBLISHING:
            yield Finding(
                level=Level.WARNING,
                place=f"manifest.json $.events.publishes[{index}]",
                message=f"{name!r} is declared and never published.",
            )
    for index, pattern in enumerate(manifest.events.subscribes):
        if pattern not in uses.subscribed and "subscribe_to_event" not in uses.unknown:
            yield Finding(
                level=Level.WARNING,
                place=f"manifest.json $.events.subscribes[{index}]",
                message=f"{pattern!r} is declared, and no handler subscribes to it.",
            )


def _covers(pattern: str, name: str) -> bool:
    return "*" in pattern and "*" not in name and matches(pattern, name)
