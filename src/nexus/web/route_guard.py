"""What a manifest asks of whoever uses a plugin's routes, held against the routes themselves.

A request is judged by the route that would serve it, so that nothing between two ways to read a
path lets it past. Where that cannot be known for certain, the strictest of what may apply counts.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Final

from fastapi import APIRouter
from starlette.convertors import CONVERTOR_TYPES
from starlette.routing import BaseRoute, Mount

from nexus.errors import RoutesNotDeclared
from nexus.manifest.endpoint import ApiEndpoint
from nexus.web.route_paths import walk_routers
from nexus.web.router_choice import is_plain, matches_by_path_alone

Needs = frozenset[str]

_NOBODY: Final[Needs] = frozenset()
_OF_ONE_SEGMENT: Final = frozenset({"str", "int", "float", "uuid"})
_PARAMETER: Final = re.compile(r"\{([^}:]*)(?::([^}]*))?\}")


def guarded(endpoints: Sequence[ApiEndpoint]) -> bool:
    """Tell whether any endpoint is not for everybody."""
    return any(each.auth != "public" for each in endpoints)


def refuse_undeclared(
    plugin: str, routers: Sequence[APIRouter], endpoints: Sequence[ApiEndpoint]
) -> None:
    """Refuse routes that the manifest does not declare.

    Raises:
        RoutesNotDeclared: There are some; it names them all.
    """
    declared = _Declared(endpoints)
    missing = [
        f"{method or 'MOUNT'} {path or '/'}"
        for path, route in walk_routers(routers)
        for method in sorted(_methods(route) or {""})
        if declared.by_shape(method, _shape(path)) is None
    ]
    if missing:
        raise RoutesNotDeclared(plugin=plugin, routes=missing)


class RouteGuard:
    """Says what a request to one plugin needs.

    Args:
        routers: The plugin's routers, in its order.
        endpoints: What its manifest declares.
    """

    def __init__(self, routers: Sequence[APIRouter], endpoints: Sequence[ApiEndpoint]) -> None:
        self._routers = routers
        self._declared = _Declared(endpoints)
        self._rules: tuple[_Rule, ...] = ()
        self._known: dict[tuple[str, str], Needs] = {}
        self._version = -1

    def needs(self, method: str, path: str) -> Needs:
        """Give what a request needs; nothing where everybody may.

        Args:
            method: Its method; `WEBSOCKET` for a WebSocket.
            path: Its decoded path below the plugin's prefix.
        """
        version = sum(router._get_routes_version() for router in self._routers)  # noqa: SLF001 # as FastAPI does
        if version != self._version:
            self._rules = tuple(self._make_rules())
            self._known = {}
            self._version = version
        known = self._known.get((method, path))
        return self._search(method, path) if known is None else known

    def _search(self, method: str, path: str) -> Needs:
        found = _NOBODY
        for rule in self._rules:
            if not rule.matches(method, path):
                continue
            declared = self._declared.by_shape(method if rule.methods else "", rule.shape)
            if declared is None or not rule.methods:
                # What is mounted takes any method, so the strictest of all methods counts.
                declared = (declared or _NOBODY) | self._declared.by_path(
                    method if rule.methods else "", path
                )
            found |= declared
            if rule.certain:
                if rule.is_static:  # so that no more is remembered than there are routes
                    self._known[method, path] = found
                return found
        return found | self._declared.by_path(method, path)

    def declared(self, method: str, path: str) -> Needs:
        """Give what the manifest declares for a route, by the form of its path."""
        return self._declared.by_shape(method, _shape(path)) or _NOBODY

    def _make_rules(self) -> "Iterator[_Rule]":
        for router in self._routers:
            plain = is_plain(router)
            for path, route in walk_routers([router]):
                yield _Rule(path, route, certain=plain and matches_by_path_alone(route))


class _Rule:
    """One route: which requests it would serve."""

    def __init__(self, path: str, route: BaseRoute, *, certain: bool) -> None:
        self.shape = _shape(path)
        self.methods = _methods(route)
        self.certain = certain
        self.is_static = "{" not in path and bool(self.methods)
        below = "" if self.methods else "(?:/.*)?"
        self._pattern = re.compile(_pattern(path.rstrip("/") if below else path) + below, re.DOTALL)

    def matches(self, method: str, path: str) -> bool:
        if self.methods and method not in self.methods:
            return False
        return self._pattern.fullmatch(path) is not None


class _Declared:
    """What the manifest declares, found by the form of a route's path and by a request's path."""

    def __init__(self, endpoints: Sequence[ApiEndpoint]) -> None:
        self._by_shape: dict[tuple[str, str], Needs] = {}
        self._patterns = [
            (each.method, re.compile(_pattern(each.path.rstrip("/")), re.DOTALL), _needs(each))
            for each in endpoints
        ]
        for each in endpoints:
            # A route for any method, and what is mounted, takes the strictest of all methods.
            for method in (each.method, ""):
                key = (method, _shape(each.path))
                self._by_shape[key] = self._by_shape.get(key, _NOBODY) | _needs(each)

    def by_shape(self, method: str, shape: str) -> Needs | None:
        """Give what is declared for a route, None when nothing is."""
        found = self._by_shape.get((method, shape))
        return self._by_shape.get(("GET", shape)) if found is None and method == "HEAD" else found

    def by_path(self, method: str, path: str) -> Needs:
        """Give all that is declared for a path, as anybody might read it; no method means any."""
        plain = {path.rstrip("/"), posixpath.normpath(f"/{path.lstrip('/')}").rstrip("/")}
        methods = {method, "GET"} if method == "HEAD" else {method}
        found = _NOBODY
        for declared, pattern, needs in self._patterns:
            if (declared in methods or not method) and any(map(pattern.fullmatch, plain)):
                found |= needs
        return found


def _needs(endpoint: ApiEndpoint) -> Needs:
    return _NOBODY if endpoint.auth == "public" else frozenset({endpoint.auth})


def _methods(route: BaseRoute) -> frozenset[str]:
    """Give the methods of a route; none where it takes any, as what is mounted does."""
    if isinstance(route, Mount):
        return frozenset()
    if hasattr(route, "methods"):
        return frozenset(route.methods or ())
    return frozenset({"WEBSOCKET"}) if hasattr(route, "path_regex") else frozenset()


def _shape(path: str) -> str:
    """Give a path with its parameters' names and types left out."""
    return _PARAMETER.sub("{}", path).rstrip("/") or "/"


def _pattern(path: str) -> str:
    parts: list[str] = []
    end = 0
    for match in _PARAMETER.finditer(path):
        kind = "[^/]+"
        if (
            match[2] in CONVERTOR_TYPES.keys() - _OF_ONE_SEGMENT
        ):  # `path`, and what a plugin has made
            kind = f"(?:{CONVERTOR_TYPES[match[2]].regex})"
        parts += [re.escape(path[end : match.start()]), kind]
        end = match.end()
    return "".join([*parts, re.escape(path[end:])])
