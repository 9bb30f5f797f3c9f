"""What commands print of a running application, which a double answers for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nexus.cli.errors import ApplicationRefused
from nexus.errors import ReloadFailed

KEPT = "Generation 10 serves on; the last reload failed: no luck."
NEEDED = "It needs the plugin 'stock', which is disabled."


def plugin(name: str, state: str = "running", reason: str = "", **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "1.0.0", "title": name, "description": "", "state": state} | {
        "reason": reason,
        "since": None,
        "generation": 10 if state == "running" else 0,
        "enabled": True,
        **more,
    }


class Application:
    """Answers in the place of the management API."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}

    def get(self, path: str) -> Any:
        answer = self.answers[path]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def post(self, path: str) -> Any:
        return self.answers[path]

    def patch(self, path: str, _document: Any) -> Any:
        return self.answers[path]

    def of_plugin(self, name: str, path: str) -> Any:
        return self.answers[f"/plugins/{name}{path}"]

    def health(self) -> Any:
        return self.answers["health"]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Application:
    double = Application()

    @contextmanager
    def connected(_where: Any) -> Iterator[Any]:
        yield double

    @contextmanager
    def maybe_connected(_where: Any) -> Iterator[Any]:
        yield double, ""

    monkeypatch.setattr("nexus.cli.connection.connected", connected)
    monkeypatch.setattr("nexus.cli.connection.maybe_connected", maybe_connected)
    return double


def listed(*plugins: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(plugins)}


def test_what_stops_with_a_plugin_is_told(nexus, running, application) -> None:
    running.answers = {
        "/plugins": [
            listed(plugin("idle", "stopped"), plugin("shop"), plugin("stock")),
            listed(plugin("shop", "draining"), plugin("stock", "disabled")),
            listed(
                plugin("idle", "stopped"),
                plugin("shop", "blocked", NEEDED),
                plugin("stock", "disabled"),
            ),
        ],
        "/plugins/stock/disable": plugin("stock", "disabled", enabled=False),
    }
    said = nexus("plugin", "disable", "stock")
    assert said.code == 0
    assert f"  shop has stopped with it, and is blocked: {NEEDED}\n" in said.out
    assert "idle" not in said.out


def test_what_starts_with_a_plugin_is_told(nexus, running, application) -> None:
    before = listed(plugin("shop", "blocked", NEEDED), plugin("stock", "disabled"))
    after = listed(plugin("shop"), plugin("stock"))
    running.answers = {
        "/plugins": [before, after],
        "/plugins/stock/enable": plugin("stock"),
    }
    assert "  shop has started with it.\n" in nexus("plugin", "enable", "stock").out
    running.answers["/plugins"] = [before, after]
    said = nexus("plugin", "enable", "stock", "--json")
    assert said.json["others"] == [{"name": "shop", "state": "running", "reason": ""}]


def test_no_setup_token_is_made_that_could_not_work(nexus, running) -> None:
    running.answers = {
        "/plugins/auth": plugin("auth", "failed", "The extra is missing."),
        "/plugins/auth/setup": {"done": True},
    }
    refused = nexus("auth", "setup", "--json")
    assert refused.code == 4
    assert refused.error["code"] == "setup-refused"
    assert "auth is failed. The extra is missing." in refused.error["message"]
    running.answers["/plugins/auth"] = plugin("auth")
    assert "an administrator already" in nexus("auth", "setup").err
    running.answers["/plugins/auth/config"] = {}
    running.answers["/plugins/auth/setup"] = {"done": False}
    assert nexus("auth", "setup").code == 0
    running.answers["/plugins/auth"] = plugin("auth", "blocked", NEEDED)
    assert "works once it runs" in nexus("auth", "setup").err


def report(**more: Any) -> dict[str, Any]:
    entry = {"state": "running", "healthy": True, "reason": "", "message": "", "components": {}}
    return {
        "status": "healthy",
        "database": {"status": "healthy", "seconds": 0.001},
        "plugins": {"hello": {**entry, **more}},
    }


LIFECYCLE = {"lifecycle": {"status": "healthy", "initialized": True}}
NO_MAINTENANCE = {"on": False, "message": None}


def test_parts_that_are_well_are_shown_on_request_only(nexus, running) -> None:
    parts = {**LIFECYCLE, "mail": {"status": "degraded", "queue": 7}}
    running.answers = {"health": report(components=parts), "/system/maintenance": NO_MAINTENANCE}
    said = nexus("health")
    assert "mail" in said.out
    assert "queue 7" in said.out
    assert "lifecycle" not in said.out
    assert "Maintenance" not in said.out
    assert "lifecycle" in nexus("health", "--verbose").out


def test_maintenance_is_told_with_its_message(nexus, running) -> None:
    running.answers = {
        "health": report(),
        "/system/maintenance": {"on": True, "message": "Back at noon."},
    }
    said = nexus("health")
    assert "Maintenance is on" in said.out
    assert "Back at noon." in said.out
    assert nexus("health", "--json").json["maintenance"] == "Back at noon."


def test_health_is_shown_without_a_token_too(nexus, running) -> None:
    refused = ApplicationRefused(status=401, problem="unauthorized", detail="No.")
    running.answers = {"health": report(), "/system/maintenance": refused}
    assert nexus("health").code == 0
    assert nexus("health", "--json").json["maintenance"] is None


def test_a_failed_reload_is_shown_wherever_the_plugin_is(nexus, running, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    kept = plugin("hello", reason=KEPT)
    lists = (
        "tags",
        "dependencies",
        "permissions",
        "grants",
        "publishes",
        "subscribes",
        "endpoints",
    )
    details = dict.fromkeys(("author", "license", "category", "folder"), "")
    running.answers = {
        "/plugins": listed(kept),
        "/plugins/hello": {
            **kept,
            **details,
            **dict.fromkeys(lists, ()),
            "live": {},
            "problems": [],
        },
        "/plugins/hello/config": {"items": []},
        "health": report(message="All is well.", reason=KEPT),
        "/system/maintenance": NO_MAINTENANCE,
    }
    for words in (("plugin", "list"), ("plugin", "info", "hello"), ("health",)):
        assert KEPT in nexus(*words).out, words


def test_why_a_plugin_is_blocked_is_told_once(nexus, running, make_plugin) -> None:
    make_plugin(configuration={"key": {"type": "string", "required": True}})
    problem = "'key' is required and has no value."
    item = {"key": "key", "value": None, "source": None, "declared": True, "required": True}
    running.answers = {
        "/plugins/greeter/config": {
            "items": [{**item, "secret": False, "problem": problem}],
            "state": "blocked",
            "reason": problem,
        }
    }
    said = nexus("config", "set", "greeter", "key", "--unset")
    assert said.out.count(problem) == 1


def test_a_reason_of_a_failed_reload_is_a_sentence() -> None:
    def told(reason: str) -> str:
        return ReloadFailed(plugin="hello", generation=10, reason=reason).render()

    assert told("no luck").endswith("no luck. Generation 10 keeps serving.")
    assert told("No luck.").endswith("No luck. Generation 10 keeps serving.")
