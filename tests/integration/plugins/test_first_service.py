"""Plugins that are started by the first use of a service that their manifests name."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from nexus.errors import PermissionDenied, PluginNotRunning, ServiceAsleep, ServiceNotFound
from nexus.plugins import PluginState
from nexus.services import ServiceReference

OFFERS = """
    async def initialize(self):
        sys.starts.append(self.name)
        await sys.gate.wait()
        self.register_service("billing", Billing(self))
        return {result}
"""
BILLING = """
class Billing:
    def __init__(self, plugin):
        self.plugin = plugin

    async def charge(self, amount, *, twice=False):
        return amount * (2 if twice else 1)

    async def fail(self):
        raise LookupError("no such account")

    def total(self):
        sys.starts.append("plain")
        return 42
"""


@pytest.fixture(autouse=True)
def starts() -> Iterator[list[str]]:
    sys.starts = []  # type: ignore[attr-defined]  # where the plugins find it
    sys.gate = asyncio.Event()  # type: ignore[attr-defined]
    sys.gate.set()  # type: ignore[attr-defined]
    yield sys.starts  # type: ignore[attr-defined]
    del sys.starts, sys.gate  # type: ignore[attr-defined]


def offer(workshop: Any, name: str = "billing", result: str = "True", **manifest: Any) -> None:
    use = {"activation": ["on_service:billing"], **manifest}
    workshop.plugin(name, OFFERS.format(result=result), top=BILLING, **use)


async def test_a_call_by_a_reference_starts_the_provider_once_and_waits(
    workshop: Any, starts: list[str]
) -> None:
    offer(workshop, idle_stop=0.05)
    workshop.plugin("shop")
    async with workshop.running() as site:
        billing: Any = site.plugin("shop").service_ref("billing")
        assert billing
        assert starts == []  # to hold a reference is no use
        assert site.reason("billing") == (
            "It starts at its first use: a look-up of the service 'billing'."
        )
        sys.gate.clear()  # type: ignore[attr-defined]
        calls = [asyncio.create_task(_awaited(billing.charge(n, twice=True))) for n in range(5)]
        await workshop.until(lambda: starts)
        sys.gate.set()  # type: ignore[attr-defined]
        assert await asyncio.gather(*calls) == [0, 2, 4, 6, 8]
        assert starts == ["billing"]
        assert await billing.charge(5) == 5
        await workshop.until(lambda: site.state("billing") is PluginState.DORMANT)
        with pytest.raises(LookupError, match="no such account"):
            await billing.fail()
        await workshop.until(lambda: site.state("billing") is PluginState.DORMANT)
        service = await billing
        assert not isinstance(service, ServiceReference)
        assert service.total() == 42
        assert starts == ["billing", "billing", "billing", "plain"]


async def test_a_look_up_starts_the_provider_and_gives_a_reference_meanwhile(
    workshop: Any, starts: list[str]
) -> None:
    offer(workshop)
    workshop.plugin("shop")
    async with workshop.running() as site:
        shop = site.plugin("shop")
        sys.gate.clear()  # type: ignore[attr-defined]
        found = [shop.get_service("billing"), shop.require_service("billing")]
        assert all(isinstance(each, ServiceReference) for each in found)
        await workshop.until(lambda: starts)
        called = asyncio.create_task(_awaited(found[0].charge(3)))
        sys.gate.set()  # type: ignore[attr-defined]
        assert await called == 3
        assert found[1].total() == 42
        assert not isinstance(shop.get_service("billing"), ServiceReference)
        assert shop.get_service("other") is None


async def test_a_plain_call_is_refused_instead_of_being_taken_for_its_result(
    workshop: Any, starts: list[str]
) -> None:
    offer(workshop)
    workshop.plugin("shop")
    async with workshop.running() as site:
        billing: Any = site.plugin("shop").service_ref("billing")
        with pytest.raises(ServiceAsleep, match=r"await self.service_ref\('billing'\)"):
            bool(billing.total())
        assert starts == []
        with pytest.raises(ServiceAsleep, match="'total'"):
            await billing.total()
        assert starts == ["billing"]  # and the method was not called
        assert billing.total() == 42


async def test_who_cannot_be_started_or_does_not_offer_it_is_told(
    workshop: Any, starts: list[str]
) -> None:
    offer(workshop, result="False")
    workshop.plugin("empty", activation=["on_service:rates"])
    workshop.plugin("shop")
    async with workshop.running() as site:
        shop = site.plugin("shop")
        billing: Any = shop.service_ref("billing")
        with pytest.raises(PluginNotRunning, match="'billing' is failed"):
            await billing.charge(1)
        assert not billing  # as of any provider that does not run
        with pytest.raises(ServiceNotFound):
            billing.charge(1)
        assert shop.get_service("billing") is None
        assert starts == ["billing"]
        rates: Any = shop.service_ref("rates")
        with pytest.raises(ServiceNotFound, match="'rates'"):
            await rates.rate("EUR")


async def test_a_plugin_that_may_not_use_it_does_not_start_its_provider(
    workshop: Any, starts: list[str]
) -> None:
    offer(workshop)
    workshop.plugin("shop", permissions=["services.use:rates"])
    async with workshop.running() as site:
        shop = site.plugin("shop")
        with pytest.raises(PermissionDenied):
            shop.get_service("billing")
        with pytest.raises(PermissionDenied):
            await shop.service_ref("billing")
        assert starts == []


async def test_a_plugin_may_use_one_while_it_starts_itself(
    workshop: Any, starts: list[str]
) -> None:
    offer(workshop)
    body = """
    async def initialize(self):
        sys.starts.append(await self.service_ref("billing").charge(9))
        return True
    """
    workshop.plugin("shop", body)
    async with workshop.running() as site:
        assert site.state("shop") is PluginState.RUNNING
        assert starts == ["billing", 9]


async def _awaited(call: Any) -> Any:
    return await call
