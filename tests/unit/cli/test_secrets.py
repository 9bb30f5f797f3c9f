import sqlite3
from pathlib import Path

import pytest

from nexus.config.secret_key import find_keys

CANARY = "canary-8c1f"


@pytest.fixture
def vault(make_plugin) -> Path:
    folder: Path = make_plugin("vault", configuration={"pin": {"type": "string", "secret": True}})
    return folder


def stored(application: Path) -> str:
    with sqlite3.connect(application / "data" / "nexus.db") as database:
        rows = database.execute("SELECT value FROM key_value WHERE namespace = 'config/vault'")
        return str(rows.fetchone()[0])


def test_secrets_are_encrypted_anew_and_it_is_on_record(nexus, application, vault) -> None:
    nexus("config", "set", "vault", "pin", "-", given=f"{CANARY}\n")
    before, keys = stored(application), find_keys(application / "data")

    said = nexus("secrets", "rotate", "--json")

    assert (said.code, said.json["encrypted"], said.json["lost"]) == (0, 1, [])
    assert stored(application) != before
    assert find_keys(application / "data") != keys
    assert nexus("config", "get", "vault", "pin", "--json").json["value"] == "********"
    assert nexus("config", "get", "vault", "pin", "--json").json["problem"] is None
    rows = nexus("audit", "--json").json["items"]
    assert [(row["action"], row["result"]) for row in rows[:2]] == [
        ("secrets.rotate", "done"),
        ("secrets.rotate", "begun"),
    ]
    assert rows[0]["after"] == said.json
    key = keys[0].decode()
    assert CANARY not in str(rows)
    assert key not in str(rows)


def test_a_secret_that_no_key_opens_is_told(nexus, application, vault) -> None:
    nexus("config", "set", "vault", "pin", "-", given=f"{CANARY}\n")
    (application / "data" / "secret.key").unlink()
    said = nexus("secrets", "rotate")
    assert said.code == 1
    assert "nexus config set vault pin" in " ".join(said.out.split())


def test_a_rotation_that_is_not_finished_is_told_by_the_doctor(nexus, application, vault) -> None:
    nexus("config", "set", "vault", "pin", "-", given=f"{CANARY}\n")
    path = application / "data" / "secret.key"
    path.write_bytes(path.read_bytes() * 2)
    said = nexus("doctor", "--json")
    assert "rotation is not finished" in said.out


def test_former_keys_need_a_successor(nexus, vault, monkeypatch) -> None:
    monkeypatch.setenv("NEXUS_SECURITY__FORMER_SECRET_KEYS", "k" * 16)
    said = nexus("secrets", "rotate", "--json")
    assert said.error["code"] == "invalid-settings"
    assert "secret_key" in said.error["message"]
    assert "kkkk" not in said.err
