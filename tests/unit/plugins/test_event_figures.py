"""The figures of the event log and of those who are behind, as the metrics show them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nexus.data import SqliteDatabase, SqliteFile
from nexus.events.durable import DurableLog
from nexus.events.engines.sql import SqlJournal
from nexus.events.log import Lag, SubscriptionKey
from nexus.observability.watched import Watched
from nexus.plugins.event_figures import lag_figures, log_figures

LAG = Lag(
    key=SubscriptionKey("mailer", "order.*"),
    waiting=7,
    oldest=12.5,
    dead=2,
    worker="",
    enabled=False,
    size=900,
)


def shown(families: Any) -> Mapping[str, Sequence[tuple[Mapping[str, str], float]]]:
    return {
        each.name: [(sample.labels, sample.value) for sample in each.samples] for each in families()
    }


async def test_each_subscriptions_lag_is_shown_as_it_was_measured() -> None:
    async def measure() -> Sequence[Lag]:
        return [LAG]

    lags = Watched(measure, seconds=60, name="test")
    source = lag_figures(lags)
    assert set(map(str, shown(source).values())) == {"[]"}
    await lags.look(60)
    labels = {"plugin": "mailer", "subscription": "order.*"}
    assert shown(source) == {
        "nexus_event_subscription_waiting": [(labels, 7)],
        "nexus_event_subscription_oldest_seconds": [(labels, 12.5)],
        "nexus_event_subscription_dead_letters": [(labels, 2)],
        "nexus_event_subscription_bytes": [(labels, 900)],
    }


def test_no_figure_of_the_log_is_left_out_of_the_metrics(tmp_path: Path) -> None:
    database = SqliteDatabase(SqliteFile(path=tmp_path / "no.db"))
    log = DurableLog(database, SqlJournal(database))
    assert len(shown(log_figures(log))) == len(log.figures()) + 1


def test_a_log_that_cannot_be_worked_with_is_down() -> None:
    for trouble, up in (("", 1.0), ("no server", 0.0)):
        log: Any = SimpleNamespace(condition=SimpleNamespace(trouble=trouble), figures=dict)
        assert shown(log_figures(log)) == {"nexus_event_log_up": [({}, up)]}
