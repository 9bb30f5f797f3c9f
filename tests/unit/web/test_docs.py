import re
from typing import Any

import pytest


async def test_the_page_runs_under_a_policy_without_inline_script(site: Any) -> None:
    answer = await site.http.get("/docs")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)
    assert not re.search(r"\son\w+=|<style|\sstyle=", answer.text)


async def test_everything_the_page_loads_comes_from_here(site: Any) -> None:
    page = (await site.http.get("/docs")).text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) == 4
    for address in addresses:
        assert address.startswith("/docs/assets/")
        answer = await site.http.get(address)
        assert answer.status_code == 200
        assert "max-age=" in answer.headers["cache-control"]
        validator = {"if-none-match": answer.headers["etag"]}
        assert (await site.http.get(address, headers=validator)).status_code == 304


async def test_the_redirect_page_of_oauth2_is_there(site: Any) -> None:
    page = (await site.http.get("/docs")).text
    (address,) = re.findall(r'data-oauth2-redirect-url="([^"]+)"', page)
    answer = await site.http.get(address)
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_a_title_cannot_write_into_the_page(new_site: Any) -> None:
    site = new_site(title="<script>x</script>")
    async with site.http as http:
        assert "<script>x" not in (await http.get("/docs")).text


async def test_assets_do_not_lead_out_of_their_folder(site: Any) -> None:
    for path in ("/docs/assets/../../docs.py", "/docs/assets/%2e%2e/%2e%2e/docs.py"):
        assert (await site.http.get(path)).status_code == 404


@pytest.mark.parametrize(
    "path", ["/docs", "/openapi.json", "/docs/assets/swagger-ui.css", "/redoc"]
)
async def test_without_docs_nothing_of_them_is_served(new_site: Any, path: str) -> None:
    site = new_site(docs=False)
    async with site.http as http:
        assert (await http.get(path)).status_code == 404
