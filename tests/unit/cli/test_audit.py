"""What commands do where nothing runs is on record too."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from nexus.app import create_nexus_app
from nexus.testing.harness import plugin_in

CANARY = "canary-77aa"


def test_changes_of_an_application_that_does_not_run_are_on_record(
    nexus: Any, application: Path
) -> None:
    assert nexus("audit", "--json").json == {"items": []}
    assert nexus("plugin", "create", "foo").code == 0
    assert nexus("plugin", "disable", "foo").code == 0
    assert nexus("config", "set", "foo", "word", "x").code == 0
    token = nexus("token", "renew", "--json").json["token"]
    items = nexus("audit", "--json").json["items"]
    assert [each["action"] for each in items] == [
        "token.renew",
        "plugin.configure",
        "plugin.disable",
    ]
    assert items[2]["before"] == {"enabled": True}
    assert all(each["actor"].startswith("cli") for each in items)
    assert token not in str(items)
    said = nexus("audit", "--plugin", "foo", "--action", "plugin.dis*")
    assert "plugin.disable" in said.out
    assert "token.renew" not in said.out
    assert nexus("audit", "--since", "never").code == 2


def test_the_token_of_the_first_administrator_is_on_record_without_itself(
    nexus: Any, application: Path
) -> None:
    with (application / "nexus.yaml").open("a") as settings:
        settings.write("builtin: [auth]\n")
    token = nexus("auth", "setup", "--json").json["token"]
    [row] = nexus("audit", "--json").json["items"]
    assert (row["action"], row["plugin"], row["actor"][:4]) == ("plugin.configure", "auth", "cli:")
    assert row["after"] == {"setup_token": "********"}
    assert token not in str(row)


def test_no_setup_token_is_made_where_an_administrator_is_stored(
    nexus: Any, application: Path
) -> None:
    pytest.importorskip("pwdlib")
    assert nexus("auth", "setup", "--json").error["code"] == "plugin-not-found"
    with (application / "nexus.yaml").open("a") as settings:
        settings.write("builtin: [auth]\n")
    assert nexus("auth", "setup").code == 0, "the plugin has never run"

    async def make(*roles: str) -> None:
        app = create_nexus_app(application, environ={}, configure_logging=False)
        async with app.running():
            auth: Any = plugin_in(app, "auth")
            await auth.parts.accounts.create(f"of {roles}", "canary correct horse", roles=roles)

    asyncio.run(make("viewer"))
    assert nexus("auth", "setup").code == 0
    asyncio.run(make("admin"))
    refused = nexus("auth", "setup", "--json")
    assert refused.code == 4
    assert refused.error["code"] == "setup-refused"
