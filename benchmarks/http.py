"""The HTTP front against bare FastAPI: server CPU per request, and the OpenAPI document.

Every server is a real uvicorn in a process of its own; a plain socket asks, and the kernel says how
much CPU time the server took. Rounds of the things compared take turns; the ratio is the median of
the pairs' ratios. Run it as `python -m benchmarks.http [--quick]`.
"""

import argparse
import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

ROUTES = 10
ASKED = 5  # of the ten routes, the one that is measured
Row = dict[str, Any]


# The applications that are compared ---------------------------------------------------------------


def make_router() -> Any:
    """Build a router of ten routes, as a small plugin has them."""
    from fastapi import APIRouter
    from pydantic import BaseModel

    class Reading(BaseModel):
        name: str
        value: int

    router = APIRouter()
    for number in range(ROUTES):

        async def read(limit: int = 10) -> Reading:
            return Reading(name="reading", value=limit)

        router.add_api_route(f"/readings{number}", read, methods=["GET"], name=f"read{number}")
    return router


def bare_app() -> Any:
    """Build a FastAPI application whose only routes are the ten."""
    from fastapi import FastAPI

    app = FastAPI(openapi_url=None)
    app.router.routes.extend(make_router().routes)
    return app


def including_app(plugins: int) -> Any:
    """Build a FastAPI application that includes one router a plugin."""
    from fastapi import FastAPI

    app = FastAPI(title="Benchmark")
    for number in range(plugins):
        app.include_router(make_router(), prefix=f"/plugins/p{number}")
    return app


def nexus_app(plugins: int) -> Any:
    """Build our application with all its default middleware and this many plugins."""
    from nexus.app.http_rules import rules_of
    from nexus.config.http_section import HttpSettings
    from nexus.web.application import NexusFastAPI
    from nexus.web.mount import build_mount

    app = NexusFastAPI(title="Benchmark", rules=rules_of(HttpSettings()))
    current: ContextVar[Any] = ContextVar("owner", default=None)
    for number in range(plugins):
        name = f"p{number}"
        app.dispatcher.publish(build_mount(name, 1, [make_router()], current=current, owner=name))
    return app


APPS: dict[str, Callable[[], Any]] = {
    "bare": bare_app,
    "included-10": lambda: including_app(10),
    "nexus-1": lambda: nexus_app(1),
    "nexus-500": lambda: nexus_app(500),
    "guarded": lambda: import_module("benchmarks.permissions").guarded_app(),
}


def serve(name: str) -> None:
    """Serve one of the applications on a free port, and print the port."""
    import uvicorn

    class AnnouncingServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            gc.collect()
            gc.freeze()
            print(self.servers[0].sockets[0].getsockname()[1], flush=True)

    config = uvicorn.Config(APPS[name](), port=0, log_level="warning", access_log=False)
    AnnouncingServer(config).run()


# The client ---------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Server:
    """A running server and open connections to it."""

    process: "subprocess.Popen[str]"
    connections: list[socket.socket]

    @classmethod
    def start(cls, name: str, connections: int) -> "Server":
        """Start an application and connect to it."""
        process = subprocess.Popen(
            # As a module: as a script, this file's folder would hide the library's own `http`.
            [sys.executable, "-m", "benchmarks.http", "--serve", name],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        assert process.stdout is not None
        port = int(process.stdout.readline())
        sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        for each in sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(process=process, connections=sockets)

    def cpu(self) -> float:
        """Give the CPU time that the server has taken, in seconds."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9

    def round(self, request: bytes, status: bytes, requests: int, connections: int) -> float:
        """Ask `requests` times, on all connections at once, and give CPU seconds a request."""
        used = self.connections[:connections]
        began = self.cpu()
        for _ in range(requests // connections):
            for each in used:
                each.sendall(request)
            for each in used:
                answer = read_response(each)
                if not answer.startswith(status):
                    raise RuntimeError(answer.decode())
        return (self.cpu() - began) / (requests // connections * connections)

    def stop(self) -> None:
        """Close the connections and end the server."""
        for each in self.connections:
            each.close()
        self.process.terminate()
        self.process.wait()


def read_response(connection: socket.socket) -> bytes:
    """Read one response whose length is announced."""
    data = b""
    while True:
        data += connection.recv(65536)
        head, end, body = data.partition(b"\r\n\r\n")
        if end:
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            if len(body) >= length:
                return data


def http_request(path: str, **headers: str) -> bytes:
    """Write a request as a browser's fetch would, with some headers."""
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        f"Accept-Encoding: gzip, deflate\r\nUser-Agent: benchmark\r\n{more}\r\n"
    ).encode()


# The measurements ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two things asked of two servers."""

    name: str
    server: str
    path: str
    against: str
    against_path: str
    target: float
    status: bytes = b"HTTP/1.1 200"
    connections: int = 1


