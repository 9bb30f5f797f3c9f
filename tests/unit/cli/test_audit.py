"""What commands do where nothing runs is on record too."""

from pathlib import Path
from typing import Any

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
