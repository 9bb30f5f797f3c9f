import subprocess
import sys
from pathlib import Path

import pytest

from nexus.data.database import Limits
from nexus.data.engines import opening
from nexus.data.engines.opening import make_database
from nexus.data.url import DatabaseUrl
from nexus.errors import DatabaseDriverMissing


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mariadb"])
def test_the_engine_of_the_url_is_made_and_not_opened(engine: str, tmp_path: Path) -> None:
    url = DatabaseUrl(
        engine=engine,  # type: ignore[arg-type]  # one of the three
        path=str(tmp_path / "nexus.db"),
        host="nowhere.invalid",
        port=1,
        database="shop",
    )

    database = make_database(url, limits=Limits(transaction=7.0))

    assert database.engine == engine
    assert database.transaction_limit == 7.0
    assert not (tmp_path / "nexus.db").exists()


@pytest.mark.parametrize(("engine", "driver"), [("postgresql", "asyncpg"), ("mariadb", "asyncmy")])
def test_a_driver_that_is_not_installed_is_named(
    engine: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda _name: None)
    url = DatabaseUrl(engine=engine, host="here", port=1, database="shop")  # type: ignore[arg-type]

    with pytest.raises(DatabaseDriverMissing) as caught:
        make_database(url, limits=Limits())

    assert driver in str(caught.value)
    assert f"pip install '.[{engine}]'" in str(caught.value)


def test_no_driver_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, nexus.data, nexus.data.engines.opening, nexus.testing.servers;"
        "print([n for n in ('asyncpg', 'asyncmy', 'sqlalchemy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
