"""Who has changed what, over the management API."""

from typing import Any

SETTINGS = {
    "word": {"type": "string", "default": "none"},
    "key": {"type": "string", "secret": True},
}
CANARY = "canary-5e1f0c"


async def rows(site: Any, **query: Any) -> list[dict[str, Any]]:
    answer = await site.api("GET", "/audit", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_changes_are_on_record_with_who_before_and_after_and_no_secret(
    workshop: Any,
) -> None:
    workshop.plugin("foo", configuration=SETTINGS)
    async with workshop.running() as site:
        site.http.headers["X-Request-ID"] = "request-7"
        site.http.headers["X-Nexus-Cli-User"] = "ann\nroot"[:3]
        for values in ({"word": "one", "key": CANARY}, {"word": "two", "key": CANARY + "2"}):
            assert (await site.api("PATCH", "/plugins/foo/config", json=values)).is_success
        assert (await site.api("POST", "/plugins/foo/reload")).is_success
        assert (await site.api("POST", "/plugins/foo/disable")).is_success
        assert (await site.api("DELETE", "/plugins/foo/data")).is_success
        assert (await site.api("PUT", "/system/maintenance", json={"on": True})).is_success
        await site.api("POST", "/events", json={"name": "a.b", "data": {"secret": CANARY}})
        *found, granted = await rows(site)
        assert (granted["action"], granted["actor"]) == ("permission.grant", "system")
        actions = [(row["action"], row["result"]) for row in found]
        assert actions == [
            ("event.publish", "done"),
            ("system.maintenance", "done"),
            ("data.purge", "done"),
            ("data.purge", "begun"),
            ("plugin.disable", "done"),
            ("plugin.reload", "done"),
            ("plugin.configure", "done"),
            ("plugin.configure", "done"),
        ]
        assert {row["actor"] for row in found} == {"cli:ann"}
        assert {row["request_id"] for row in found} == {"request-7"}
        assert {row["address"] for row in found} == {"127.0.0.1"}
        configured = found[6]
        assert configured["before"] == {"word": "one", "key": "********"}
        assert configured["after"] == {"word": "two", "key": "********"}
        stored = await site.app.database.fetch_all("SELECT * FROM nexus_audit")
        assert CANARY not in repr([tuple(row) for row in stored])


async def test_a_change_that_fails_is_on_record_and_pages_follow_each_other(workshop: Any) -> None:
    workshop.plugin("foo", says=1)
    async with workshop.running() as site:
        workshop.plugin("foo", top="raise RuntimeError('no')")
        assert (await site.api("POST", "/plugins/foo/reload")).status_code == 409
        [row] = await rows(site, action="plugin.*")
        assert (row["action"], row["result"]) == ("plugin.reload", "refused")
        assert row["after"]["code"] == "reload-failed"
        await site.api("POST", "/plugins/foo/disable")
        page = (await site.api("GET", "/audit?limit=1")).json()
        rest = (await site.api("GET", f"/audit?limit=1&before={page['next']}")).json()
        assert [each["action"] for each in page["items"] + rest["items"]] == [
            "plugin.disable",
            "plugin.reload",
        ]
        last = (await site.api("GET", f"/audit?limit=1&before={rest['next']}")).json()
        assert last["next"] is None
        assert (await site.api("GET", "/audit?since=never")).status_code == 422
        assert (await site.api("DELETE", "/audit")).status_code == 405


async def test_a_change_that_cannot_be_recorded_does_not_happen(workshop: Any) -> None:
    workshop.plugin("foo", configuration=SETTINGS, says=1)
    async with workshop.running() as site:
        await site.app.database.execute("DROP TABLE nexus_audit")
        assert (await site.api("POST", "/plugins/foo/disable")).status_code >= 500
        assert (
            await site.api("PATCH", "/plugins/foo/config", json={"word": "x"})
        ).status_code >= 500
        assert site.state("foo") == "running"
        entries = {each.key: each.value for each in site.app.desk.entries("foo")}
        assert entries["word"] == "none"
        await site.app.parts.audit.open()
