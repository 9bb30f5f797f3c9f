"""The benchmarks can be run and tell what they should; what they measure is not judged here."""

import asyncio
import json
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
KEYS = {"name", "value", "unit", "against", "ratio", "target", "ok"}


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))

    def load(name: str) -> ModuleType:
        return import_module(f"benchmarks.{name}")

    return load


def row(**changes: Any) -> dict[str, Any]:
    plain = {
        "name": "a thing",
        "value": 1234.5,
        "unit": "us",
        "against": "another",
        "ratio": 0.5,
        "target": 1.0,
        "ok": True,
    }
    return {**plain, **changes}


def check(rows: list[dict[str, Any]]) -> None:
    assert rows
    for each in rows:
        assert set(each) == KEYS
        assert isinstance(each["name"], str)
        assert isinstance(each["against"], str)
        if each["ok"] is None:
            assert each["value"] is None
            continue
        assert each["value"] > 0
        assert each["ratio"] > 0
        assert each["ok"] is (each["target"] is None or each["ratio"] <= each["target"])
    json.dumps(rows)


def test_every_suite_has_a_module_that_can_be_imported(benchmarks: Any) -> None:
    assert set(benchmarks("__main__").SUITES) == {
        "bus",
        "rivals",
        "data",
        "collections",
        "durable",
        "event_rivals",
        "http",
        "openapi",
        "imports",
        "start",
        "reload",
        "lazy",
        "permissions",
    }
    for name in (
        "bus",
        "rivals",
        "data",
        "collections",
        "durable",
        "event_rivals",
        "http",
        "imports",
        "start",
        "reload",
        "rolling",
        "lazy",
        "permissions",
        "machine",
    ):
        assert benchmarks(name).__doc__


