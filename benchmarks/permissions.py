"""What permissions cost: of plugins at each call, and of users at each request.

A plugin in a real application publishes and reads with its permissions checked, and with a check
that allows everything at once in their place; nothing else differs. Requests are those of
`http.py`: a plugin's route through uvicorn with somebody to guard, beside the same plugin without.
What it takes to know a user by an access token is measured in the application, with the built-in
plugin `auth`. CPU time; rounds are interleaved and medians of the pairs' ratios taken.
"""

import asyncio
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.http import ROUTE, ROUTES, Server, http_request, make_router

from nexus.security import PermissionSet

Row = dict[str, Any]

PLUGIN = """
from nexus.plugins import BasePlugin

class Bench(BasePlugin):
    async def initialize(self):
        self.count = 0
        await self.subscribe_to_event("bench.done", self.on_done)
        return True

    async def on_done(self, event):
        self.count += 1
"""
WHOLE = ("events.publish", "database.read")
SCOPED = ("events.publish:bench.*", "database.read")
TARGET = 1.10
TOKEN = "a-token"
PASSWORD = "correct horse battery"


class Unchecked(PermissionSet):
    """Allows everything without a look."""

    def require(self, permission: str, attempt: str, scope: str = "") -> None:
        pass


async def _publish(plugin: Any, count: int) -> None:
    for number in range(count):
        await plugin.publish_event("bench.done", {"n": number})


async def _get(plugin: Any, count: int) -> None:
    for _ in range(count):
        await plugin.get_data("key")


async def _cpu(work: Callable[[Any, int], Awaitable[None]], plugin: Any, count: int) -> float:
    gc.collect()
    began = time.process_time()
    await work(plugin, count)
    return (time.process_time() - began) / count * 1e6


async def _compare(rounds: int, count: int, folder: Path) -> list[Row]:
    """Measure calls with a check that holds everything, with a scope, and with none."""
    from nexus.testing import app_for
    from nexus.testing.harness import plugin_in

    place = folder / "plugins" / "bench"
    place.mkdir(parents=True)
    (place / "plugin.py").write_text(PLUGIN)
    asked = ["events.publish", "events.subscribe", "database.read", "database.write"]
    manifest = {"name": "bench", "version": "1.0.0", "permissions": asked}
    (place / "manifest.json").write_text(json.dumps(manifest))
    (folder / "nexus.yaml").write_text("name: Benchmark\n")
    rows = []
    async with app_for(folder) as app:
        plugin: Any = plugin_in(app, "bench")
        context = plugin._nexus_context  # noqa: SLF001 - what is compared is within it
        await plugin.set_data("key", {"n": 1})
        sets = {
            "without a check": Unchecked("bench", ()),
            "": PermissionSet("bench", WHOLE),
            ", by a scope": PermissionSet("bench", SCOPED),
        }
        for call, work in (("publish_event", _publish), ("get_data", _get)):
            figures: dict[str, list[float]] = {name: [] for name in sets}
            for _ in range(rounds + 1):
                for name, permissions in sets.items():
                    context._permissions = permissions  # noqa: SLF001 - what is compared
                    figures[name].append(await _cpu(work, plugin, count))
            for name in ("", ", by a scope"):
                if name and call == "get_data":
                    continue  # data has no scopes
                rows.append(_row(f"{call} with its permission{name}", figures, name))
    return rows


def _row(title: str, figures: dict[str, list[float]], name: str) -> Row:
    ours, bare = figures[name][1:], figures["without a check"][1:]
    ratio = statistics.median(mine / its for mine, its in zip(ours, bare, strict=True))
    return _told(title, ours, f"without a check: {statistics.median(bare):.2f} us", ratio, TARGET)


def _told(title: str, ours: list[float], against: str, ratio: float, target: float | None) -> Row:
    return {
        "name": title,
        "value": statistics.median(ours),
        "unit": "us CPU",
        "against": against,
        "ratio": round(ratio, 4),
        "target": target,
        "ok": target is None or ratio <= target,
    }


# Requests -----------------------------------------------------------------------------------------


