"""The management API's fixed core, and health, over ASGI."""

import asyncio
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nexus.plugins import PluginState

JSON = {"Content-Type": "application/json"}
ROUTES = [
    ("GET", "/plugins"),
    ("POST", "/plugins/rescan"),
    ("GET", "/plugins/foo"),
    ("GET", "/plugins/foo/readme"),
    ("POST", "/plugins/foo/enable"),
    ("POST", "/plugins/foo/disable"),
    ("POST", "/plugins/foo/reload"),
    ("POST", "/plugins/foo/approve"),
    ("POST", "/plugins/foo/revoke"),
    ("GET", "/plugins/foo/config"),
    ("PATCH", "/plugins/foo/config"),
    ("GET", "/plugins/foo/health"),
    ("GET", "/plugins/foo/metrics"),
    ("GET", "/plugins/foo/data"),
    ("DELETE", "/plugins/foo/data"),
    ("GET", "/plugins/foo/export"),
    ("GET", "/plugins/foo/logs"),
    ("GET", "/plugins/foo/logs/stream"),
    ("PUT", "/plugins/foo/log-level"),
    ("GET", "/events"),
    ("POST", "/events"),
    ("GET", "/events/subscriptions"),
    ("GET", "/events/stream"),
    ("GET", "/events/log"),
    ("POST", "/events/replay"),
    ("GET", "/events/x"),
    ("GET", "/events/x/trace"),
    ("GET", "/events/dead"),
    ("GET", "/events/dead/x"),
    ("POST", "/events/dead/replay"),
    ("POST", "/events/dead/drop"),
    ("POST", "/events/dead/x/replay"),
    ("DELETE", "/events/dead/x"),
    ("GET", "/jobs"),
    ("GET", "/jobs/foo/job"),
    ("POST", "/jobs/foo/job/run"),
    ("GET", "/services"),
    ("GET", "/graph"),
    ("GET", "/audit"),
    ("GET", "/me"),
    ("GET", "/admin-pages"),
    ("GET", "/system"),
    ("GET", "/system/activity"),
    ("GET", "/system/maintenance"),
    ("PUT", "/system/maintenance"),
    ("POST", "/system/secrets/rotate"),
    ("POST", "/system/backup"),
]


async def test_every_route_needs_a_valid_token(workshop: Any) -> None:
    workshop.plugin("foo")
    async with workshop.running() as site:
        paths = (await site.http.get("/openapi.json")).json()["paths"]
        stated = {
            (method.upper(), path)
            for path, methods in paths.items()
            if path.startswith("/api/v1")
            for method in methods
        }
        assert len(stated) == len(ROUTES), "a route is missing from this test"
        for method, path in ROUTES:
            url = f"/api/v1{path}"
            answer = await site.http.request(method, url)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"
            wrong = {"Authorization": "Bearer wrong"}
            answer = await site.http.request(method, url, headers=wrong)
            assert answer.status_code == 401, path
            assert "invalid_token" in answer.headers["www-authenticate"]
            # Who it is comes before what the body says, which is not even looked at.
            broken = await site.http.request(method, url, content="{", headers=wrong | JSON)
            assert broken.status_code == 401, path
            basic = {"Authorization": f"Basic {site.token}"}
            assert (await site.http.request(method, url, headers=basic)).status_code == 401
        assert site.state("foo") is PluginState.RUNNING


