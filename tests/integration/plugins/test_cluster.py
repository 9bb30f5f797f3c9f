"""Several workers on one database, as several applications in one process."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nexus.plugins import PluginState

WORD = {"word": {"type": "string", "default": "none"}}
SAYS_WORD = """
    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def root():
            return {"says": await self.get_config("word")}

        @router.post("/word")
        async def change(word: str):
            await self.set_config("word", word)

        return [router]
"""


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
async def database(request: Any, tmp_path: Path, new_database: Any) -> AsyncIterator[Any]:
    if request.param == "sqlite":
        yield {"url": f"sqlite:///{tmp_path}/shared.db", "shared": True}
        return
    async with new_database(request.param) as url:
        yield {"url": url}


@pytest.fixture
def machine(workshop: Any, tmp_path: Path) -> Any:
    """Give what makes the folder of one machine."""

    def make(name: str) -> Any:
        return type(workshop)(tmp_path / name)

    return make


@asynccontextmanager
async def together(
    database: Any, *machines: Any, patience: float = 30.0, **settings: Any
) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        sites = [
            await stack.enter_async_context(
                each.running(
                    database=database,
                    cluster={"patience": patience},
                    security={"secret_key": "a-key-that-all-machines-have"},
                    **settings,
                )
            )
            for each in machines
        ]
        yield sites


async def test_what_one_worker_is_told_all_have_done_when_it_answers(
    machine: Any, database: Any
) -> None:
    machines = [machine(name) for name in "abc"]
    for each in machines:
        each.plugin("foo", says="old")
    async with together(database, *machines) as sites:
        for turn, site in enumerate(sites * 2):
            answer = await site.api("POST", "/plugins/foo/disable")
            assert (answer.status_code, answer.json()["state"]) == (200, "disabled")
            assert [await each.says("foo") for each in sites] == [503] * 3
            answer = await site.api("POST", "/plugins/foo/enable")
            assert (answer.status_code, answer.json()["state"]) == (200, "running")
            for each in machines:
                each.plugin("foo", says=turn)
            answer = await site.api("POST", "/plugins/foo/reload")
            assert (answer.status_code, answer.json()["state"]) == (200, "running")
            assert [await each.says("foo") for each in sites] == [turn] * 3
        workers = (await sites[0].api("GET", "/system")).json()["workers"]
        assert len(workers) == 3
        assert {each["state"] for each in workers} == {"serving"}


async def test_settings_are_everywhere_when_the_answer_comes(machine: Any, database: Any) -> None:
    machines = [machine(name) for name in "ab"]
    for each in machines:
        each.plugin("foo", SAYS_WORD, configuration=WORD)
    async with together(database, *machines) as (one, other):
        answer = await one.api("PATCH", "/plugins/foo/config", json={"word": "new"})
        assert answer.status_code == 200, answer.text
        assert (await one.says("foo"), await other.says("foo")) == ("new", "new")
        answer = await other.api("PATCH", "/plugins/foo/config", json={"word": None})
        assert answer.status_code == 200, answer.text
        assert (await one.says("foo"), await other.says("foo")) == ("none", "none")
        answer = await one.api("PATCH", "/plugins/foo/config", json={"word": 7})
        assert answer.status_code == 422
        assert (await one.says("foo"), await other.says("foo")) == ("none", "none")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
async def test_a_new_secret_key_is_taken_up_by_all_workers_without_a_restart(
    workshop: Any, database: Any
) -> None:
    workshop.plugin("foo", SAYS_WORD, configuration={"word": {**WORD["word"], "secret": True}})
    async with (
        workshop.running(database=database) as one,
        workshop.running(database=database) as two,
    ):
        for turn, (site, other) in enumerate([(one, two), (two, one), (one, two)]):
            change = {"word": f"word {turn}"}
            answer = await site.api("PATCH", "/plugins/foo/config", json=change)
            assert answer.status_code == 200, answer.text
            assert (await one.says("foo"), await two.says("foo")) == (f"word {turn}",) * 2
            rotated = (await other.api("POST", "/system/secrets/rotate")).json()
            assert (rotated["encrypted"], rotated["lost"]) == (1, [])
        assert (await one.api("POST", "/plugins/foo/reload")).status_code == 200
        assert (await one.says("foo"), await two.says("foo")) == ("word 2", "word 2")


async def test_what_a_plugin_sets_itself_reaches_the_others(machine: Any, database: Any) -> None:
    machines = [machine(name) for name in "ab"]
    for each in machines:
        each.plugin("foo", SAYS_WORD, configuration=WORD)
    async with together(database, *machines) as (one, other):
        assert (await one.http.post("/plugins/foo/word?word=own")).status_code == 200
        async with asyncio.timeout(30):
            while await other.says("foo") != "own":
                await asyncio.sleep(0.01)


async def test_a_worker_that_cannot_follow_is_named_and_not_ready_until_it_can(
    machine: Any, database: Any
) -> None:
    good, bad = machine("good"), machine("bad")
    for each in (good, bad):
        each.plugin("foo", says="old")
    async with together(database, good, bad) as (one, other):
        good.plugin("foo", says="new")
        bad.plugin("foo", code="raise ValueError('no such thing here')")
        answer = await one.api("POST", "/plugins/foo/reload")
        assert answer.status_code == 503
        assert answer.json()["code"] == "workers-differ"
        assert "no such thing here" in answer.text
        assert (await one.says("foo"), await other.says("foo")) == ("new", "old")
        async with asyncio.timeout(30):
            while (await other.http.get("/health/ready")).status_code == 200:
                await asyncio.sleep(0.01)
        told = await other.http.get("/health/ready", headers=other.admin)
        assert told.json()["status"] == "left_behind"
        assert "no such thing here" in told.json()["plugins"]["foo"]
        assert "no such thing here" not in (await other.http.get("/health/ready")).text
        assert (await one.http.get("/health/ready")).status_code == 200
        troubles = [
            each["troubles"] for each in (await one.api("GET", "/system")).json()["workers"]
        ]
        assert [set(each) for each in troubles] == [set(), {"foo"}]
        bad.plugin("foo", says="new")
        answer = await other.api("POST", "/plugins/foo/reload")
        assert answer.status_code == 200, answer.text
        async with asyncio.timeout(30):
            while (await other.http.get("/health/ready")).status_code != 200:
                await asyncio.sleep(0.01)


async def test_what_fails_on_all_workers_is_told_as_on_one_and_all_stay_ready(
    machine: Any, database: Any
) -> None:
    machines = [machine(name) for name in "ab"]
    for each in machines:
        each.plugin("foo", says="old")
    async with together(database, *machines) as sites:
        for each in machines:
            each.plugin("foo", code="raise ValueError('broken')")
        answer = await sites[0].api("POST", "/plugins/foo/reload")
        assert (answer.status_code, answer.json()["code"]) == (409, "reload-failed")
        for site in sites:
            assert await site.says("foo") == "old"
            await site.app.convergence.look()
            assert (await site.http.get("/health/ready")).status_code == 200


async def test_a_worker_that_does_not_answer_in_time_is_named(machine: Any, database: Any) -> None:
    good, slow = machine("good"), machine("slow")
    for each in (good, slow):
        each.plugin("foo", says="old")
    async with together(database, good, slow, patience=0.5) as (one, other):
        good.plugin("foo", says="new")
        hang = (
            "    async def initialize(self):\n        await asyncio.sleep(2)\n        return True\n"
        )
        slow.plugin("foo", hang, says="new")
        answer = await one.api("POST", "/plugins/foo/reload")
        assert answer.status_code == 503
        assert "has not answered in time" in answer.text
        async with asyncio.timeout(30):
            while await other.says("foo") != "new":
                await asyncio.sleep(0.01)


async def test_a_worker_that_joins_finds_what_was_wanted_before(
    machine: Any, database: Any
) -> None:
    machines = [machine(name) for name in "ab"]
    for each in machines:
        each.plugin("foo", says="it")
    async with together(database, machines[0]) as (one,):
        await one.api("POST", "/plugins/foo/disable")
        async with together(database, machines[1]) as (other,):
            assert other.state("foo") is PluginState.DISABLED
            answer = await other.api("POST", "/plugins/foo/enable")
            assert answer.status_code == 200
            assert await one.says("foo") == "it"
        # One that has gone is waited for no longer.
        assert (await one.api("POST", "/plugins/foo/disable")).status_code == 200
        assert len((await one.api("GET", "/system")).json()["workers"]) == 1


async def test_changes_at_the_same_time_end_in_one_state(machine: Any, database: Any) -> None:
    machines = [machine(name) for name in "ab"]
    for each in machines:
        each.plugin("foo", says="it")
        each.plugin("bar", says="it")
    async with together(database, *machines) as sites:
        wishes = ["enable", "disable", "reload"]
        answers = await asyncio.gather(
            *(
                site.api("POST", f"/plugins/{name}/{wish}")
                for site in sites
                for name in ("foo", "bar")
                for wish in wishes
            )
        )
        assert {each.status_code for each in answers} <= {200, 409, 503}
        for name in ("foo", "bar"):
            await sites[0].api("POST", f"/plugins/{name}/reload")
            assert sites[0].state(name) is sites[1].state(name)


async def test_one_worker_alone_follows_nobody(workshop: Any) -> None:
    workshop.plugin("foo", says="it")
    async with workshop.running() as site:
        assert site.app.convergence is None
        assert (await site.api("POST", "/plugins/foo/disable")).json()["state"] == "disabled"
        assert await site.app.store.items("nexus.cluster") == {}
        [worker] = (await site.api("GET", "/system")).json()["workers"]
        assert worker["this"]


async def test_a_change_that_is_not_stored_is_not_believed(
    machine: Any, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = machine("a")
    one.plugin("foo", SAYS_WORD, configuration=WORD)
    async with together(database, one) as (site,):
        store = site.app.desk.store

        async def fail(name: str, values: Any) -> Any:
            await store(name, values)
            raise OSError("the database has gone")

        monkeypatch.setattr(site.app.desk, "store", fail)
        with pytest.raises(OSError, match="has gone"):
            await site.app.operator.configure("foo", {"word": "lost"})
        assert await site.says("foo") == "none"
        assert json.dumps(await site.app.store.items("config/foo")) == "{}"


async def test_all_workers_follow_an_approval_and_a_revocation(database: Any, machine: Any) -> None:
    machines = [machine("one"), machine("other")]
    for each in machines:
        each.plugin("foo", SAYS_WORD, configuration=WORD)
    async with together(database, *machines, permissions={"grant": "ask"}) as (one, other):
        assert {each.state("foo") for each in (one, other)} == {PluginState.BLOCKED}
        assert (await one.api("POST", "/plugins/foo/approve")).is_success
        assert {each.state("foo") for each in (one, other)} == {PluginState.RUNNING}
        answer = await other.api("POST", "/plugins/foo/revoke")
        assert {each.state("foo") for each in (one, other)} == {PluginState.BLOCKED}, answer.text
        rows = (await one.api("GET", "/audit?action=permission.*")).json()["items"]
        assert [each["action"] for each in rows] == ["permission.revoke", "permission.approve"]
