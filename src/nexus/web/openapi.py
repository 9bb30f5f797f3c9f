"""The OpenAPI document of the application and its plugins, joined from cached fragments.

FastAPI describes every route anew whenever one of them changes. Here each plugin's part is made
once for each of its generations, when somebody asks for the document, and kept as text.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from nexus.security.fastapi import SCHEMES, TOKEN_PATH
from nexus.web.mount import PluginMount
from nexus.web.openapi_fragment import (
    PROBLEM_SCHEMA_NAME,
    Fragment,
    failed_fragment,
    make_fragment,
)
from nexus.web.problems import PROBLEM_SCHEMA
from nexus.web.sleeping_routes import SleepingRoutes, ToldRoutes

if TYPE_CHECKING:
    from nexus.web.application import NexusFastAPI

logger = logging.getLogger(__name__)

_PROBLEM = b'"%b":%b' % (
    PROBLEM_SCHEMA_NAME.encode(),
    json.dumps(PROBLEM_SCHEMA, separators=(",", ":")).encode(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedDocument:
    """The document as it is sent.

    Attributes:
        body: JSON text.
        etag: A strong validator, with its quotes.
    """

    body: bytes
    etag: str


class OpenApiDocument:
    """Keeps the fragments, and joins them when asked.

    Attributes:
        sleeping: What there is to say of plugins that start at their first use and do not run.
    """

    def __init__(self, app: "NexusFastAPI") -> None:
        self._app = app
        self.sleeping = SleepingRoutes()
        self._fragments: dict[str, tuple[object, int, Fragment]] = {}
        self._own: tuple[int, Fragment] | None = None
        self._rendered: tuple[object, RenderedDocument] | None = None

    async def render(self, root_path: str = "") -> RenderedDocument:
        """Give the current document; other requests are served between two plugins' fragments."""
        for mount in list(self._app.dispatcher.live.values()):
            if self._is_stale(mount):
                self._describe(mount)
                await asyncio.sleep(0)
        await self.sleeping.load()
        return self.render_now(root_path)

    def render_now(self, root_path: str = "") -> RenderedDocument:
        """Give the current document."""
        app = self._app
        mounts = app.dispatcher.live.values()
        asleep = self._asleep()
        state = (
            app.dispatcher.version,
            sum(_version(*mount.routers) for mount in mounts),
            _version(app.router, app.webhooks),
            root_path,
            tuple((name, told.origin, told.fragment.digest) for name, told in asleep.items()),
        )
        if self._rendered is None or self._rendered[0] != state:
            self._rendered = (state, self._join(root_path, asleep))
        return self._rendered[1]

    def forget(self) -> None:
        """Drop everything that was kept, so that the next document is made from nothing."""
        self._fragments.clear()
        self._own = None
        self._rendered = None

    def _asleep(self) -> dict[str, ToldRoutes]:
        live = self._app.dispatcher.live
        return {name: told for name, told in self.sleeping.told().items() if name not in live}

    def describe(self, mount: PluginMount) -> Fragment:
        """Give a plugin's part of the document."""
        return self._describe(mount)

    def _is_stale(self, mount: PluginMount) -> bool:
        kept = self._fragments.get(mount.name)
        return kept is None or kept[0] is not mount.identity or kept[1] != _version(*mount.routers)

    def _describe(self, mount: PluginMount) -> Fragment:
        if not self._is_stale(mount):
            return self._fragments[mount.name][2]
        version = _version(*mount.routers)
        routes = [route for router in mount.routers for route in router.routes]
        try:
            fragment = make_fragment(
                routes,
                plugin=mount.name,
                prefix=mount.prefix,
                separate_input_output_schemas=self._app.separate_input_output_schemas,
                needs_user=mount.needs_user,
            )
        except Exception as error:
            logger.exception("a plugin's routes cannot be described", extra={"plugin": mount.name})
            fragment = failed_fragment(f"{type(error).__name__}: {error}")
        self._fragments[mount.name] = (mount.identity, version, fragment)
        return fragment

    def _describe_application(self) -> Fragment:
        app = self._app
        version = _version(app.router, app.webhooks)
        if self._own is None or self._own[0] != version:
            fragment = make_fragment(
                app.routes,
                plugin=None,
                webhooks=app.webhooks.routes,
                separate_input_output_schemas=app.separate_input_output_schemas,
            )
            self._own = (version, fragment)
        return self._own[1]

    def _join(self, root_path: str, asleep: dict[str, ToldRoutes]) -> RenderedDocument:
        live = self._app.dispatcher.live
        self._fragments = {name: kept for name, kept in self._fragments.items() if name in live}
        plugins = {name: self._describe(mount) for name, mount in live.items()}
        plugins.update((name, told.fragment) for name, told in asleep.items())
        plugins = dict(sorted(plugins.items()))
        own = self._describe_application()
        # The plugins come first: they are what the application is for.
        fragments = [*plugins.values(), own]
        head = self._head(root_path, plugins, asleep)
        sections = [b'"paths":{%b}' % _joined(fragment.paths for fragment in fragments)]
        sections.append(b'"components":{%b}' % _joined(_components(fragments, root_path)))
        if own.webhooks:
            sections.append(b'"webhooks":{%b}' % own.webhooks)
        digest = hashlib.blake2b(head, digest_size=16)
        for fragment in fragments:
            digest.update(fragment.digest)
        body = b"{%b}" % _joined((head, *sections))
        return RenderedDocument(body=body, etag=f'"{digest.hexdigest()}"')

    def _head(
        self, root_path: str, plugins: dict[str, Fragment], asleep: dict[str, ToldRoutes]
    ) -> bytes:
        app = self._app
        info = {
            "title": app.title,
            "version": app.version,
            "summary": app.summary,
            "description": app.description,
            "termsOfService": app.terms_of_service,
            "contact": app.contact,
            "license": app.license_info,
        }
        head: dict[str, Any] = {
            "openapi": app.openapi_version,
            "info": {name: value for name, value in info.items() if value},
        }
        servers = list(app.servers)
        if root_path and app.root_path_in_servers:
            servers = [{"url": root_path}, *(s for s in servers if s.get("url") != root_path)]
        failed = [
            {"plugin": name, "error": fragment.error}
            for name, fragment in plugins.items()
            if fragment.error is not None
        ]
        optional = {
            "servers": servers,
            "tags": app.openapi_tags,
            "externalDocs": app.openapi_external_docs,
            "x-nexus-errors": failed,
            "x-nexus-dormant": [
                {"plugin": name, "described_by": told.origin} for name, told in asleep.items()
            ],
        }
        head.update((name, value) for name, value in optional.items() if value)
        text = json.dumps(head, ensure_ascii=False, separators=(",", ":"), default=str)
        return text.encode()[1:-1]


