"""Reloads under load from another process, and what its notes say of them."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tests.acceptance.conftest import Application
from tests.acceptance.reloads.workplace import Workplace, reload

_LOAD: Final = Path(__file__).parent / "load.py"
_PATIENCE: Final = 30.0


@dataclass
class Evidence:
    """What happened.

    Attributes:
        returned: When the reload to each edition had returned, by edition.
        answers: What the process that sends requests wrote down.
        handled: The numbers of the durable events that were handled, in order.
    """

    returned: dict[int, float] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)
    handled: list[int] = field(default_factory=list)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The requests that were not answered with a 2xx."""
        return [each for each in self.answers if not 200 <= each["status"] < 300]

    @property
    def stale(self) -> list[dict[str, Any]]:
        """The answers of old code to requests that were sent after a reload had returned."""
        return [
            each
            for each in self.answers
            if each["kind"] in ("route", "call")
            and each["status"] == 200
            and min(_editions(each)) < self._edition_at(each["sent"])
        ]

    @property
    def mixed(self) -> list[dict[str, Any]]:
        """The answers to which old and new code both contributed."""
        return [
            each
            for each in self.answers
            if each["kind"] == "route" and each["status"] == 200 and len(set(_editions(each))) > 1
        ]

    @property
    def acknowledged(self) -> set[int]:
        """The numbers of the durable events that were published."""
        return {
            each["said"]
            for each in self.answers
            if each["kind"] == "sale" and each["status"] == 200
        }

    @property
    def lost(self) -> set[int]:
        """The durable events that were published and not handled."""
        return self.acknowledged - set(self.handled)

    def _edition_at(self, moment: float) -> int:
        return max((each for each, when in self.returned.items() if when <= moment), default=0)

    def summary(self) -> dict[str, int]:
        """Give the figures by name."""
        kinds = [each["kind"] for each in self.answers]
        return {
            "reloads": len(self.returned),
            "requests to its route": kinds.count("route"),
            "calls of its service": kinds.count("call"),
            "durable events": len(self.acknowledged),
            "events handled again": len(self.handled) - len(set(self.handled)),
            "failed": len(self.failed),
            "events lost": len(self.lost),
            "answers of old code": len(self.stale),
            "answers of old and new code": len(self.mixed),
        }

    def check(self) -> None:
        """Hold the notes against the promises."""
        assert not self.failed, self.failed[:3]
        assert not self.lost, sorted(self.lost)[:10]
        assert not self.stale, self.stale[:3]
        assert not self.mixed, self.mixed[:3]
        in_order = list(dict.fromkeys(self.handled))
        assert all(one < two for one, two in pairwise(in_order)), "events out of order"


def _editions(answer: dict[str, Any]) -> list[int]:
    said = answer["said"]
    return list(said.values()) if isinstance(said, dict) else [said]


def reloads_under_load(workplace: Workplace, *, reloads: int, slow: float) -> Evidence:
    """Reload a plugin again and again while another process sends requests."""
    found = Evidence()
    out = workplace.folder / "answers.jsonl"
    with workplace.running(slow=slow) as application:
        with _loaded(application, out):
            for _ in range(reloads):
                edition = workplace.write_next_edition()
                answer = reload(application)
                assert answer.status_code == 200, answer.text
                found.returned[edition] = time.monotonic()
        found.answers = [json.loads(line) for line in out.read_text().splitlines()]
        deadline = time.monotonic() + _PATIENCE
        while True:
            found.handled = [int(line) for line in workplace.notes.read_text().split()]
            if not found.lost or time.monotonic() > deadline:
                return found
            time.sleep(0.02)


@contextmanager
def _loaded(application: Application, out: Path) -> Iterator[None]:
    command = [sys.executable, str(_LOAD), str(application.client.base_url), str(out)]
    load = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + _PATIENCE
        while load.poll() is None and time.monotonic() < deadline:
            if out.exists():
                break
            time.sleep(0.02)
        yield
    finally:
        if load.stdin is not None:
            load.stdin.close()
        load.wait(_PATIENCE)
    assert load.returncode == 0
