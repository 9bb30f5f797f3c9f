"""What the pages show of other workers."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.unit.builtin.admin.conftest import Site
from typing_extensions import override

from nexus.events.event import Event
from nexus.observability.siblings import Params, Siblings
from nexus.web.management.event_views import event_view

OTHER = "other:7"


class Other(Siblings):
    """Another worker."""

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, list[str]] = {}
        self.said = {
            "plugins": self.states,
            "activity": {
                "looks": [[0.0, 0, 0, 0]],
                "seconds": 1.0,
                "slow_queries": 3,
                "blocks": {},
            },
            "events": [event_view(Event("order.packed", {}, source="shop"), OTHER)],
            "logs": [[1, {"id": 1, "event": "packing", "level": "info", "timestamp": "2026"}]],
        }
        self.answers = {name: self._saying(name) for name in self.said}

    @property
    @override
    def label(self) -> str:
        return OTHER

    def _saying(self, name: str) -> Any:
        async def say(_params: Params) -> Any:
            return self.said[name]

        return say


@pytest.fixture
async def other(site: Site) -> AsyncIterator[Other]:
    """Give a worker beside that of the site."""
    found = Other()
    with TemporaryDirectory() as place:
        folder = Path(place)
        async with site.app.parts.siblings.joined(folder, "1"), found.joined(folder, "2"):
            yield found


async def test_what_is_the_matter_in_another_worker_needs_attention(
    site: Site, other: Other
) -> None:
    other.states |= {"shop": ["failed", "It has no courier."], "admin": ["running", ""]}
    browser = await site.signed_in()
    page = await browser.see("/admin/")
    assert "The &lt;shop&gt; in other:7 has failed" in page
    assert "It has no courier." in page
    assert "The rates are those of 2 workers." in page
    assert "The database is slow" in page
    for address in ("/admin/plugins", "/admin/plugins/shop"):
        page = await browser.see(address)
        assert "in the worker other:7: It has no courier." in page


async def test_events_and_lines_of_other_workers_name_them(site: Site, other: Other) -> None:
    browser = await site.signed_in()
    page = await browser.see("/admin/events?name=order.*")
    assert "order.packed" in page
    assert f'<span class="dim small">{OTHER}</span>' in page
    assert "Those of 2 workers." in page
    page = await browser.see("/admin/plugins/shop")
    assert f"<em>{OTHER}</em> <span>packing</span>" in page
    assert f"In the worker {site.app.parts.siblings.label}." in page
    assert other.number == "2"


async def test_one_that_is_alone_names_no_worker(site: Site) -> None:
    await site.app.bus.publish("order.packed", {}, source="shop")
    browser = await site.signed_in()
    label = site.app.parts.siblings.label
    for address in ("/admin/", "/admin/plugins", "/admin/plugins/shop", "/admin/events"):
        assert label not in await browser.see(address)