def _version(*routers: APIRouter) -> int:
    """Give a number that grows with every route that is added."""
    return sum(router._get_routes_version() for router in routers)  # noqa: SLF001 # as FastAPI does


def _components(fragments: list[Fragment], root_path: str) -> Iterator[bytes]:
    names = dict.fromkeys(name for fragment in fragments for name in fragment.components)
    names.setdefault("schemas")
    shared = _shared_schemes(fragments, root_path)
    if shared:
        names.setdefault("securitySchemes")
    for name in names:
        members = _joined(fragment.components.get(name, b"") for fragment in fragments)
        if name == "schemas":
            members = _joined((_PROBLEM, members))
        elif name == "securitySchemes":
            members = _joined((shared, members))
        yield b'"%b":{%b}' % (name.encode(), members)


def _shared_schemes(fragments: list[Fragment], root_path: str) -> bytes:
    """Give the ways to sign in that any plugin's routes take, once for all of them."""
    used = {name for fragment in fragments for name in fragment.shared_schemes}
    text = json.dumps({name: SCHEMES[name] for name in SCHEMES if name in used})
    token_url = json.dumps(root_path + TOKEN_PATH)
    return text.replace(json.dumps(TOKEN_PATH), token_url).encode()[1:-1]


def _joined(parts: Iterable[bytes]) -> bytes:
    return b",".join(part for part in parts if part)
