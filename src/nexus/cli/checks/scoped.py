"""Holds a plugin's schedules, services and names of events against the permissions it asks for."""

import ast
from collections.abc import Iterator
from typing import Final

from nexus.cli.checks.finding import Finding, Level
from nexus.cli.checks.source import Source, method_of_a_plugin
from nexus.manifest import Manifest
from nexus.security.permissions import covers

_SCHEDULING: Final = frozenset({"every", "cron"})
_TAKING: Final = frozenset({"get_service", "require_service", "service_ref"})
_EVENTS: Final = {
    "publish_event": "events.publish",
    "request": "events.publish",
    "subscribe_to_event": "events.subscribe",
}

_USES: Final = {
    "http.mount": '"mount"',
    "jobs.schedule": "@every or @cron",
    "services.use": "get_service() or its like",
}
"""What a permission is used by."""


def check_scoped(source: Source, manifest: Manifest) -> Iterator[Finding]:
    """Find what no permission that the manifest asks for covers."""
    asked = manifest.permissions
    places = list(schedules_of(source))
    if places and "jobs.schedule" not in asked:
        yield _missing(places[0], "a method on a schedule", "jobs.schedule")
    registered = {name for _, method, name in calls_of(source) if method == "register_service"}
    for place, method, name in calls_of(source):
        if name is None:
            continue
        if method in _EVENTS and not _covered(_EVENTS[method], name, asked, or_none=True):
            permission = f"{_EVENTS[method]}:{name}"
            yield _missing(place, f"{method}({name!r})", permission)
        if method in _TAKING and name not in registered and not _may_take(name, manifest):
            yield Finding(
                level=Level.NOTE,
                place=place,
                message=f"{method}({name!r}) needs the permission 'services.use:{name}', unless the"
                " manifest depends on the plugin that offers it, or this one does.",
            )


def uses_of(source: Source, manifest: Manifest) -> Iterator[Finding]:
    """Find what is asked for and not used."""
    used = {
        "http.mount": bool(manifest.mount),
        "jobs.schedule": any(True for _ in schedules_of(source)),
        "services.use": any(method in _TAKING for _, method, _ in calls_of(source)),
    }
    for permission in manifest.permissions:
        name = permission.partition(":")[0]
        if not used.get(name, True):
            yield Finding(
                level=Level.WARNING,
                place="manifest.json $.permissions",
                message=f"{permission!r} is asked for and not used: found no {_USES[name]}.",
            )
        elif _is_idle(permission, source, manifest):
            yield Finding(
                level=Level.WARNING,
                place="manifest.json $.permissions",
                message=f"{permission!r} is asked for and not used: no name in the code is within"
                " its scope.",
            )


def _is_idle(permission: str, source: Source, manifest: Manifest) -> bool:
    """Tell whether a permission has a scope in which nothing is done, as far as names tell."""
    kind, _, scope = permission.partition(":")
    methods = {method for method, needed in _EVENTS.items() if needed == kind}
    if kind == "services.use":
        methods = set(_TAKING)
    names = [name for _, method, name in calls_of(source) if method in methods]
    if not scope or not names or None in names:
        return False
    # A scope of services may name the plugin that offers them, which the code does not tell.
    of_plugin = kind == "services.use" and "." not in scope and scope != manifest.name
    return not of_plugin and not any(name and covers(scope, name) for name in names)


def _missing(place: str, what: str, permission: str) -> Finding:
    return Finding(
        level=Level.ERROR,
        place=place,
        message=f"{what} needs the permission {permission!r}, which the manifest does not ask for."
        f' Add "{permission}" to "permissions".',
    )


def _may_take(service: str, manifest: Manifest) -> bool:
    first = service.partition(".")[0]
    depends = any(first == each.name for each in manifest.dependencies)
    own = first == manifest.name
    return own or depends or _covered("services.use", service, manifest.permissions)


def _covered(kind: str, name: str, asked: tuple[str, ...], *, or_none: bool = False) -> bool:
    of_kind = [each.partition(":") for each in asked if each.partition(":")[0] == kind]
    if not of_kind:
        return or_none  # that the whole kind is missing is told once, and elsewhere
    return any(not scope or covers(scope, name) for _, _, scope in of_kind)


def schedules_of(source: Source) -> Iterator[str]:
    """Give the places of methods on a schedule."""
    for file, tree in source.trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for each in node.decorator_list:
                called = each.func if isinstance(each, ast.Call) else each
                name = called.attr if isinstance(called, ast.Attribute) else None
                name = called.id if isinstance(called, ast.Name) else name
                if name in _SCHEDULING:
                    yield f"{file}:{each.lineno}"


def calls_of(source: Source) -> Iterator[tuple[str, str, str | None]]:
    """Give the calls of a plugin's methods: place, method, and the first argument if it is text."""
    for file, tree in source.trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or (method := method_of_a_plugin(node)) is None:
                continue
            first = next(iter(node.args), None)
            literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
            name = first.value if literal and isinstance(first, ast.Constant) else None
            yield f"{file}:{node.lineno}", method, name if isinstance(name, str) else None
