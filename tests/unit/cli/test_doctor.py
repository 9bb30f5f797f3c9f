import asyncio
from pathlib import Path
from typing import Any

import pytest

from nexus.cli.diagnosis import extras
from nexus.cli.diagnosis.installation import diagnose_installation
from nexus.cli.listening import bind
from nexus.data.database import DEFAULT_LIMITS
from nexus.data.engines.opening import make_database
from nexus.data.url import DatabaseUrl
from nexus.events.durable.origin import TABLE
from nexus.events.durable.tables import make_tables

ANYWHERE = "0.0.0.0"  # noqa: S104 - what is being tested


def lines(said: Any, section: str) -> dict[str, tuple[str, str]]:
    return {
        each["subject"]: (each["level"], each["message"])
        for each in said.json["checks"]
        if each["section"] == section
    }


def test_the_installation_is_in_order() -> None:
    found = {line.subject: line.level for line in diagnose_installation()}
    assert {"python", "nexus", "fastapi", "starlette", "pydantic", "uvicorn"} <= set(found)
    assert set(found.values()) == {"ok"}


def test_warnings_leave_the_exit_code_0(nexus, make_plugin, monkeypatch) -> None:
    monkeypatch.setenv("NEXUS_SERVER__PORT", "0")
    make_plugin("lonely", dependencies=["nobody"])
    said = nexus("doctor", "--json")
    assert said.code == 0
    assert said.json["ok"] is True
    assert lines(said, "Plugins")["lonely"][0] == "warning"


def test_an_invalid_plugin_is_an_error(nexus, make_plugin) -> None:
    make_plugin("broken", version=3)
    said = nexus("doctor", "--json")
    assert said.code == 1
    level, message = lines(said, "Plugins")["broken"]
    assert level == "error"
    assert "version" in message


def test_missing_requirements_are_errors(nexus, make_plugin) -> None:
    folder = make_plugin()
    (folder / "requirements.txt").write_text("no-such-distribution-here\n", encoding="utf-8")
    said = nexus("doctor", "--json")
    assert said.code == 1
    assert "not installed" in said.out


def test_settings_that_cannot_be_used_are_all_told(nexus, application: Path) -> None:
    (application / "nexus.yaml").write_text("server: {port: x}\nnmae: y\n", encoding="utf-8")
    said = nexus("doctor", "--json")
    assert said.code == 1
    messages = [each["message"] for each in said.json["checks"] if each["section"] == "Settings"]
    assert len(messages) == 2
    assert "Did you mean name?" in said.out


def test_settings_are_shown_with_their_sources_and_secrets_masked(
    nexus, application, monkeypatch
) -> None:
    monkeypatch.setenv("NEXUS_SECRET_KEY", "a-secret-of-the-operator")
    said = nexus("doctor", "--json")
    settings = {each["path"]: each for each in said.json["settings"]}
    assert settings["name"] == {"path": "name", "value": "Test", "source": "nexus.yaml"}
    assert settings["security.secret_key"]["value"] == "********"
    assert "a-secret-of-the-operator" not in said.out
    assert "server.port" not in settings
    assert "server.port" in {
        each["path"] for each in nexus("doctor", "--all", "--json").json["settings"]
    }


def test_a_port_in_use_is_an_error(nexus, application, monkeypatch) -> None:
    with bind("127.0.0.1", 0) as listening:
        monkeypatch.setenv("NEXUS_SERVER__PORT", str(listening.getsockname()[1]))
        said = nexus("doctor", "--json")
    assert said.code == 1
    assert lines(said, "Server")["port"][0] == "error"


def test_an_unprotected_address_is_an_error(nexus, application, monkeypatch) -> None:
    monkeypatch.setenv("NEXUS_SERVER__HOST", ANYWHERE)
    assert lines(nexus("doctor", "--json"), "Server")["address"][0] == "error"
    monkeypatch.setenv("NEXUS_ADMIN_TOKEN", "a-token-of-the-operator")
    assert lines(nexus("doctor", "--json"), "Server")["address"][0] == "ok"


def test_a_damaged_database_is_an_error(nexus, make_plugin, application: Path) -> None:
    make_plugin()
    nexus("plugin", "enable", "greeter")
    database = application / "data" / "nexus.db"
    database.write_bytes(b"no database" * 1000)
    said = nexus("doctor", "--json")
    assert said.code == 1
    assert lines(said, "Data")["database"][0] == "error"


def test_a_key_that_others_can_read_is_a_warning(nexus, make_plugin, application: Path) -> None:
    make_plugin(configuration={"key": {"type": "string", "secret": True}})
    nexus("config", "set", "greeter", "key", "hidden-value")
    (application / "data" / "secret.key").chmod(0o644)
    level, message = lines(nexus("doctor", "--json"), "Data")["secret key"]
    assert level == "warning"
    assert "0644" in message


def test_production_is_told_what_to_think_of(nexus, application, monkeypatch) -> None:
    monkeypatch.setenv("NEXUS_ENVIRONMENT", "production")
    found = lines(nexus("doctor", "--json"), "Settings")
    assert found["secret_key"][0] == "warning"
    assert found["allowed_hosts"][0] == "warning"
    monkeypatch.setenv("NEXUS_HTTP__ALLOWED_HOSTS", "shop.example.com")
    assert "allowed_hosts" not in lines(nexus("doctor", "--json"), "Settings")


def test_former_keys_are_not_forgotten(nexus, application, monkeypatch) -> None:
    monkeypatch.setenv("NEXUS_SECRET_KEY", "a-secret-of-the-operator")
    monkeypatch.setenv("NEXUS_SECURITY__FORMER_SECRET_KEYS", "the-secret-before-it")
    said = nexus("doctor", "--json")
    assert lines(said, "Settings")["former_secret_keys"][0] == "warning"
    assert "the-secret-before-it" not in said.out


