"""The pages of events, in a browser without scripts."""

import asyncio
import os
import re
import socket
from typing import Any

import httpx
from tests.unit.builtin.admin.conftest import TOKEN, Browser, Site

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


async def publish(browser: Browser, name: str = "order.placed") -> str:
    event = {"name": name, "data": {"order": 7, "note": "<b>"}}
    answer = await browser.client.post("/api/v1/events", json=event, headers=HEADERS)
    return str(answer.json()["id"])


async def dead_letters(browser: Browser, number: int, since: str = "") -> list[Any]:
    """Wait until there are so many dead letters, all given up after a time."""
    async with asyncio.timeout(60):
        while True:
            answer = await browser.client.get("/api/v1/events/dead", headers=HEADERS)
            letters: list[Any] = answer.json()["items"]
            if len(letters) == number and all(each["time"] > since for each in letters):
                return letters
            await asyncio.sleep(0.02)


async def test_an_event_is_followed_to_its_dead_letter_which_is_retried_and_dropped(
    site: Site,
) -> None:
    browser = await site.signed_in()
    event = await publish(browser)
    first = (await dead_letters(browser, 1))[0]
    letter = first["id"]
    assert f"/admin/events/one/{event}" in await browser.see("/admin/events?name=order.*")
    assert f"/admin/events/one/{event}" in await browser.see("/admin/events?source=log")
    assert f"/admin/events/one/{event}" not in await browser.see("/admin/events?name=user.*")
    page = await browser.see(f"/admin/events/one/{event}")
    assert "&lt;b&gt;" in page
    assert 'aria-current="true"' in page
    assert "dead letter" in await browser.see("/admin/")
    lag = await browser.see("/admin/events/lag")
    assert "/admin/events/dead?subscription=shop%3Aorder.placed" in lag
    assert f"<td>{socket.gethostname()[:100]}:{os.getpid()}</td>" in lag
    assert "no courier &lt;b&gt;today" in await browser.see("/admin/events/dead")
    page = await browser.see(f"/admin/events/dead/{letter}")
    assert "Traceback (most recent call last)" in page

    # It fails again, until the setting is mended.
    dead = "/admin/events/dead"
    assert "Nothing was chosen." in (await browser.send(dead, dead, action="replay")).text
    sent = await browser.send(dead, dead, action="replay", id=letter)
    assert "1 letter handed to the handler again." in sent.text
    await dead_letters(browser, 1, since=first["time"])
    await browser.send("/admin/plugins/shop/configure", dead, **{"setting:courier": "bike"})
    await browser.send(dead, dead, action="replay", id=letter)
    await dead_letters(browser, 0)
    assert "All is well" in await browser.see("/admin/")

    await browser.send("/admin/plugins/shop/configure", dead, **{"setting:courier": "none"})
    await publish(browser)
    await dead_letters(browser, 1)
    asked = await browser.send(dead, dead, action="drop", subscription="shop:order.placed")
    assert "Drop all of a subscription?" in asked.text
    [letter] = [each["id"] for each in await dead_letters(browser, 1)]
    assert f'value="{letter}"' in await browser.see(dead)
    assert "checked" not in await browser.see(dead)
    asked = await browser.send(dead, dead, action="drop", id=letter)
    assert "Drop 1 dead letter?" in asked.text
    assert 'name="sure" value="true"' in asked.text
    assert f'name="id" value="{letter}"' in asked.text
    await dead_letters(browser, 1)
    dropped = await browser.send(dead, dead, action="drop", id=letter, sure="true")
    assert "1 letter dropped." in dropped.text
    assert "There are none." in dropped.text


async def test_events_come_to_the_page_as_rows_as_they_happen(site: Site) -> None:
    browser = await site.signed_in()
    app = site.app
    rows: asyncio.Queue[str] = asyncio.Queue()
    cookies = "; ".join(f"{name}={value}" for name, value in browser.client.cookies.items())
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/admin/parts/events/stream", "query_string": b"name=user.*",
        "raw_path": b"/admin/parts/events/stream", "root_path": "",
        "headers": [(b"host", b"nexus.test"), (b"cookie", cookies.encode())],
        "client": ("127.0.0.1", 1), "server": ("nexus.test", 80),
    }  # fmt: skip

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await rows.put(message.get("body", b"").decode())

    async def receive() -> Any:
        await asyncio.Event().wait()

    watching = asyncio.create_task(app(scope, receive, send))
    async with asyncio.timeout(60):
        while not app.bus.recent.is_watched:
            await asyncio.sleep(0.01)
        await publish(browser, "order.placed")
        event = await publish(browser, "user.created")
        row = await rows.get()
    watching.cancel()
    await asyncio.wait({watching})
    assert row.startswith("data: <tr>")
    assert event in row
    assert "&lt;b&gt;" in row
    async with asyncio.timeout(60):
        while app.bus.recent.is_watched:
            await asyncio.sleep(0.01)


async def test_the_graph_shows_who_makes_use_of_whom(site: Site) -> None:
    browser = await site.signed_in()
    page = await browser.see("/admin/graph")
    assert re.search(r'<a href="/admin/plugins/shop" aria-label="The &lt;shop&gt;, running">', page)
    assert page.count("<rect") == 2
    assert (await browser.see("/admin/graph?focus=shop")).count("<rect") == 1
    assert (await browser.see("/admin/graph?focus=nobody")).count("<rect") == 0
    answer: httpx.Response = await browser.client.get("/admin/graph?kind=none")
    assert answer.status_code == 422
