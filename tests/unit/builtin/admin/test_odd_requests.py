"""What no browser sends, and what somebody may have a browser send."""

import httpx
import pytest
from tests.unit.builtin.admin.conftest import TOKEN, Site


@pytest.mark.parametrize("wanted", ["//[", "/admin/\u20ac", "//evil.test", "/admin/\r\nX: y"])
async def test_signing_in_goes_on_to_a_page_of_ours(site: Site, wanted: str) -> None:
    client = site.browser().client
    shown = await client.get("/admin/sign-in", params={"next": wanted})
    assert shown.status_code == 200
    form = {"token": TOKEN, "next": wanted}
    answer = await client.post("/admin/sign-in", data=form, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/admin/")


@pytest.mark.parametrize("origin", ["http://[", "null", "http://evil.test"])
async def test_a_form_of_another_site_is_refused(site: Site, origin: str) -> None:
    answer = await site.browser().client.post(
        "/admin/sign-in", data={"token": TOKEN}, headers={"Origin": origin}, follow_redirects=False
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/admin/%E2%82%AC/", "/admin/plugins/%E2%82%AC/"])
async def test_an_address_outside_of_latin_is_answered(site: Site, path: str) -> None:
    browser = await site.signed_in()
    address = httpx.URL("http://nexus.test").copy_with(raw_path=path.encode())
    answer = await browser.client.request("GET", address, follow_redirects=False)
    assert answer.status_code in {307, 404}


async def test_a_setting_that_is_nested_too_deep_is_refused(site: Site) -> None:
    browser = await site.signed_in()
    page = await browser.see("/admin/plugins/shop")
    assert page
    form = {"setting:tags": "[" * 50_000}
    answer = await browser.client.post("/admin/plugins/shop/configure", data=form)
    assert answer.status_code < 500
