import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nexus.observability import worker_scrapes
from nexus.observability.worker_scrapes import WorkerScrapes, merged

ONE = """# HELP nexus_a_total A's.
# TYPE nexus_a_total counter
nexus_a_total{plugin="sh{op"} 1.0
# HELP nexus_b B.
# TYPE nexus_b gauge
nexus_b 2.0
"""
TWO = """# HELP nexus_b B.
# TYPE nexus_b gauge
nexus_b 3.0
# HELP nexus_c C.
# TYPE nexus_c gauge
"""


def test_families_are_put_together_by_name() -> None:
    assert merged({"2": TWO, "1": ONE}) == (
        "# HELP nexus_a_total A's.\n"
        "# TYPE nexus_a_total counter\n"
        'nexus_a_total{worker="1",plugin="sh{op"} 1.0\n'
        "# HELP nexus_b B.\n"
        "# TYPE nexus_b gauge\n"
        'nexus_b{worker="1"} 2.0\n'
        'nexus_b{worker="2"} 3.0\n'
        "# HELP nexus_c C.\n"
        "# TYPE nexus_c gauge\n"
    )


def giving(text: str) -> Callable[[], Awaitable[str]]:
    async def give() -> str:
        return text

    return give


async def hang() -> str:
    await asyncio.get_running_loop().create_future()
    return ""


async def test_whoever_is_asked_gives_the_figures_of_all_that_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two, three = WorkerScrapes(), WorkerScrapes(), WorkerScrapes()
    one.own, two.own, three.own = giving(ONE), giving(TWO * 2000), hang
    assert await one.text() == ONE
    with TemporaryDirectory() as place:
        folder = Path(place)
        async with one.joined(folder, "1"), two.joined(folder, "2"):
            for asked in (one, two):
                families = {
                    each.name: each for each in text_string_to_metric_families(await asked.text())
                }
                samples = families["nexus_b"].samples
                shown = {each.labels["worker"]: each.value for each in samples}
                assert shown == {"1": 2.0, "2": 3.0}
                up = families["nexus_worker_up"].samples
                assert [(each.labels["worker"], each.value) for each in up] == [("1", 1), ("2", 1)]
            monkeypatch.setattr(worker_scrapes, "PATIENCE", 0.05)
            async with three.joined(folder, "3"):
                text = await one.text()
            assert 'nexus_worker_up{worker="3"} 0.0' in text
            assert 'nexus_b{worker="1"} 2.0' in text
        assert list(folder.iterdir()) == []
    assert await one.text() == ONE


async def test_the_socket_of_a_process_that_was_killed_is_no_hindrance(tmp_path: Path) -> None:
    with TemporaryDirectory() as place:
        (Path(place) / "1.metrics").touch()
        one = WorkerScrapes()
        one.own = giving(ONE)
        async with one.joined(Path(place), "1"):
            assert 'nexus_worker_up{worker="1"} 1.0' in await one.text()
