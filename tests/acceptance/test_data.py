"""A plugin that stores data in every way, in a real process on every kind of database."""

import shutil
import signal
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

SHOP = Path(__file__).parent / "plugins" / "shop"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SHOP, tmp_path / "plugins" / "shop")
    (tmp_path / "nexus.yaml").write_text("name: Shop\n")
    return tmp_path


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
async def url(
    request: pytest.FixtureRequest, tmp_path: Path, new_database: Any
) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/shop.db"
        return
    async with new_database(request.param) as made:
        yield made


def buy(client: httpx.Client, **extra: Any) -> httpx.Response:
    return client.post("/plugins/shop/purchases", json={"customer": "Ann", "sku": "pen", **extra})


def totals(client: httpx.Client) -> Any:
    answer = client.get("/plugins/shop/totals")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_a_plugin_stores_is_there_after_a_restart(
    folder: Path, url: str, run_application: Any
) -> None:
    with run_application(folder, NEXUS_DATABASE__URL=url) as application:
        client = application.client
        for sku, price in (("desk", 300), ("lamp", 40)):
            answer = client.post("/plugins/shop/products", json={"sku": sku, "price": price})
            assert answer.status_code == 201, answer.text
        again = client.post("/plugins/shop/products", json={"sku": "lamp", "price": 1})
        assert again.status_code == 409
        assert "sku" in again.text
        assert "lamp" in again.text
        assert buy(client).status_code == 201

    with run_application(folder, NEXUS_DATABASE__URL=url) as application:
        found = application.client.get("/plugins/shop/products", params={"below": 300}).json()
        assert [each["sku"] for each in found] == ["lamp", "pen"]
        assert totals(application.client) == {
            "orders": 1,
            "turnover": "2.00",
            "sold": 1,
            "pens": 9,
        }


def test_a_purchase_that_fails_leaves_nothing_behind(
    folder: Path, url: str, run_application: Any
) -> None:
    with run_application(folder, NEXUS_DATABASE__URL=url) as application:
        client = application.client
        assert buy(client, fail=True).status_code == 402
        assert totals(client) == {"orders": 0, "turnover": "0", "sold": 0, "pens": 10}
        assert application.events("shop.sold") == []
        assert buy(client).status_code == 201
        assert len(application.events("shop.sold")) == 1


def test_purchases_at_once_lose_nothing(folder: Path, url: str, run_application: Any) -> None:
    with run_application(folder, NEXUS_DATABASE__URL=url) as application:
        answers: list[int] = []

        def one() -> None:
            answers.extend(buy(application.client).status_code for _ in range(3))

        threads = [threading.Thread(target=one) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        # A version that somebody else has changed meanwhile is a conflict, not a lost purchase.
        assert set(answers) <= {201, 409}
        kept = answers.count(201)
        assert kept > 0
        assert totals(application.client) == {
            "orders": kept,
            "turnover": f"{2 * kept}.00",
            "sold": kept,
            "pens": 10 - kept,
        }


def test_what_was_acknowledged_survives_a_kill(
    folder: Path, url: str, run_application: Any
) -> None:
    acknowledged = 0
    with run_application(folder, ends_with=-signal.SIGKILL, NEXUS_DATABASE__URL=url) as application:

        def keep_buying() -> None:
            nonlocal acknowledged
            try:
                while buy(application.client).status_code == 201:
                    acknowledged += 1
            except httpx.HTTPError:
                return

        thread = threading.Thread(target=keep_buying)
        thread.start()
        while acknowledged < 20:
            thread.join(0.01)
        application.process.kill()
        thread.join()

    with run_application(folder, NEXUS_DATABASE__URL=url) as application:
        found = totals(application.client)
        assert found["orders"] in {acknowledged, acknowledged + 1}
        assert found["sold"] == found["orders"] == 10 - found["pens"]
