"""Testing plugins: what a test imports. The pytest plugin comes with the package.

The names below are loaded on first use: pytest imports this package in every run of an environment
that has Nexus installed, whatever is tested.
"""

from typing import TYPE_CHECKING

from nexus._lazy import lazy_names

if TYPE_CHECKING:
    from nexus.testing.background import BackgroundTaskFailed
    from nexus.testing.detached import published
    from nexus.testing.events import (
        EventRecorder,
        advance_retries,
        dead_letters,
        expect_event,
        settle_events,
        wait_for_event,
    )
    from nexus.testing.harness import app_for, management_headers
    from nexus.testing.jobs import run_job

__all__ = [
    "BackgroundTaskFailed",
    "EventRecorder",
    "advance_retries",
    "app_for",
    "dead_letters",
    "expect_event",
    "management_headers",
    "published",
    "run_job",
    "settle_events",
    "wait_for_event",
]

_HOMES = {
    "BackgroundTaskFailed": "nexus.testing.background",
    "EventRecorder": "nexus.testing.events",
    "advance_retries": "nexus.testing.events",
    "app_for": "nexus.testing.harness",
    "dead_letters": "nexus.testing.events",
    "expect_event": "nexus.testing.events",
    "management_headers": "nexus.testing.harness",
    "published": "nexus.testing.detached",
    "run_job": "nexus.testing.jobs",
    "settle_events": "nexus.testing.events",
    "wait_for_event": "nexus.testing.events",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
