"""How plugins hang together, in the management API."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Annotated, Final, Literal, NamedTuple

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from nexus.events.pattern import matches
from nexus.manifest import Manifest
from nexus.services import ServiceRegistry
from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext

_USE: Final = "services.use:"


class Node(BaseModel):
    """A plugin."""

    name: str
    title: str
    state: str
    services: list[str] = Field(description="The services that it offers now.")


Kind = Literal["dependency", "service", "event"]


class Edge(BaseModel):
    """One plugin's having to do with another."""

    kind: Kind
    source: str = Field(description="The plugin that offers: what is needed, used or listened to.")
    target: str = Field(description="The plugin that makes use of it.")
    label: str = Field(description="The range of versions, the service, or the event.")


class Graph(BaseModel):
    """All plugins, and what they have to do with each other as their manifests say."""

    items: list[Node]
    edges: list[Edge]
    counts: dict[Kind, int] = Field(description="How many edges of each kind there are in all.")


class _Found(NamedTuple):
    kind: Kind
    source: str
    target: str
    label: str


def graph_router(context: ManagementContext) -> APIRouter:
    """Give `/graph`."""
    router = APIRouter(tags=["management: plugins"], route_class=closed_route(context.tokens))

    @router.get("/graph", summary="Show what plugins have to do with each other")
    async def graph(
        kind: Annotated[list[Kind] | None, Query(description="Only edges of these kinds.")] = None,
        plugin: Annotated[str | None, Query(description="Only edges of this plugin.")] = None,
    ) -> Graph:
        controllers = context.manager.controllers()
        manifests = {each.name: each.found.manifest for each in controllers if each.found.manifest}
        offered = _offered(context.services)
        counts: Counter[Kind] = Counter()
        edges = []
        for each in _edges(manifests, offered):  # of events there may be thousands
            counts[each.kind] += 1
            if _is_wanted(each, kind, plugin):
                edges.append(Edge(**each._asdict()))
        return Graph(
            items=[
                Node(
                    name=each.name,
                    title=(each.found.manifest.title if each.found.manifest else "") or each.name,
                    state=each.status.state,
                    services=offered.get(each.name, []),
                )
                for each in controllers
            ],
            edges=edges,
            counts=counts,
        )

    return router


def _is_wanted(edge: _Found, kinds: list[Kind] | None, plugin: str | None) -> bool:
    if kinds is not None and edge.kind not in kinds:
        return False
    return plugin is None or plugin in (edge.source, edge.target)


def _offered(services: ServiceRegistry) -> dict[str, list[str]]:
    offered = defaultdict(list)
    for each in services.offers():
        offered[each.owner].append(each.name)
    return dict(offered)


def _edges(manifests: Mapping[str, Manifest], offered: Mapping[str, list[str]]) -> Iterator[_Found]:
    yield from _dependencies(manifests)
    yield from _services(manifests, offered)
    yield from _events(manifests)


def _dependencies(manifests: Mapping[str, Manifest]) -> Iterator[_Found]:
    for name, manifest in manifests.items():
        for need in manifest.dependencies:
            yield _Found("dependency", need.name, name, str(need).removeprefix(need.name))


def _services(
    manifests: Mapping[str, Manifest], offered: Mapping[str, list[str]]
) -> Iterator[_Found]:
    owners = {service: owner for owner, services in offered.items() for service in services}
    for name, manifest in manifests.items():
        for permission in manifest.permissions:
            service = permission.removeprefix(_USE)
            owner = owners.get(service)
            if service != permission and owner is not None and owner != name:
                yield _Found("service", owner, name, service)


def _events(manifests: Mapping[str, Manifest]) -> Iterator[_Found]:
    """Match each event that is published with each pattern that somebody listens to, once."""
    listeners = defaultdict(list)
    for name, manifest in manifests.items():
        for pattern in manifest.events.subscribes:
            listeners[pattern].append(name)
    heard: dict[str, list[str]] = {}
    for name, manifest in manifests.items():
        for event in manifest.events.publishes:
            if event not in heard:
                heard[event] = _listening(event, listeners)
            targets = (each for each in heard[event] if each != name)
            yield from (_Found("event", name, target, event) for target in targets)


def _listening(event: str, listeners: Mapping[str, list[str]]) -> list[str]:
    found = (listeners[pattern] for pattern in listeners if matches(pattern, event))
    return list(dict.fromkeys(chain.from_iterable(found)))