def guarded_app() -> Any:
    """Build our application with one plugin, one route of which is for users alone."""
    from nexus.app.http_rules import rules_of
    from nexus.config.http_section import HttpSettings
    from nexus.manifest.endpoint import ApiEndpoint
    from nexus.security import User
    from nexus.security.gate import IdentityGate
    from nexus.web.application import NexusFastAPI
    from nexus.web.guarded_mount import GuardedMount
    from nexus.web.mount import build_mount

    ada = User(
        id="1",
        username="ada",
        email=None,
        roles=frozenset(),
        permissions=frozenset({"readings.read"}),
        method="token",
    )

    class Provider:
        async def identify(self, credentials: Any) -> User | None:
            return ada if credentials.bearer == TOKEN else None

    gate = IdentityGate(Provider)
    app = NexusFastAPI(title="Benchmark", rules=rules_of(HttpSettings()), identity=gate)
    last = f"/readings{ROUTES - 1}"
    endpoints = [
        ApiEndpoint(method="GET", path=ROUTE),
        ApiEndpoint(method="GET", path=last, auth="permission:readings.read"),
    ]
    mount = build_mount(
        "p0",
        1,
        [make_router()],
        current=ContextVar("owner", default=None),
        owner="p0",
        kind=partial(GuardedMount, gate=gate, endpoints=endpoints),
    )
    app.dispatcher.publish(mount)
    return app


def _requests(rounds: int, requests: int) -> list[Row]:
    last = f"/plugins/p0/readings{ROUTES - 1}"
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    compared = [
        ("a public route of a plugin that has guarded ones", f"/plugins/p0{ROUTE}", {}, 1.10),
        ("a route that needs a permission, once the user is known", last, bearer, 1.25),
    ]
    servers = {name: Server.start(name, 1) for name in ("guarded", "nexus-1")}
    rows = []
    try:
        for title, path, headers, target in compared:
            request = http_request(path, **headers)
            figures: dict[str, list[float]] = {name: [] for name in servers}
            for _ in range(rounds + 1):
                for name, server in servers.items():
                    seconds = server.round(request, b"HTTP/1.1 200", requests, 1)
                    figures[name].append(seconds * 1e6)
            ours, theirs = figures["guarded"][1:], figures["nexus-1"][1:]
            ratio = statistics.median(mine / its for mine, its in zip(ours, theirs, strict=True))
            against = f"the same without guards: {statistics.median(theirs):.0f} us"
            rows.append(_told(title, ours, against, ratio, target))
    finally:
        for server in servers.values():
            server.stop()
    return rows


async def _identify(rounds: int, count: int, folder: Path) -> Row:
    """Measure how long the plugin auth takes to know a user by an access token."""
    from nexus.security.gate import credentials_of
    from nexus.security.identity import IDENTITY_SERVICE
    from nexus.testing import app_for
    from nexus.testing.harness import plugin_in

    (folder / "nexus.yaml").write_text("builtin: [auth]\n")
    async with app_for(folder, plugins=["auth"]) as app:
        parts = plugin_in(app, "auth").parts  # type: ignore[attr-defined]  # the built-in one's
        user = await parts.accounts.create("ada", PASSWORD, roles=["operator"])
        family, _ = await parts.refresh.begin(user["_id"])
        token, _ = await parts.access.make(user["_id"], family)
        provider = app.services.require(IDENTITY_SERVICE)
        headers = [(b"authorization", f"Bearer {token}".encode())]
        scope: Any = {"type": "http", "method": "GET", "path": "/", "headers": headers}
        store, samples, reads = app.store, [], []

        async def ours(_: Any, times: int) -> None:
            for _ in range(times):
                assert await provider.identify(credentials_of(scope)) is not None

        async def theirs(_: Any, times: int) -> None:
            for _ in range(times):
                await store.get("data:auth", "nothing")

        for _ in range(rounds + 1):
            samples.append(await _cpu(ours, None, count))
            reads.append(await _cpu(theirs, None, count))
    ratio = statistics.median(mine / its for mine, its in zip(samples[1:], reads[1:], strict=True))
    against = f"one read by key: {statistics.median(reads):.0f} us"
    return _told("the user of an access token, by the plugin auth", samples, against, ratio, None)


def run(rounds: int = 15, count: int = 4000, requests: int = 2400) -> list[Row]:
    """Measure, and give one row a comparison."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        rows += asyncio.run(_compare(rounds, count, Path(folder)))
    rows += _requests(rounds, requests)
    with tempfile.TemporaryDirectory() as folder:
        rows.append(asyncio.run(_identify(rounds, max(1, count // 10), Path(folder))))
    return rows
