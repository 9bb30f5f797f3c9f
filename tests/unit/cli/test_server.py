import asyncio
import json
import logging
import socket
from pathlib import Path

import httpx
import pytest
from fastapi import Request

from nexus import NexusApp, create_nexus_app
from nexus.cli.output import Output
from nexus.cli.running import RUN_FILE
from nexus.cli.server import NexusServer, server_config


@pytest.fixture
def app(application: Path) -> NexusApp:
    return create_nexus_app(application, environ={}, configure_logging=False)


def server(app: NexusApp, listening: socket.socket) -> NexusServer:
    return NexusServer(server_config(app), app, Output(as_json=True), listening, reload=True)


async def test_a_companion_that_dies_is_logged(
    app: NexusApp,
    application: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def die(*_: object) -> None:
        message = "the watch broke"
        raise ValueError(message)

    monkeypatch.setattr("nexus.cli.server.reload_on_change", die)
    with socket.create_server(("127.0.0.1", 0)) as listening, caplog.at_level(logging.ERROR):
        serving = server(app, listening)
        running = asyncio.ensure_future(serving.serve_application())
        async with asyncio.timeout(30):
            await app.ready()
            while "the watch broke" not in caplog.text:
                await asyncio.sleep(0)
        assert (application / "data" / RUN_FILE).is_file()
        serving.should_exit = True
        await running
    assert "nexus.run.reload" in {getattr(each, "task", "") for each in caplog.records}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"token", "listening"} <= {line["event"] for line in lines}
    assert not (application / "data" / RUN_FILE).exists()


@pytest.mark.parametrize(
    ("trusted", "client", "scheme"),
    [("", "10.0.0.1", "http"), ("10.0.0.1", "6.6.6.6", "https"), ("10.0.0.2", "10.0.0.1", "http")],
)
async def test_forwarding_headers_are_believed_of_trusted_proxies_alone(
    application: Path,
    monkeypatch: pytest.MonkeyPatch,
    trusted: str,
    client: str,
    scheme: str,
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # what uvicorn would go by itself
    environ = {"NEXUS_SERVER__TRUSTED_PROXIES": trusted}
    app = create_nexus_app(application, environ=environ, configure_logging=False)

    @app.app.get("/seen")
    async def seen(request: Request) -> list[str | None]:
        return [request.client and request.client.host, request.url.scheme, request.url.hostname]

    config = server_config(app)
    config.load()
    transport = httpx.ASGITransport(config.loaded_app, client=("10.0.0.1", 5000))
    headers = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.test",
        "Forwarded": "for=6.6.6.6;proto=https;host=evil.test",
    }
    async with httpx.AsyncClient(transport=transport, base_url="http://nexus.test") as http:
        answer = await http.get("/seen", headers=headers)
    assert answer.json() == [client, scheme, "nexus.test"]