ROUTE = f"/readings{ASKED}"
COMPARISONS = (
    Comparison(
        name="plugin route, 1 connection",
        server="nexus-1",
        path=f"/plugins/p0{ROUTE}",
        against="bare",
        against_path=ROUTE,
        target=1.10,
    ),
    Comparison(
        name="plugin route, 16 connections",
        server="nexus-1",
        path=f"/plugins/p0{ROUTE}",
        against="bare",
        against_path=ROUTE,
        target=1.15,
        connections=16,
    ),
    Comparison(
        name="last route of the last of 500 plugins",
        server="nexus-500",
        path=f"/plugins/p499/readings{ROUTES - 1}",
        against="nexus-1",
        against_path=f"/plugins/p0/readings{ROUTES - 1}",
        target=1.10,
    ),
    Comparison(
        name="unknown plugin",
        server="nexus-500",
        path="/plugins/nobody/readings0",
        against="included-10",
        against_path="/plugins/nobody/readings0",
        target=0.20,
        status=b"HTTP/1.1 404",
    ),
    Comparison(
        name="unknown path in a live plugin",
        server="nexus-500",
        path="/plugins/p499/nothing",
        against="included-10",
        against_path="/plugins/p9/nothing",
        target=0.35,
        status=b"HTTP/1.1 404",
    ),
)


def row(name: str, value: float, unit: str, against: str, ratio: float, target: float) -> Row:
    """Make one row of the result."""
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "against": against,
        "ratio": round(ratio, 4),
        "target": target,
        "ok": ratio <= target,
    }


def measure_requests(*, rounds: int, requests: int) -> list[Row]:
    """Measure every comparison of requests."""
    needed = {name for each in COMPARISONS for name in (each.server, each.against)}
    servers = {name: Server.start(name, 16) for name in needed}
    rows = []
    try:
        for each in COMPARISONS:
            sides = (
                (servers[each.server], http_request(each.path)),
                (servers[each.against], http_request(each.against_path)),
            )
            for server, request in sides:
                server.round(request, each.status, requests // 4, each.connections)
            ours: list[float] = []
            theirs: list[float] = []
            for number in range(rounds):
                order = list(zip(sides, (ours, theirs), strict=True))
                for (server, request), times in order if number % 2 else reversed(order):
                    times.append(server.round(request, each.status, requests, each.connections))
            value, other = median(ours), median(theirs)
            against = f"{each.against} {each.against_path}: {other * 1e6:.0f} us"
            # The two of a pair were measured one right after the other, so whatever else the
            # machine does hits both.
            ratio = median(mine / its for mine, its in zip(ours, theirs, strict=True))
            rows.append(row(each.name, value * 1e6, "us CPU", against, ratio, each.target))
    finally:
        for server in servers.values():
            server.stop()
    return rows


def cpu_seconds(work: Callable[[], object]) -> float:
    """Give the CPU time that a piece of work takes in this process."""
    gc.collect()
    began = process_time()
    work()
    return process_time() - began


def measure_document(*, plugins: int = 500) -> Row:
    """Measure the OpenAPI document after one of many plugins has changed."""
    from nexus.web.mount import build_mount

    bare = including_app(plugins)
    bare.openapi()

    def bare_regenerates() -> None:
        bare.openapi_schema = None
        json.dumps(bare.openapi()).encode()

    ours = nexus_app(plugins)
    ours.openapi_document.render_now()
    changes = [build_mount(f"p{n}", 2, [make_router()]) for n in range(15)]

    def we_update() -> None:
        ours.dispatcher.publish(changes.pop())
        ours.openapi_document.render_now()

    other, value = [], []
    for _ in range(3):
        other.append(cpu_seconds(bare_regenerates))
        value.extend(cpu_seconds(we_update) for _ in range(5))
    against = f"FastAPI's openapi(): {median(other) * 1e3:.0f} ms"
    ratio = median(value) / median(other)
    name = f"openapi.json after one plugin of {plugins} changed"
    return row(name, median(value) * 1e3, "ms CPU", against, ratio, 0.02)


def measure_start(*, plugins: int = 1000) -> Row:
    """Measure how long it takes to put many plugins' routers in place, and that it works."""
    from nexus.web.application import NexusFastAPI
    from nexus.web.exposure import HttpExposure

    routers = [make_router() for _ in range(plugins)]
    current: ContextVar[Any] = ContextVar("owner", default=None)
    app = NexusFastAPI(title="Benchmark")
    exposure = HttpExposure(app.dispatcher, metrics=app.metrics, current=current, app=app)

    async def start() -> None:
        for number, router in enumerate(routers):
            exposure.commit(await exposure.stage(f"p{number}", 1, [router], owner=None))

    seconds = cpu_seconds(lambda: asyncio.run(start()))
    building = cpu_seconds(lambda: [make_router() for _ in range(plugins)])
    assert len(app.dispatcher.live) == plugins
    against = f"building the routers: {building * 1e3:.0f} ms"
    return row(
        f"{plugins} plugins mounted", seconds * 1e3, "ms CPU", against, seconds / building, 0.25
    )


def run(*, quick: bool = False) -> list[Row]:
    """Measure everything.

    Args:
        quick: Fewer rounds, for a look at the direction.
    """
    rounds, requests = (5, 800) if quick else (15, 2400)
    return [
        *measure_requests(rounds=rounds, requests=requests),
        measure_document(),
        measure_start(),
    ]


def main() -> None:
    """Serve an application, or measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", choices=sorted(APPS))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    for each in run(quick=options.quick):
        mark = "ok" if each["ok"] else "MISSED"
        print(
            f"{each['name']:<45} {each['value']:9.2f} {each['unit']:<7} ratio {each['ratio']:.4f}"
            f" (target {each['target']}) {mark:<7} against {each['against']}"
        )


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main()
