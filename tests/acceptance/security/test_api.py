"""What the OWASP API Security Top 10 (2023) warns of, tried on the platform's own interface."""

import pytest
from tests.unit.builtin.auth.conftest import Site

INSIDE = ("traceback", "site-packages", "sqlite", 'file "', ".py")
KNOWN = {"/docs", "/docs/assets", "/openapi.json"}
"""What is served and not in the document of the API: the document and the page that shows it."""


@pytest.mark.parametrize(
    "path",
    ["/events?limit={n}", "/audit?limit={n}", "/events/dead?limit={n}", "/events/log?limit={n}"],
)
async def test_no_list_is_longer_than_its_limit_allows(site: Site, path: str) -> None:
    async with site.client(**site.management) as client:
        for number in ("1000000000", "-1", "1e9", "9" * 400):
            answer = await client.get("/api/v1" + path.format(n=number))
            assert answer.status_code == 422, answer.text
        assert (await client.get("/api/v1" + path.format(n=5))).status_code == 200


async def test_methods_that_nobody_serves_are_refused(site: Site) -> None:
    async with site.client(**site.management) as client:
        for method in ("TRACE", "CONNECT", "PROPFIND", "DEBUG"):
            for path in ("/api/v1/plugins", "/plugins/auth/login", "/health/live", "/docs"):
                answer = await client.request(method, path)
                assert answer.status_code in {401, 405}, (method, path)
        # A method in a header is a way past whoever filters by the method.
        headers = {"X-HTTP-Method-Override": "DELETE"}
        answer = await client.post("/api/v1/plugins/auth/data", headers=headers)
        assert answer.status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/plugins/nobody/x", b""),
        ("GET", "/plugins/auth/users/%00", b""),
        ("POST", "/plugins/auth/login", b"{"),
        ("POST", "/plugins/auth/login", b"\xff\xfe"),
        ("POST", "/plugins/auth/login", b"[" * 10_000),
        ("POST", "/plugins/auth/login", b'{"username": 1e999, "password": {}}'),
        ("GET", "/api/v1/plugins/..%2f..%2fetc", b""),
        ("GET", "/api/v1/events/' OR 1=1 --", b""),
    ],
)
async def test_what_is_refused_tells_nothing_of_the_inside(
    site: Site, method: str, path: str, body: bytes
) -> None:
    headers = {**site.management, "Content-Type": "application/json"}
    async with site.client(**headers) as client:
        answer = await client.request(method, path, content=body)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert not [word for word in INSIDE if word in answer.text.lower()]
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers


async def test_what_is_served_is_in_the_document(site: Site) -> None:
    async with site.client() as client:
        document = (await client.get("/openapi.json")).json()["paths"]

        def inner(routes: object) -> set[str]:
            found: set[str] = set()
            for route in routes:  # type: ignore[attr-defined]  # a list, or what acts as one
                if hasattr(route, "path") and not hasattr(route, "original_router"):
                    found.add(route.path)
            return found

        hidden = inner(site.app.app.routes) - set(document) - {""}
        assert hidden == KNOWN


@pytest.mark.parametrize(
    "path",
    [
        "//evil.test/",
        "//evil.test/%2e%2e",
        "/plugins/auth//evil.test/",
        "/plugins/auth/login/",
        "/docs/",
        "/\\evil.test/",
        "/plugins/auth/%0d%0aLocation:%20https://evil.test/",
    ],
)
async def test_no_address_leads_away_or_writes_a_header(site: Site, path: str) -> None:
    async with site.client() as client:
        answer = await client.request("GET", f"https://nexus.test{path}")
    location = answer.headers.get("location")
    assert location is None or location.startswith("https://nexus.test/")
    others = [value for name, value in answer.headers.multi_items() if name != "location"]
    assert "evil" not in "".join(others)


async def test_answers_of_the_platform_stay_out_of_caches_and_frames(site: Site) -> None:
    async with site.client(**site.management) as client:
        for path in ("/api/v1/plugins", "/api/v1/system", "/plugins/auth/me", "/plugins/none"):
            headers = (await client.get(path)).headers
            assert headers["cache-control"] == "no-store", path
            assert (
                headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
            )
            assert headers["strict-transport-security"] == "max-age=31536000"
        for path in ("/health", "/health/live", "/metrics"):
            assert (await client.get(path)).headers["cache-control"] == "no-store", path