def test_people_get_sections_and_a_sum(nexus, application, monkeypatch) -> None:
    monkeypatch.setenv("NEXUS_SERVER__PORT", "0")
    said = nexus("doctor")
    assert "Installation" in said.out
    assert said.out.rstrip().endswith("0 errors, 0 warnings")


def test_a_key_file_without_a_key_is_told(nexus, application, monkeypatch) -> None:
    (application / "data").mkdir()
    (application / "data" / "secret.key").write_text("garbage")
    said = nexus("doctor", "--json")
    assert said.code == 1
    level, message = lines(said, "Data")["secret key"]
    assert level == "error"
    assert "holds no key" in message

    monkeypatch.setenv("NEXUS_SECRET_KEY", "a-secret-of-the-operator")
    level, message = lines(nexus("doctor", "--json"), "Data")["secret key"]
    assert level == "warning"
    assert "holds no key" in message


@pytest.mark.parametrize("words", [["doctor"], ["plugin", "list"], ["plugin", "info", "greeter"]])
def test_looking_makes_no_key(nexus, make_plugin, application: Path, words: list[str]) -> None:
    make_plugin(configuration={"key": {"type": "string", "secret": True}})
    nexus("config", "set", "greeter", "key", "hidden-value")
    (application / "data" / "secret.key").unlink()
    said = nexus(*words, "--json")
    assert "encrypted with another key" in said.out
    assert not (application / "data" / "secret.key").exists()


def test_settings_of_plugins_that_are_not_there_are_a_warning(
    nexus, make_plugin, application
) -> None:
    make_plugin()
    (application / "nexus.yaml").write_text("plugins: {greter: {a: 1}}\n", encoding="utf-8")
    level, message = lines(nexus("doctor", "--json"), "Plugins")["settings"]
    assert level == "warning"
    assert "Did you mean greeter?" in message


def test_it_says_how_sqlite_is_safe_for_several_processes(nexus, application, monkeypatch) -> None:
    assert lines(nexus("doctor", "--json"), "Data")["sqlite"][0] == "ok"
    monkeypatch.setenv("NEXUS_DATABASE__SHARED", "true")
    assert "processes" in lines(nexus("doctor", "--json"), "Data")["sqlite"][1]


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_the_password_of_a_server_is_not_shown(nexus, application, monkeypatch, words) -> None:
    url = "postgresql://me:hunter22@127.0.0.1:1/shop"
    monkeypatch.setenv("NEXUS_DATABASE__URL", url)
    said = nexus("doctor", *words)
    assert said.code == 1
    assert "127.0.0.1:1/shop" in said.out
    assert "hunter22" not in said.out + said.err


@pytest.mark.parametrize("engine", ["nats", "redis"])
def test_a_server_of_events_that_does_not_answer_is_an_error(
    nexus, application, monkeypatch, engine: str
) -> None:
    monkeypatch.setenv("NEXUS_EVENTS__ENGINE", f"{engine}://shop:word@127.0.0.1:1")
    said = nexus("doctor", "--json")
    assert said.code == 1
    level, message = lines(said, "Data")["event log"]
    assert level == "error"
    assert f"{engine}://127.0.0.1:1" in message
    assert "word" not in said.out


def test_an_engine_that_a_start_would_refuse_is_an_error(
    nexus, application: Path, monkeypatch
) -> None:
    assert "event log" not in lines(nexus("doctor", "--json"), "Data")
    (application / "data").mkdir(exist_ok=True)
    asyncio.run(_use_nats_before(application / "data" / "nexus.db"))
    said = nexus("doctor", "--json")
    assert said.code == 1
    level, told = lines(said, "Data")["event log"]
    assert (level, "in nats, and events.engine says sql" in told) == ("error", True)


async def _use_nats_before(path: Path) -> None:
    database = make_database(DatabaseUrl(engine="sqlite", path=str(path)), limits=DEFAULT_LIMITS)
    await database.open()
    await make_tables(database)
    await make_tables(database, TABLE)
    await database.execute("INSERT INTO nexus_event_journal VALUES (1, 'me', 'nats', 'one')")
    await database.execute(
        "INSERT INTO nexus_event_subscriptions (plugin, pattern, last_position, acknowledged,"
        " epoch, suspect, crashes) VALUES ('mail', 'user.*', 0, '', 0, 0, 0)"
    )
    await database.close()


def test_the_url_of_an_engine_that_is_none_is_not_shown(nexus, application, monkeypatch) -> None:
    monkeypatch.setenv("NEXUS_EVENTS__ENGINE", "kafka://shop:word@host")
    said = nexus("doctor", "--json")
    assert said.code == 1
    assert "nats://host:4222" in said.out
    assert "word@" not in said.out


def test_what_a_chosen_feature_lacks_is_an_error(nexus, application, monkeypatch) -> None:
    with (application / "nexus.yaml").open("a") as file:
        file.write("\nbuiltin: [auth]\ntracing: {enabled: true}\n")
    subjects = {"builtin: [auth]", "tracing.enabled"}
    assert not subjects & lines(nexus("doctor", "--json"), "Settings").keys()

    monkeypatch.setattr(extras, "_is_installed", lambda _name: False)
    said = nexus("doctor", "--json")
    assert said.code == 1
    found = lines(said, "Settings")
    assert found["builtin: [auth]"] == ("error", "needs pwdlib and pyjwt: not installed.")
    assert found["tracing.enabled"][0] == "error"
