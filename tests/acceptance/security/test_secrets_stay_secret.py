"""Secrets are planted everywhere, everything is made to speak, and nothing may tell one."""

import asyncio
import json
import logging
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from typer.testing import CliRunner

from nexus import create_nexus_app
from nexus.cli.exit_codes import ExitCode
from nexus.cli.main import app as command_line
from nexus.config import load_settings
from nexus.errors import InvalidSettings, NexusError

PLUGINS = Path(__file__).parent / "plugins"
SECRET_KEY = "canary-key-0f7c1a52c4"
FORMER_KEY = "canary-former-77aa10b3"
PASSWORD = "canary-password-19c2 e"
DEEP: dict[str, Any] = {"user": "canary-user-5b9d", "list": ['canary-inner-"quoted"-c31f']}
NUMBER = 7139584026
SETTINGS = {
    "by_variable": "canary-variable-2d81",
    "by_file": "canary-file-94e0\nwith-a-second-line-5c5c",
    "by_api": "canary-api-b1aa é",
    "by_command": "canary-command-e9f3",
}
CONFIGURED: list[str] = [*SETTINGS.values(), DEEP["user"], *DEEP["list"], str(NUMBER)]
PATHS = (
    "/plugins",
    "/plugins/leaky",
    "/plugins/leaky/config",
    "/plugins/leaky/health",
    "/plugins/leaky/metrics",
    "/plugins/leaky/logs?limit=1000",
    "/plugins/leaky/data",
    "/plugins/leaky/export",
    "/plugins/auth",
    "/plugins/auth/config",
    "/plugins/auth/export",
    "/events?limit=1000",
    "/events/subscriptions",
    "/events/log",
    "/events/dead",
    "/jobs",
    "/jobs/leaky/nightly",
    "/services",
    "/audit?limit=1000",
    "/system",
)
OUTSIDE = ("/health", "/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs")
PAGES = (
    "/admin/",
    "/admin/parts/overview",
    "/admin/plugins",
    "/admin/plugins/leaky",
    "/admin/plugins/auth",
    "/admin/events",
    "/admin/events/dead",
    "/admin/events/lag",
    "/admin/graph",
    "/admin/audit",
    "/admin/system",
    "/admin/system/diagnostics.json",
    "/admin/users",
    "/admin/keys",
)
NOT_OF_PLUGINS = ("/admin/plugins/auth", "/admin/users", "/admin/keys", "/admin/system")
COMMANDS = (
    ("doctor", "--all"),
    ("doctor", "--all", "--json"),
    ("plugin", "list"),
    ("plugin", "info", "leaky"),
    ("plugin", "check", "leaky"),
    ("config", "get", "leaky"),
    ("config", "get", "leaky", "--json"),
    ("events", "lag"),
    ("events", "dead", "list"),
    ("audit", "--json"),
    ("health", "--verbose"),
    ("jobs", "list"),
    ("plugin", "logs", "leaky"),
)


def forms(secret: str) -> Iterable[str]:
    """Give a secret as it could stand in a text, and each of its lines."""
    for part in {secret, *secret.splitlines()}:
        yield from {part, quote(part, safe=""), json.dumps(part)[1:-1], repr(part)[1:-1]}


def told(text: str, secrets: Iterable[str]) -> list[str]:
    return [form for secret in secrets for form in forms(secret) if form in text]


@pytest.fixture
def application(tmp_path: Path) -> Path:
    shutil.copytree(PLUGINS, tmp_path / "plugins")
    (tmp_path / "secret").write_text(SETTINGS["by_file"], encoding="utf-8")
    (tmp_path / "nexus.yaml").write_text(
        "builtin: [auth, admin]\nlogging: {level: DEBUG}\n"
        "plugins: {leaky: {by_file: '${file:secret}'}}\n",
        encoding="utf-8",
    )
    return tmp_path


