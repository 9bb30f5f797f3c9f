"""What the OpenAPI document says of plugins that start at their first use."""

from typing import Any

import pytest

from nexus.plugins import PluginState

ENDPOINTS = [
    {"method": "GET", "path": "/items/{item_id:int}", "description": "Get an item"},
    {"method": "POST", "path": "/items", "auth": "user"},
    {"method": "WEBSOCKET", "path": "/live"},
]
USE: dict[str, Any] = {"activation": ["on_request"], "idle_stop": 0.02}


async def document(site: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await site.http.get("/openapi.json")).json()
    assert site.app.app.openapi() == found
    return found


async def test_routes_are_those_of_the_manifest_until_it_has_run_and_then_those_that_it_had(
    workshop: Any,
) -> None:
    workshop.plugin("lazy", says=1, api_endpoints=ENDPOINTS, **USE)
    workshop.plugin("bare", says=1, **USE)
    async with workshop.running() as site:
        found = await document(site)
        item = found["paths"]["/plugins/lazy/items/{item_id}"]["get"]
        assert item["summary"] == "Get an item"
        assert item["tags"] == ["lazy"]
        assert [each["name"] for each in item["parameters"]] == ["item_id"]
        added = found["paths"]["/plugins/lazy/items"]["post"]
        assert added["security"]
        named = {name for each in added["security"] for name in each}
        assert named <= set(found["components"]["securitySchemes"])
        assert not any(path.startswith("/plugins/bare") for path in found["paths"])
        assert "/plugins/lazy/live" not in found["paths"]
        assert found["x-nexus-dormant"] == [
            {"plugin": "bare", "described_by": "manifest"},
            {"plugin": "lazy", "described_by": "manifest"},
        ]
        before = (await site.http.get("/openapi.json")).headers["ETag"]

        assert await site.says("lazy") == 1
        await workshop.until(lambda: site.state("lazy") is PluginState.DORMANT)
        found = await document(site)
        assert "get" in found["paths"]["/plugins/lazy/"]
        assert "/plugins/lazy/items" not in found["paths"]
        assert {"plugin": "lazy", "described_by": "last run"} in found["x-nexus-dormant"]
        assert (await site.http.get("/openapi.json")).headers["ETag"] != before

    async with workshop.running() as site:  # the same code: it need not run for that
        assert site.state("lazy") is PluginState.DORMANT
        assert "/plugins/lazy/" in (await document(site))["paths"]

    workshop.plugin("lazy", says=2, api_endpoints=ENDPOINTS, **USE)
    async with workshop.running() as site:  # other code: what it had is not what it has
        found = await document(site)
        assert "/plugins/lazy/" not in found["paths"]
        assert "/plugins/lazy/items" in found["paths"]
        await site.api("POST", "/plugins/lazy/disable")
        found = await document(site)
        assert [each["plugin"] for each in found["x-nexus-dormant"]] == ["bare"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"source": 1}', b"\xff"])
async def test_what_was_kept_and_is_damaged_is_not_used(workshop: Any, damage: bytes) -> None:
    workshop.plugin("lazy", says=1, api_endpoints=ENDPOINTS, **USE)
    async with workshop.running() as site:
        assert await site.says("lazy") == 1
        await workshop.until(lambda: site.state("lazy") is PluginState.DORMANT)
        [kept] = (site.app.settings.data_folder / "openapi").iterdir()
    kept.write_bytes(damage)
    async with workshop.running() as site:
        assert "/plugins/lazy/items" in (await document(site))["paths"]


async def test_what_another_worker_has_run_is_told_as_well(workshop: Any) -> None:
    workshop.plugin("lazy", says=1, api_endpoints=ENDPOINTS, **USE)
    async with workshop.running() as site:
        assert await site.says("lazy") == 1
        await workshop.until(lambda: site.state("lazy") is PluginState.DORMANT)
        [kept] = (site.app.settings.data_folder / "openapi").iterdir()
    text = kept.read_bytes()
    kept.unlink()
    async with workshop.running() as site:
        assert "/plugins/lazy/" not in (await document(site))["paths"]
        kept.write_bytes(text)  # as it does when the plugin stops there
        assert "/plugins/lazy/" in (await document(site))["paths"]
