"""The figures of plugins, the event loop and the database, as metric families."""

import platform
from collections import Counter
from collections.abc import Callable, Iterator

from nexus._version import __version__
from nexus.data.database import Database
from nexus.observability.metrics import Family, HistogramFamily, Sample
from nexus.plugins.manager import PluginManager
from nexus.plugins.state import PluginState
from nexus.plugins.watchdog import Watchdog

_OF_DATABASE: tuple[tuple[str, str, bool], ...] = (
    ("queued_writes", "Writes that wait.", False),
    ("queued_reads", "Reads that wait.", False),
    ("file_bytes", "Size of the database file.", False),
    ("wal_bytes", "Size of the write-ahead log.", False),
    ("commits", "Transactions committed.", True),
    ("writes", "Writes done.", True),
    ("failed_writes", "Writes that failed.", True),
    ("queries", "Statements run on the server.", True),
    ("failed_queries", "Statements that failed.", True),
    ("slow_queries", "Statements slower than database.slow_query.", True),
    ("pool_size", "Connections that there may be.", False),
    ("pool_in_use", "Connections in use.", False),
    ("pool_idle", "Connections that are open and not in use.", False),
    ("pool_waiting", "Callers that wait for a connection.", False),
)
"""Every figure that an engine may have: its name, its meaning, and whether it only grows."""


def build_figures() -> Iterator[Family]:
    """Give which version of what runs."""
    version = {"version": __version__, "python": platform.python_version()}
    yield Family(
        name="nexus_build_info",
        help="1, with the versions that run.",
        samples=[Sample(value=1.0, labels=version)],
    )


def plugin_figures(manager: PluginManager) -> Callable[[], Iterator[Family]]:
    """Make a source of the plugins' states, generations and background tasks."""

    def families() -> Iterator[Family]:
        controllers = manager.controllers()
        states = Counter(each.status.state for each in controllers)
        yield Family(
            name="nexus_plugins",
            help="Plugins by state.",
            samples=[
                Sample(value=states.get(state, 0), labels={"state": state}) for state in PluginState
            ],
        )
        yield Family(
            name="nexus_plugin_running",
            help="1 while the plugin runs, 0 while it does not.",
            samples=[
                Sample(value=float(each.live is not None), labels={"plugin": each.name})
                for each in controllers
            ],
        )
        yield Family(
            name="nexus_plugin_generation",
            help="The number of the generation that serves.",
            samples=[
                Sample(value=each.status.generation, labels={"plugin": each.name})
                for each in controllers
            ],
        )
        yield Family(
            name="nexus_plugin_restarts",
            help="Times that the plugin was started again by itself.",
            counter=True,
            samples=[
                Sample(value=each.supervisor.restarts, labels={"plugin": each.name})
                for each in controllers
            ],
        )
        yield Family(
            name="nexus_plugin_task_restarts",
            help="Times that a background task of the plugin was started again.",
            counter=True,
            samples=[
                Sample(value=each.supervisor.task_restarts, labels={"plugin": each.name})
                for each in controllers
            ],
        )
        yield Family(
            name="nexus_plugin_state",
            help="1 for the state that the plugin is in.",
            samples=[
                Sample(value=1.0, labels={"plugin": each.name, "state": each.status.state})
                for each in controllers
            ],
        )
        live = [each.live for each in controllers if each.live is not None]
        yield Family(
            name="nexus_plugin_background_tasks",
            help="Background tasks that a plugin has running.",
            samples=[
                Sample(value=len(each.tasks), labels={"plugin": each.plugin}) for each in live
            ],
        )
        yield Family(
            name="nexus_plugin_events_published",
            help="Events that the plugin has published.",
            counter=True,
            samples=[
                Sample(value=each.events.published, labels={"plugin": each.plugin}) for each in live
            ],
        )

    return families


def loop_figures(watchdog: Watchdog) -> Callable[[], Iterator[Family | HistogramFamily]]:
    """Make a source of how late the event loop is, and of the blocks that were noticed."""

    def families() -> Iterator[Family | HistogramFamily]:
        yield HistogramFamily(
            name="nexus_event_loop_lag_seconds",
            help="How late the event loop came to what was due, sampled all the time.",
            distribution=watchdog.lateness,
        )
        yield Family(
            name="nexus_event_loop_blocks",
            help="Times that a plugin's code blocked the event loop for long.",
            counter=True,
            samples=[
                Sample(value=count, labels={"plugin": plugin})
                for plugin, count in sorted(watchdog.blocks.items())
            ],
        )

    return families


def database_figures(database: Database) -> Callable[[], Iterator[Family]]:
    """Make a source of the database's figures, those that its engine has."""

    def families() -> Iterator[Family]:
        figures = database.figures()
        for name, help_, counter in _OF_DATABASE:
            if name in figures:
                yield Family(
                    name=f"nexus_database_{name}",
                    help=help_,
                    counter=counter,
                    samples=[Sample(value=figures[name])],
                )

    return families
