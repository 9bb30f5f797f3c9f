"""A shop moves from one kind of database to another, and leaves nothing behind."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from nexus.testing.servers import temporary_database

SERVERS = {
    "postgresql": os.environ.get("NEXUS_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1/test"),
    "mariadb": os.environ.get("NEXUS_TEST_MARIADB", "mysql://root@127.0.0.1/test"),
}
SHOP = Path(__file__).parent / "plugins" / "shop"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SHOP, tmp_path / "plugins" / "shop")
    (tmp_path / "nexus.yaml").write_text("name: Shop\n")
    return tmp_path


@pytest.fixture
async def url_of(tmp_path: Path) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:

        async def make(engine: str) -> str:
            if engine == "sqlite":
                return f"sqlite:///{tmp_path}/shop.db"
            return await stack.enter_async_context(temporary_database(SERVERS[engine]))

        yield make


def nexus(folder: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nexus", *words],
        cwd=folder,
        env={**os.environ, "NEXUS_DATABASE__URL": url, "COLUMNS": "200", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def answer(folder: Path, url: str, *words: str) -> Any:
    done = nexus(folder, url, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def buy(client: httpx.Client) -> None:
    bought = client.post("/plugins/shop/purchases", json={"customer": "Ann", "sku": "pen"})
    assert bought.status_code == 201, bought.text


def totals(client: httpx.Client) -> Any:
    return client.get("/plugins/shop/totals").json()


@pytest.mark.parametrize(
    ("source", "target"),
    [("sqlite", "postgresql"), ("postgresql", "mariadb"), ("mariadb", "sqlite")],
)
async def test_a_shop_goes_on_in_another_database(
    folder: Path, url_of: Any, run_application: Any, source: str, target: str
) -> None:
    old, new = await url_of(source), await url_of(target)
    with run_application(folder, NEXUS_DATABASE__URL=old) as application:
        client = application.client
        client.post("/plugins/shop/products", json={"sku": "desk", "price": 300})
        buy(client)
        buy(client)
        before = totals(client)
        told = answer(folder, old, "data", "export", "shop", "shop.jsonl.gz")
        assert told["running"] is True
        assert sum(told["counts"]["collections"].values()) >= 2
        assert sum(told["counts"]["tables"].values()) >= 1
        refused = nexus(folder, old, "data", "import", "shop.jsonl.gz", "--replace", "--yes")
        assert refused.returncode == 1
        assert "Stop it first" in refused.stderr

    assert answer(folder, new, "data", "import", "shop.jsonl.gz")["counts"] == told["counts"]
    again = answer(folder, new, "data", "export", "shop", "again.jsonl")["counts"]
    assert again == told["counts"]
    with run_application(folder, NEXUS_DATABASE__URL=new) as application:
        assert totals(application.client) == before
        products = application.client.get("/plugins/shop/products", params={"below": 1000})
        assert {each["sku"] for each in products.json()} == {"desk", "pen"}
        buy(application.client)
        assert totals(application.client)["orders"] == before["orders"] + 1


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mariadb"])
async def test_a_purged_shop_begins_from_nothing(
    folder: Path, url_of: Any, run_application: Any, engine: str
) -> None:
    url = await url_of(engine)
    with run_application(folder, NEXUS_DATABASE__URL=url) as application:
        client = application.client
        first = totals(client)
        buy(client)
        refused = nexus(folder, url, "plugin", "purge", "shop", "--yes")
        assert refused.returncode == 4
        assert "nexus plugin disable shop" in refused.stderr
        answer(folder, url, "plugin", "disable", "shop")
        removed = answer(folder, url, "plugin", "purge", "shop", "--yes")["removed"]
        assert removed["migrated"] is True
        assert removed["revisions"]
        # Not one table is left for its migrations to stumble over.
        answer(folder, url, "plugin", "enable", "shop")
        assert totals(client) == first
        buy(client)

    shutil.rmtree(folder / "plugins" / "shop")
    with run_application(folder, NEXUS_DATABASE__URL=url):
        found = answer(folder, url, "plugin", "purge", "shop", "--yes")
        assert found["removed"]["tables"]
        assert found["running"] is True
    shutil.copytree(SHOP, folder / "plugins" / "shop")
    with run_application(folder, NEXUS_DATABASE__URL=url) as application:
        assert totals(application.client) == first
    shutil.rmtree(folder / "plugins" / "shop")
    found = answer(folder, url, "plugin", "purge", "shop", "--yes")
    assert found["running"] is False
    assert found["removed"]["collections"]
    gone = nexus(folder, url, "plugin", "purge", "shop", "--yes")
    assert gone.returncode == 1
    assert "There is no plugin named 'shop'" in gone.stderr