def test_a_small_run_of_the_bus_gives_rows(
    benchmarks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = benchmarks("bus")
    monkeypatch.setattr(bus, "EVENTS", 20)
    monkeypatch.setattr(bus, "TARGETS", {1: 1000.0})
    monkeypatch.setattr(bus, "MATCH_NAMES", 250)
    peers = [name for name in bus.CONTENDERS if name not in ("bare loop", "nexus")]
    for name in peers:  # they are installed where benchmarks are run, and need not be here
        monkeypatch.setitem(bus.CONTENDERS, name, bus.bare_loop)
    monkeypatch.setattr(bus, "PEER_EVENTS", {1: 20})
    rows = bus.run(rounds=1)
    assert [each["name"] for each in rows][-1].startswith("match a name")
    assert {set(each) == KEYS for each in rows} == {True}


def test_a_small_run_of_the_imports_gives_rows(
    benchmarks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports = benchmarks("imports")
    programs = dict.fromkeys(imports.PROGRAMS, "sum(range(300_000))")
    monkeypatch.setattr(imports, "PROGRAMS", programs)
    check(imports.run(rounds=1))


def test_a_small_run_of_the_start_gives_rows(benchmarks: Any) -> None:
    rows = benchmarks("start").run(rounds=1, plugins=(1, 2))
    check(rows)
    assert [each["name"] for each in rows if each["unit"] == "s CPU"] == [
        "1 plugins are ready",
        "2 plugins are ready",
    ]


def test_a_small_run_of_the_reloads_gives_rows(benchmarks: Any) -> None:
    check(benchmarks("reload").measure_reloads(plugins=1, rounds=2))


async def test_a_small_run_of_the_permissions_gives_rows(benchmarks: Any, tmp_path: Path) -> None:
    permissions = benchmarks("permissions")
    rows = await permissions._compare(1, 20, tmp_path)
    assert [each["name"][:13] for each in rows] == ["publish_event"] * 2 + ["get_data with"]
    assert {set(each) == KEYS for each in rows} == {True}
    transport = httpx.ASGITransport(permissions.guarded_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        path = "/plugins/p0/readings9"
        assert (await client.get(path)).status_code == 401
        client.headers["Authorization"] = f"Bearer {permissions.TOKEN}"
        assert (await client.get(path)).status_code == 200


def test_a_platform_that_cannot_be_had_is_told(
    benchmarks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolling = benchmarks("rolling")
    monkeypatch.setattr(rolling, "install", lambda _: None)
    check([rolling.measure(each) for each in rolling.RIVALS])


def test_a_small_run_of_the_document_gives_a_row(benchmarks: Any) -> None:
    check([benchmarks("http").measure_document(plugins=3)])


def test_a_rival_that_cannot_be_had_is_told(
    benchmarks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals = benchmarks("rivals")
    monkeypatch.setattr(rivals, "install", lambda: None)
    rows = rivals.run(rounds=1)
    check(rows)
    assert ["Nexus" in each["against"] for each in rows] == [True, False]


def test_a_rival_whose_server_is_not_there_is_told_and_the_others_are_measured(
    benchmarks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals, measuring = benchmarks("event_rivals"), benchmarks("contenders.contender")

    class AtOnce:
        worker = None

        def __init__(self, handled: Any) -> None:
            self.handled = handled

        async def publish(self, count: int) -> None:
            async def mark(_data: dict[str, Any]) -> None:
                self.handled.mark()

            await measuring.at_once(count, mark)

        async def is_settled(self) -> bool:
            return True

    async def missing(_stack: Any, _handled: Any) -> None:
        message = "no redis-server is installed"
        raise FileNotFoundError(message)

    async def there(_stack: Any, handled: Any) -> Any:
        return AtOnce(handled), AtOnce(handled)

    for name in ("EVENTS", "OURS_EVENTS"):
        monkeypatch.setattr(rivals, name, 64)
    monkeypatch.setattr(rivals, "RIVALS", {"one": ("Redis", missing), "two": ("NATS", there)})
    rows = rivals.run(rounds=1)
    check(rows)
    assert [each["name"].partition(":")[0] for each in rows] == ["Redis", "NATS", "NATS"]
    assert "no redis-server is installed" in rows[0]["against"]
    assert [each["ok"] is None for each in rows] == [True, False, False]


async def test_a_round_ends_when_all_is_handled_and_acknowledged(
    benchmarks: Any, tmp_path: Path
) -> None:
    measuring = benchmarks("contenders.contender")
    handled = measuring.Handled(tmp_path / "handled")
    seen = []

    class Late:
        worker = None

        async def publish(self, count: int) -> None:
            asyncio.get_running_loop().call_later(0.01, lambda: [handled.mark()] * count)
            for _ in range(count - 1):
                handled.mark()

        async def is_settled(self) -> bool:
            seen.append(handled.count())
            return len(seen) > 2

    spent = await measuring.measure(Late(), handled, 3)
    handled.close()
    assert seen == [3, 3, 3]
    assert spent.wall > 0
    assert spent.cpu > 0


def test_a_worker_that_ends_is_told_with_what_it_said_last(benchmarks: Any, tmp_path: Path) -> None:
    worker = benchmarks("contenders.worker")
    with worker.running("nobody", "redis://127.0.0.1:1", tmp_path / "handled") as started:
        started._process.wait(30)
        with pytest.raises(ChildProcessError, match="No module named"):
            started.check()


def test_a_table_says_what_was_reached_and_what_was_missed(benchmarks: Any) -> None:
    cells = benchmarks("__main__").cells
    assert cells(row()) == ("a thing", "1,234 us", "another", "0.500", "1.00", "ok")
    assert cells(row(ok=False))[-1] == "MISSED"
    assert cells(row(target=None, value=0.1234))[1:] == ("0.123 us", "another", "0.500", "-", "")
    assert cells(row(ok=None, value=None, ratio=None))[-1] == "not measured"


def test_results_are_kept_as_a_page_and_as_json(benchmarks: Any, tmp_path: Path) -> None:
    page = benchmarks("__main__").keep(tmp_path, ["bus"], [row()])
    assert page.name.endswith("-bus.md")
    assert "| a thing | 1,234 us | another | 0.500 | 1.00 | ok |" in page.read_text("utf-8")
    kept = json.loads(page.with_suffix(".json").read_text("utf-8"))
    assert kept["rows"] == [row()]
    assert kept["machine"]["python"].startswith("CPython")


def test_a_machine_is_described_without_its_name(benchmarks: Any) -> None:
    import platform

    machine = benchmarks("machine")
    described = machine.describe()
    assert {"processor", "cores", "system", "python", "fastapi", "nexus-platform"} <= set(described)
    assert platform.node() not in " ".join(described.values()).split()
    assert machine.slug(
        {"processor": "Some(R) CPU @ 2.7GHz", "cores": "2", "python": "CPython 3.11.7"}
    ) == ("some-cpu-2-cores-py311")