async def test_the_first_token_is_made_once_and_stored_hashed(
    workshop: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    app = workshop.app()
    async with app.running():
        token = app.first_token
        assert token is not None
        assert app.tokens.accepts(token)
        assert token not in json.dumps(await app.store.items("nexus.security"))
    app = workshop.app()
    async with app.running():
        assert app.first_token is None
        assert app.tokens.accepts(token)
        renewed = await app.tokens.renew()
        assert app.tokens.accepts(renewed)
        assert not app.tokens.accepts(token)
    del capsys


async def test_lists_and_details_say_what_is_the_case(workshop: Any) -> None:
    body = """
    async def initialize(self):
        self.register_service("foo.api", self)
        await self.subscribe_to_event("x.*", self.on_x)
        return True

    async def on_x(self, event):
        pass

    def get_api_routes(self):
        from fastapi import APIRouter
        inner, outer = APIRouter(), APIRouter()

        @inner.get("/now")
        def now():
            '''Tell the time.

            By the clock.
            '''

        outer.include_router(inner, prefix="/time")
        return [outer]
    """
    workshop.plugin("foo", body, title="Foo", api_endpoints=[{"method": "GET", "path": "/"}])
    (workshop.plugin("bad") / "manifest.json").write_text("[]")
    async with workshop.running() as site:
        items = (await site.api("GET", "/plugins")).json()["items"]
        assert [each["name"] for each in items] == ["bad", "foo"]
        bad, foo = items
        assert (bad["state"], bad["version"], bad["generation"]) == ("invalid", "", 0)
        assert bad["problems"]
        assert bad["reason"]
        assert (foo["state"], foo["reason"], foo["generation"]) == ("running", "", 1)
        assert (foo["version"], foo["title"], foo["enabled"]) == ("1.0.0", "Foo", True)
        detail = (await site.api("GET", "/plugins/foo")).json()
        assert detail["live"]["services"] == ["foo.api"]
        assert detail["endpoints"][0]["path"] == "/"
        assert detail["routes"] == [
            {"method": "GET", "path": "/plugins/foo/time/now", "description": "Tell the time."}
        ]
        assert (await site.api("GET", "/plugins/bad")).json()["live"] == {}
        service = {"name": "foo.api", "plugin": "foo", "generation": 1, "type": "Plugin"}
        assert (await site.api("GET", "/services")).json()["items"] == [service]
        system = (await site.api("GET", "/system")).json()
        assert system["uptime"] > 0
        assert system["ready"] is True


async def test_an_unknown_plugin_is_404_with_the_nearest_name(workshop: Any) -> None:
    workshop.plugin("weather")
    async with workshop.running() as site:
        for method, path in ROUTES:
            if "/foo" not in path:
                continue
            body = {"level": None} if path.endswith("/log-level") else {}
            answer = await site.api(method, path.replace("foo", "wether"), json=body)
            assert answer.status_code == 404, path
            assert "Did you mean 'weather'?" in answer.json()["detail"]
            assert answer.json()["code"] == "plugin-not-found"


async def test_settings_of_an_unreadable_manifest_are_404(workshop: Any) -> None:
    (workshop.plugin("bad") / "manifest.json").write_text("[]")
    async with workshop.running() as site:
        answer = await site.api("GET", "/plugins/bad/config")
        assert (answer.status_code, answer.json()["code"]) == (404, "plugin-has-no-settings")


async def test_a_change_of_several_settings_is_all_or_nothing(workshop: Any) -> None:
    fields = {
        "a": {"type": "integer", "default": 1, "max": 5},
        "b": {"type": "string", "secret": True},
    }
    workshop.plugin("foo", configuration=fields)
    async with workshop.running() as site:
        answer = await site.api("PATCH", "/plugins/foo/config", json={"b": "s3cret!!", "a": 9})
        assert answer.status_code == 422
        assert "'a'" in answer.json()["detail"]
        shown = {
            each["key"]: each
            for each in (await site.api("GET", "/plugins/foo/config")).json()["items"]
        }
        assert (shown["a"]["value"], shown["a"]["source"]) == (1, "manifest.json")
        assert shown["b"]["value"] is None
        answer = await site.api("PATCH", "/plugins/foo/config", json={"b": "s3cret!!", "a": 5})
        shown = {each["key"]: each for each in answer.json()["items"]}
        assert (shown["a"]["value"], shown["a"]["source"]) == (5, "stored")
        assert shown["b"]["value"] == "********"
        wrong: list[Any] = [[], "x", None]
        for body in wrong:
            answer = await site.api("PATCH", "/plugins/foo/config", json=body)
            assert answer.status_code == 422


async def test_events_are_published_listed_and_replayed(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await self.subscribe_to_event("order.*", self.on_order, max_attempts=1)
        return True

    async def on_order(self, event):
        if not sys.works:
            raise ValueError("no stock")
        sys.done.set()
    """
    sys.works, sys.done = False, asyncio.Event()  # type: ignore[attr-defined]
    workshop.plugin("shop", body)
    async with workshop.running() as site:
        event = {"name": "order.placed", "data": {"n": 1}}
        answer = await site.api("POST", "/events", json=event)
        assert answer.status_code == 202
        await site.app.bus.join()
        recent = (await site.api("GET", "/events", params={"name": "order.*", "limit": 1})).json()
        assert recent["items"][0]["id"] == answer.json()["id"]
        [letter] = (await site.api("GET", "/events/dead")).json()["items"]
        assert "no stock" in letter["error"]
        sys.works = True  # type: ignore[attr-defined]
        answer = await site.api("POST", f"/events/dead/{letter['id']}/replay")
        assert answer.status_code == 202
        await sys.done.wait()  # type: ignore[attr-defined]
        for method in ("DELETE", "POST"):
            path = f"/events/dead/{letter['id']}" + ("/replay" if method == "POST" else "")
            assert (await site.api(method, path)).status_code == 404
        [figures] = (await site.api("GET", "/events/subscriptions")).json()["items"]
        assert (figures["owner"], figures["pattern"]) == ("shop", "order.*")
        for name in ("system.maintenance", "plugin.running", "no name", ""):
            assert (await site.api("POST", "/events", json={"name": name})).status_code == 422
        assert (await site.api("GET", "/events", params={"name": "a..b"})).status_code == 422
        assert (await site.api("GET", "/events", params={"limit": 0})).status_code == 422


async def test_maintenance_closes_plugin_routes_and_is_announced(workshop: Any) -> None:
    workshop.plugin("foo", says=1)
    async with workshop.running() as site:
        wish = {"on": True, "message": "Back at nine"}
        answer = await site.api("PUT", "/system/maintenance", json=wish)
        assert answer.json() == wish
        answer = await site.http.get("/plugins/foo/")
        assert (answer.status_code, answer.json()["detail"]) == (503, "Back at nine")
        assert answer.headers["retry-after"]
        assert (await site.http.get("/health/ready")).status_code == 200
        await site.api("PUT", "/system/maintenance", json={"on": False})
        assert await site.says("foo") == 1
        assert (await site.api("GET", "/system/maintenance")).json()["on"] is False
        events = site.app.bus.recent.list(pattern="system.maintenance", limit=5)
        assert [each.data["active"] for each in events] == [False, True]


async def test_a_backup_is_a_whole_copy_of_the_data(workshop: Any, tmp_path: Path) -> None:
    workshop.plugin("foo")
    async with workshop.running() as site:
        await site.plugin("foo").set_data("k", "kept")
        answer = await site.api("POST", "/system/backup")
        assert answer.status_code == 200
    copy = tmp_path / "elsewhere"
    (copy / "data").mkdir(parents=True)
    (copy / "data" / "nexus.db").write_bytes(answer.content)
    with sqlite3.connect(copy / "data" / "nexus.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    other = type(workshop)(copy)
    other.plugin("foo")
    async with other.running() as site:
        assert await site.plugin("foo").get_data("k") == "kept"


async def test_ready_waits_until_every_plugin_has_settled(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await sys.gate.wait()
        return True
    """
    sys.gate = asyncio.Event()  # type: ignore[attr-defined]
    workshop.plugin("slow", body)
    workshop.plugin("broken", top="raise ValueError")
    app = workshop.app()
    await app.startup()
    try:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://nexus.test") as http:
            await app.manager.controller("broken").wait_settled()
            assert (await http.get("/health/live")).json() == {"status": "alive"}
            answer = await http.get("/health/ready")
            assert answer.status_code == 503
            assert answer.json() == {"status": "starting", "waiting_for": ["slow"]}
            sys.gate.set()  # type: ignore[attr-defined]
            await app.ready()
            # A plugin that does not run makes health degraded, not the application unready.
            assert (await http.get("/health/ready")).json() == {"status": "ready"}
            health = (await http.get("/health")).json()
            assert health["status"] == "degraded"
            assert health["plugins"]["slow"] == {"state": "running", "healthy": True}
            assert health["plugins"]["broken"] == {"state": "failed", "healthy": False}
            assert health["counts"] == {"running": 1, "failed": 1}
            headers = {"Authorization": f"Bearer {app.tokens.issue_for_run()}"}
            health = (await http.get("/health", headers=headers)).json()
            assert "ValueError" in health["plugins"]["broken"]["reason"]
    finally:
        await app.shutdown()


async def test_health_says_when_the_database_is_away(
    workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nexus.data import SqliteDatabase
    from nexus.errors import DatabaseUnavailable

    is_away = False
    check = SqliteDatabase.check

    async def maybe(database: SqliteDatabase) -> float:
        if is_away:
            raise DatabaseUnavailable(path="x", problem="it is away", advice="Wait.")
        return await check(database)

    monkeypatch.setattr(SqliteDatabase, "check", maybe)
    async with workshop.running() as site:
        is_away = True
        for path in ("/health", "/health/ready"):
            answer = await site.http.get(path)
            assert answer.status_code == 503
            assert answer.json()["database"]["error"] == "database-unavailable"
            assert answer.headers["retry-after"] == "1"
        is_away = False
        assert (await site.http.get("/health/ready")).status_code == 200


async def test_metrics_parse_and_a_stopped_plugins_series_disappear(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await self.subscribe_to_event("x.*", self.on_x)
        await self.subscribe_to_event("x.*", self.on_x)
        self.create_task(asyncio.Event().wait())
        return True

    async def on_x(self, event):
        pass
    """
    workshop.plugin("foo", body, says=1)
    async with workshop.running() as site:
        await site.says("foo")
        await site.app.bus.publish("x.y", source="nexus")
        await site.app.bus.join()

        async def samples() -> dict[str, float]:
            answer = await site.http.get("/metrics")
            assert answer.status_code == 200
            return {
                f"{sample.name}{sorted(sample.labels.items())}": sample.value
                for family in text_string_to_metric_families(answer.text)
                for sample in family.samples
            }

        before = await samples()
        labels = [("plugin", "foo"), ("subscription", "x.*")]
        assert before[f"nexus_events_handled_total{labels}"] == 2
        assert before["nexus_plugin_running[('plugin', 'foo')]"] == 1
        assert before["nexus_plugin_background_tasks[('plugin', 'foo')]"] == 1
        assert before["nexus_plugins[('state', 'running')]"] == 1
        assert any("http" in name and "'foo'" in name for name in before)
        await site.app.manager.disable("foo")
        after = await samples()
        assert after["nexus_plugin_running[('plugin', 'foo')]"] == 0
        left = [name for name in after if "'foo'" in name]
        assert sorted(left) == [
            "nexus_plugin_generation[('plugin', 'foo')]",
            "nexus_plugin_restarts_total[('plugin', 'foo')]",
            "nexus_plugin_running[('plugin', 'foo')]",
            "nexus_plugin_state[('plugin', 'foo'), ('state', 'disabled')]",
            "nexus_plugin_task_restarts_total[('plugin', 'foo')]",
        ]  # what is the plugin's whether it runs or not


async def test_many_who_ask_for_health_share_one_check(workshop: Any) -> None:
    body = """
    checked = 0

    async def health_check(self):
        self.checked += 1
        return HealthStatus(healthy=False, message="tired")
"""
    workshop.plugin("foo", body)
    async with workshop.running() as site:
        before = site.plugin("foo").checked
        nobody: dict[str, str] = {}
        for headers in (nobody, site.admin, nobody):
            health = (await site.http.get("/health", headers=headers)).json()
            assert health["plugins"]["foo"]["healthy"] is False
            assert health["plugins"]["foo"].get("message") == ("tired" if headers else None)
        assert site.plugin("foo").checked == before + 1


async def test_an_event_that_is_too_large_is_413(workshop: Any) -> None:
    async with workshop.running() as site:
        event = {"name": "shop.sold", "data": {"text": "x" * 300_000}}
        answer = await site.api("POST", "/events", json=event)
        assert (answer.status_code, answer.json()["code"]) == (413, "event-too-large")


async def test_a_folder_that_cannot_be_read_is_told_and_keeps_its_plugins(
    workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.plugin("foo", "")
    workshop.plugin("broken", "    async def initialize(self): raise ValueError('no')")
    async with workshop.running() as site:
        with monkeypatch.context() as patch:

            def refuse(_path: object) -> Any:
                raise PermissionError(13, "Permission denied")

            patch.setattr("nexus.plugins.discovery.os.scandir", refuse)
            await site.app.manager.rescan()
            await site.app.manager.settle()
            assert site.app.manager.names() == ("broken", "foo", "plugins")
            assert site.state("plugins") is PluginState.INVALID
            assert "Permission denied" in site.reason("plugins")
            assert site.state("foo") is PluginState.RUNNING
        await site.app.manager.rescan()
        assert site.app.manager.names() == ("broken", "foo")


async def test_the_secret_key_is_exchanged_while_the_application_runs(workshop: Any) -> None:
    workshop.plugin("foo", configuration={"pin": {"type": "string", "secret": True}})
    async with workshop.running() as site:
        await site.api("PATCH", "/plugins/foo/config", json={"pin": "canary-5d2e"})
        before = await site.app.store.items("config/foo")

        answer = await site.api("POST", "/system/secrets/rotate")

        assert (answer.json()["encrypted"], answer.json()["lost"]) == (1, [])
        assert await site.app.store.items("config/foo") != before
        assert site.app.manager.controller("foo").configuration.get("pin") == "canary-5d2e"
        rows = (await site.api("GET", "/audit?action=secrets.rotate")).json()["items"]
        assert [row["result"] for row in rows] == ["done", "begun"]
        assert rows[0]["after"] == answer.json()
    async with workshop.running() as site:
        assert site.app.manager.controller("foo").configuration.get("pin") == "canary-5d2e"
