"""A start without the plugins that do not come with the platform."""

from typing import Any

import pytest

from nexus.plugins import PluginState
from nexus.plugins.safe_mode import ASKED_FOR


async def test_no_plugin_starts_and_everything_says_so(
    workshop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    workshop.plugin("foo", top="raise SystemExit")
    async with workshop.running(startup={"safe_mode": True}) as site:
        assert site.state("foo") is PluginState.BLOCKED
        assert "safe mode" in site.reason("foo")
        answer = await site.http.get("/plugins/foo/")
        assert (answer.status_code, answer.json()["state"]) == (503, "blocked")
        assert (await site.http.get("/health/ready")).status_code == 200
        assert (await site.http.get("/health")).json()["safe_mode"] == {"on": True}
        health = (await site.http.get("/health", headers=site.admin)).json()
        assert health["status"] == "degraded"
        assert "nexus plugin disable NAME" in health["safe_mode"]["message"]
        assert (await site.api("GET", "/system")).json()["safe_mode"] == ASKED_FOR
        assert "Safe mode: only plugins that come with Nexus start." in caplog.text
        assert (await site.api("POST", "/plugins/foo/enable")).json()["state"] == "blocked"
        assert (await site.api("POST", "/plugins/foo/disable")).json()["state"] == "disabled"


async def test_what_comes_with_the_platform_starts(
    workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workshop.plugin("foo", says="foo")
    monkeypatch.setattr("nexus.plugins.safe_mode._BUILTIN", folder.parent)
    async with workshop.running(startup={"safe_mode": True}) as site:
        assert await site.says("foo") == "foo"


async def test_a_plugin_is_enabled_as_before_when_safe_mode_is_over(workshop: Any) -> None:
    workshop.plugin("foo", says="foo")
    async with workshop.running(startup={"safe_mode": True}) as site:
        assert site.app.manager.controller("foo").enabled
    async with workshop.running() as site:
        assert await site.says("foo") == "foo"
        assert (await site.api("GET", "/system")).json()["safe_mode"] is None
