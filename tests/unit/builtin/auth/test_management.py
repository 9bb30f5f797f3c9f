import pytest
from tests.unit.builtin.auth.conftest import PASSWORD, Site

CONFIG = "/api/v1/plugins/auth/config"


@pytest.mark.parametrize(
    ("role", "statuses"),
    [
        ("viewer", (200, 200, 403, 403, 403, 403, 403, 403, 403)),
        ("operator", (200, 200, 200, 202, 403, 403, 403, 200, 404)),
        ("admin", (200, 200, 200, 202, 200, 200, 200, 200, 404)),
    ],
)
async def test_a_role_opens_its_part_of_the_management_api(
    site: Site, role: str, statuses: tuple[int, ...]
) -> None:
    token = await site.user("ada", role)
    event = {"name": "shop.opened", "data": {}}
    async with site.client(Authorization=f"Bearer {token}") as client:
        answers = [
            await client.get("/api/v1/plugins"),
            await client.get("/api/v1/events/subscriptions"),
            await client.get("/api/v1/events?name=user.login"),
            await client.post("/api/v1/events", json=event),
            await client.patch(CONFIG, json={"lockout_failures": 7}),
            await client.get("/api/v1/plugins/auth/data"),
            await client.get("/api/v1/audit?action=auth:*"),
            await client.get("/api/v1/plugins/auth/logs"),
            await client.get("/api/v1/plugins/no-such-one/logs/stream"),
        ]
    assert tuple(answer.status_code for answer in answers) == statuses


async def test_a_user_without_a_role_and_a_stranger_stay_outside(site: Site) -> None:
    token = await site.user("ada")
    async with site.client() as client:
        for header, status in ((f"Bearer {token}", 403), ("Bearer wrong", 401), ("", 401)):
            headers = {"Authorization": header} if header else {}
            answer = await client.get("/api/v1/plugins", headers=headers)
            assert answer.status_code == status
        answer = await client.get("/api/v1/plugins", headers=site.management)
        assert answer.status_code == 200


async def test_a_session_opens_it_with_its_token_alone(site: Site) -> None:
    event = {"name": "shop.opened", "data": {}}
    async with site.client() as browser:
        login = {"username": "root", "password": PASSWORD}
        csrf = (await browser.post("/plugins/auth/login", json=login)).json()["csrf_token"]
        assert (await browser.get("/api/v1/plugins")).status_code == 200
        assert (await browser.post("/api/v1/events", json=event)).status_code == 403
        headers = {"X-CSRF-Token": csrf}
        answer = await browser.post("/api/v1/events", json=event, headers=headers)
        assert answer.status_code == 202
