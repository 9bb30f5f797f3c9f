"""Reloads of a plugin in a real process, as its users see them."""

import sys
from pathlib import Path

import pytest
from tests.acceptance.conftest import Application
from tests.acceptance.reloads.memory import hold_against_reloads
from tests.acceptance.reloads.proof import reloads_under_load
from tests.acceptance.reloads.workplace import Workplace, reload

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="it counts by way of /proc"),
]


def test_nobody_notices_reloads_under_load(tmp_path: Path) -> None:
    found = reloads_under_load(Workplace(tmp_path), reloads=15, slow=0.05)
    found.check()
    figures = found.summary()
    assert figures["reloads"] == 15
    assert min(figures[name] for name in ("requests to its route", "durable events")) > 15


def test_many_reloads_leave_everything_where_it_was(tmp_path: Path) -> None:
    found = hold_against_reloads(
        Workplace(tmp_path), warm_up=11, reloads=50, every=25, tell=lambda _: None
    )
    found.check()


UNWELL = """async def health_check(self):
        from nexus.plugins import HealthStatus

        return HealthStatus(healthy=False, message="no pulse")

    async def price"""

MIGRATION = """
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("INSERT INTO tariff__nowhere VALUES (1)")
"""

EDITION = "EDITION = 1"

BROKEN = {
    "its code does not parse": ("plugin.py", EDITION, "EDITION = (", "Syntax error"),
    "a module of it cannot be imported": ("parts/edition.py", EDITION, "1 / 0", "ZeroDivision"),
    "a schema of it cannot be": ("schemas/answers.py", EDITION, "import not_there", "not_there"),
    "it says no": ("plugin.py", "return True", "return False", "returned False"),
    "a file of it is missing": ("plugin.py", "edition.txt", "none.txt", "No such file"),
    "it is not healthy": ("plugin.py", "async def price", UNWELL, "no pulse"),
    "its migration fails": ("migrations/versions/0001_broken.py", "", MIGRATION, "no such table"),
}


def test_the_old_code_serves_on_after_each_kind_of_failure(tmp_path: Path) -> None:
    workplace = Workplace(tmp_path)
    workplace.write_next_edition()
    with workplace.running() as application:
        for what, (name, old, new, reason) in BROKEN.items():
            workplace.write_broken(name, old, new)
            answer = reload(application)
            assert (answer.status_code, answer.json()["code"]) == (409, "reload-failed"), what
            assert reason in answer.json()["detail"], (what, answer.json())
            state = application.get("/api/v1/plugins/tariff").json()
            assert (state["state"], state["generation"]) == ("running", 1), what
            assert reason in state["reason"], what
            assert editions(application) == {1}, what
            workplace.restore()
        assert reload(application).json()["reason"] == ""


def editions(application: Application) -> set[int]:
    return {
        *application.get("/plugins/tariff/").json().values(),
        application.get("/plugins/desk/price").json(),
    }