def nexus(folder: Path, *words: str, given: str | None = None) -> str:
    done = CliRunner().invoke(command_line, [*words, "--app", str(folder)], input=given)
    assert done.exit_code != ExitCode.USAGE, (words, done.stderr)
    return done.stdout + done.stderr


def test_a_running_application_tells_no_secret(
    application: Path, run_application: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = [SECRET_KEY, FORMER_KEY, PASSWORD, *CONFIGURED]
    environment = {
        "NEXUS_SECRET_KEY": SECRET_KEY,
        "NEXUS_SECURITY__FORMER_SECRET_KEYS": FORMER_KEY,
        "NEXUS_PLUGINS__LEAKY__BY_VARIABLE": SETTINGS["by_variable"],
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    said: dict[str, str] = {}
    with run_application(application, **environment) as app:
        run = json.loads((application / "data" / "run.json").read_text())
        secrets += [run["token"], app.client.headers["authorization"].split()[1]]
        nexus(application, "config", "set", "leaky", "by_command", "-", given="canary-command-e9f3")
        changes = {"by_api": SETTINGS["by_api"], "deep": DEEP, "number": NUMBER}
        answer = app.client.patch("/api/v1/plugins/leaky/config", json=changes)
        said["changed"] = answer.text
        assert app.client.post("/api/v1/plugins/leaky/reload").status_code == 200
        secrets += sign_in(application, app.client)
        said |= make_it_speak(app.client)
        for command in COMMANDS:
            said[" ".join(command)] = nexus(application, *command)
        said["rotate"] = app.client.post("/api/v1/system/secrets/rotate").text
        said["backup"] = app.client.post("/api/v1/system/backup").content.decode("latin-1")
    said["log"] = (application / "stderr.txt").read_text()

    assert "told again" in said["log"], "the plugin has not spoken"
    assert "********" in said["log"]
    assert "leaky.told" in said["/events?limit=1000"]
    assert "********" in said["/plugins/leaky/logs?limit=1000"]
    # What a plugin itself writes into an event is in the database as it has written it.
    stored = [secret for secret in secrets if secret not in CONFIGURED]
    leaks = {
        place: found
        for place, text in said.items()
        if (found := told(text, stored if place == "backup" else secrets))
    }
    assert not leaks
    data = [path for path in (application / "data").rglob("*") if path.is_file()]
    at_rest = "".join(path.read_bytes().decode("latin-1") for path in data)
    assert not told(at_rest, stored)


def sign_in(application: Path, http: httpx.Client) -> list[str]:
    """Make users and all kinds of credentials; gives those that must not show anywhere."""
    setup = json.loads(nexus(application, "auth", "setup", "--json"))["token"]
    account = {"username": "ada", "password": PASSWORD}
    bearer = {"Authorization": ""}
    made = http.post("/plugins/auth/setup", json={"token": setup, **account}, headers=bearer)
    assert made.status_code == 201, made.text
    wrong = {"username": "ada", "password": "canary-typo-31d7"}
    assert http.post("/plugins/auth/login", json=wrong, headers=bearer).status_code == 401
    # A password in the place of the name is a mistake that people make.
    swapped = {"username": "canary-typo-31d7", "password": "ada"}
    assert http.post("/plugins/auth/login", json=swapped, headers=bearer).status_code == 401
    login = http.post("/plugins/auth/login", json=account, headers=bearer)
    cookies = [*login.cookies.values(), login.json()["csrf_token"]]
    http.cookies.clear()
    tokens = http.post("/plugins/auth/token", data=account, headers=bearer).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    body = {"label": "robot", "scopes": [], "days": 1}
    made = http.post("/plugins/auth/me/keys", json=body, headers=bearer)
    assert made.status_code == 201, made.text
    http.get(f"/plugins/auth/me?token={tokens['refresh_token']}")
    return [setup, *cookies, tokens["access_token"], tokens["refresh_token"], made.json()["key"]]


def make_it_speak(http: httpx.Client) -> dict[str, str]:
    """Have everything tell what it knows, and give what was told, by its place."""
    said = {}
    assert http.post("/plugins/leaky/tell").status_code == 200
    said["a failure"] = http.get("/plugins/leaky/fail").text
    http.post("/api/v1/jobs/leaky/nightly/run")
    said["refused"] = http.patch("/api/v1/plugins/leaky/config", json={"number": "x" * 9}).text
    said["a problem"] = http.post("/plugins/auth/login", json={"password": PASSWORD}).text

    def dead() -> Any:
        return http.get("/api/v1/events/dead").json()["items"]

    def ran() -> Any:
        return "cannot run" in http.get("/api/v1/jobs/leaky/nightly").text

    until(lambda: dead() and ran())
    for path in PATHS:
        answer = http.get(f"/api/v1{path}")
        assert answer.status_code == 200, (path, answer.text)
        said[path] = answer.text
    for letter in dead():
        said[f"letter {letter['id']}"] = http.get(f"/api/v1/events/dead/{letter['id']}").text
    for path in OUTSIDE:
        said[path] = http.get(path).text
    return said | pages(http)


def pages(http: httpx.Client) -> dict[str, str]:
    """Give the admin pages, as an administrator sees them."""
    account = {"username": "ada", "password": PASSWORD}
    with httpx.Client(base_url=http.base_url, timeout=60, follow_redirects=True) as browser:
        assert browser.post("/admin/sign-in", data=account).status_code == 200
        said = {}
        for path in PAGES:
            answer = browser.get(path)
            assert answer.status_code == 200, (path, answer.text)
            assert "leaky" in answer.text or path in NOT_OF_PLUGINS, path
            said[path] = answer.text
        return said


def until(condition: Callable[[], Any]) -> None:
    import time

    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    "environ",
    [
        {"NEXUS_DATABASE__URL": "postgresql://ann:canary-4f@127.0.0.1:1/shop"},
        {"NEXUS_DATABASE__URL": "mysql://ann:canary-4f@127.0.0.1:1/shop"},
        {"NEXUS_EVENTS__ENGINE": "redis://ann:canary-4f@127.0.0.1:1/0"},
        {"NEXUS_EVENTS__ENGINE": "nats://ann:canary-4f@127.0.0.1:1"},
    ],
)
async def test_the_passwords_of_servers_that_are_away_are_told_to_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, environ: dict[str, str]
) -> None:
    caplog.set_level(logging.DEBUG)
    app = create_nexus_app(tmp_path, environ=environ, configure_logging=False)
    said = [repr(app.settings), str(app.settings.shown()), repr(app.parts), str(vars(app))]
    caught = None
    try:
        async with asyncio.timeout(30):
            await app.startup()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://nexus.test") as http:
            said += [(await http.get(path)).text for path in OUTSIDE]
    except NexusError as error:
        caught = error
    finally:
        await app.shutdown()
    said += [repr(caught), str(caught), caught.render() if caught else "", caplog.text]
    said += [json.dumps(str(record.__dict__)) for record in caplog.records]
    assert not [text for text in said if "canary" in text]
    assert app.parts.mask.apply("the password is canary-4f") == "the password is ********"


@pytest.mark.parametrize(
    "text",
    [
        "database: {url: 'postgres//ann:canary-4f@127.0.0.1/shop'}",
        "events: {engine: 'canary-4f'}",
        "events: {engine: 'redis://ann:canary-4f@:x/0'}",
        "security: {admin_token: canary-4f}",
        "security: {secret_kye: canary-4f}",
        "security: canary-4f",
        "plugins: {shop: canary-4f}",
    ],
)
def test_a_mistake_in_the_settings_is_told_without_the_secret(tmp_path: Path, text: str) -> None:
    (tmp_path / "nexus.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSettings) as caught:
        load_settings(tmp_path, environ={})
    assert "canary" not in f"{caught.value} {caught.value!r} {caught.value.data}"
