import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nexus.observability import worker_scrapes
from nexus.observability.siblings import Siblings
from nexus.observability.worker_scrapes import exposition, merged, share_figures

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


def giving(text: str) -> Siblings:
    async def give() -> str:
        return text

    siblings = Siblings()
    share_figures(siblings, give)
    return siblings


async def hang() -> str:
    await asyncio.get_running_loop().create_future()
    return ""


async def test_whoever_is_asked_gives_the_figures_of_all_that_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two, three = giving(ONE), giving(TWO * 2000), Siblings()
    share_figures(three, hang)
    assert await exposition(one) == ONE
    with TemporaryDirectory() as place:
        folder = Path(place)
        async with one.joined(folder, "1"), two.joined(folder, "2"):
            for asked in (one, two):
                families = {
                    each.name: each
                    for each in text_string_to_metric_families(await exposition(asked))
                }
                samples = families["nexus_b"].samples
                shown = {each.labels["worker"]: each.value for each in samples}
                assert shown == {"1": 2.0, "2": 3.0}
                up = families["nexus_worker_up"].samples
                assert [(each.labels["worker"], each.value) for each in up] == [("1", 1), ("2", 1)]
            monkeypatch.setattr(worker_scrapes, "PATIENCE", 0.05)
            async with three.joined(folder, "3"):
                text = await exposition(one)
            assert 'nexus_worker_up{worker="3"} 0.0' in text
            assert 'nexus_b{worker="1"} 2.0' in text
        assert list(folder.iterdir()) == []
    assert await exposition(one) == ONE


async def test_the_socket_of_a_process_that_was_killed_is_no_hindrance() -> None:
    with TemporaryDirectory() as place:
        for number in ("1", "2"):
            (Path(place) / f"{number}.worker").touch()
        one = giving(ONE)
        async with one.joined(Path(place), "1"):
            text = await exposition(one)
    assert 'nexus_worker_up{worker="1"} 1.0' in text
    assert 'nexus_worker_up{worker="2"} 0.0' in text
