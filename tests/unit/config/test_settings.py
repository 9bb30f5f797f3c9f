import json
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nexus.config import Settings, describe_settings, load_settings
from nexus.errors import InvalidSettings

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"

BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]\n" for below, name in pairwise("abcdefghi")
)


class Application:
    def __init__(self, root: Path) -> None:
        self.root = root

    def load(
        self, yaml: str | bytes = "", environ: Mapping[str, str] | None = None, **overrides: Any
    ) -> Settings:
        data = yaml.encode() if isinstance(yaml, str) else yaml
        (self.root / "nexus.yaml").write_bytes(data)
        return load_settings(self.root, environ=environ or {}, overrides=overrides)

    def problems(
        self, yaml: str | bytes = "", environ: Mapping[str, str] | None = None, **overrides: Any
    ) -> dict[str, str]:
        with pytest.raises(InvalidSettings) as caught:
            self.load(yaml, environ, **overrides)
        assert all(problem.render() in str(caught.value) for problem in caught.value.problems)
        return {problem.path: problem.render() for problem in caught.value.problems}


@pytest.fixture
def application(tmp_path: Path) -> Application:
    return Application(tmp_path)


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})

    assert settings.model_dump() == Settings().model_dump()
    assert settings.server.port == 8000
    assert settings.database_path == tmp_path / "data" / "nexus.db"
    assert settings.plugin_folders == (tmp_path / "plugins",)
    assert set(settings.sources().values()) == {"default"}


def test_the_environment_comes_above_the_file_and_overrides_above_both(
    application: Application,
) -> None:
    settings = application.load(
        "server: {host: file, port: 1, root_path: /file}\nname: File\n",
        {"NEXUS_SERVER__PORT": "2", "NEXUS_SERVER__ROOT_PATH": "/env", "NEXUS_NAME": "Env"},
        server={"root_path": "/option"},
    )

    assert settings.server.host == "file"
    assert settings.server.port == 2
    assert settings.server.root_path == "/option"
    assert settings.name == "Env"
    sources = settings.sources()
    assert sources["server.host"] == "nexus.yaml"
    assert sources["server.port"] == "NEXUS_SERVER__PORT"
    assert sources["server.root_path"] == "override"
    assert sources["http.docs"] == "default"


def test_a_variable_is_read_in_any_case_and_lists_in_two_forms(application: Application) -> None:
    settings = application.load(
        environ={
            "nexus_Logging__Access": "false",
            "NEXUS_LOGGING__LEVEL": "debug",
            "NEXUS_PLUGIN_PATHS": "one, two",
            "NEXUS_SERVER__TRUSTED_PROXIES": '["10.0.0.1"]',
            "NEXUS_HTTP": '{"docs": false}',
            "NEXUS_EVENTS__MAILBOX_SIZE": "",
        }
    )

    assert settings.logging.access is False
    assert settings.logging.level == "DEBUG"
    assert settings.plugin_paths == [Path("one"), Path("two")]
    assert settings.server.trusted_proxies == ["10.0.0.1"]
    assert settings.http.docs is False
    assert settings.events.mailbox_size == 1000


def test_the_short_names_of_the_secrets_work_and_the_long_ones_win(
    application: Application,
) -> None:
    settings = application.load(
        environ={
            "NEXUS_SECRET_KEY": "a" * 16,
            "NEXUS_ADMIN_TOKEN": "b" * 16,
            "NEXUS_SECURITY__ADMIN_TOKEN": "c" * 16,
        }
    )

    assert settings.security.secret_key is not None
    assert settings.security.secret_key.get_secret_value() == "a" * 16
    assert settings.security.admin_token is not None
    assert settings.security.admin_token.get_secret_value() == "c" * 16
    assert "aaaa" not in repr(settings)
    assert settings.sources()["security.secret_key"] == "NEXUS_SECRET_KEY"


def test_all_problems_are_told_at_once_with_place_and_nearest_spelling(
    application: Application,
) -> None:
    problems = application.problems(
        "server:\n  prt: 5\n  port: abc\nservr: {}\nport: 5\nhttp:\n  docs: maybe\nname: 7\n",
        {"NEXUS_EVENTS__MAX_ATTEMPTS": "0", "NEXUS_EVENTS__MAX_ATTEMPT": "1"},
        logging={"level": "loud"},
    )

    assert problems["server.prt"].startswith("server.prt (nexus.yaml, line 2)")
    assert "Did you mean server.port?" in problems["server.prt"]
    assert problems["server.port"] == (
        'server.port (nexus.yaml, line 3): found "abc" (string); expected an integer.'
    )
    assert "Did you mean server?" in problems["servr"]
    assert "Did you mean server.port?" in problems["port"]
    assert "true or false" in problems["http.docs"]
    assert "expected text" in problems["name"]
    assert "(NEXUS_EVENTS__MAX_ATTEMPTS)" in problems["events.max_attempts"]
    assert "Did you mean events.max_attempts?" in problems["events.max_attempt"]
    assert "(override)" in problems["logging.level"]
    assert len(problems) == 9


def test_hosts_origins_and_headers_are_what_browsers_and_servers_know(
    application: Application,
) -> None:
    problems = application.problems(
        "http:\n"
        "  allowed_hosts: [https://shop.example.com]\n"
        "  cors_origins: [https://shop.example.com/path]\n"
        "  cors_methods: ['*']\n"
        '  transport_security: "a\\r\\nSet-Cookie: b=c"\n'
    )
    assert set(problems) == {
        "http.allowed_hosts",
        "http.cors_origins",
        "http.cors_methods",
        "http.transport_security",
    }
    cookies = application.problems("http: {cors_origins: ['*'], cors_credentials: true}")
    assert "any page could act as its visitor" in cookies["http"]


def test_references_stand_for_variables_and_files(application: Application) -> None:
    (application.root / "password").write_text("p%40ss\n", encoding="utf-8")
    settings = application.load(
        "name: ${env:SHOP}, with $${env:SHOP} and $${other}\n"
        "server: {port: '${env:PORT}'}\n"
        "database: {url: 'postgresql://shop:${file:password}@127.0.0.1/shop'}\n"
        "plugins: {mail: {servers: [{password: '${file:password}'}]}}\n",
        {"SHOP": "Ann's ${file:password}", "PORT": "81"},
    )
    assert settings.name == "Ann's ${file:password}, with ${env:SHOP} and ${other}"
    assert settings.server.port == 81
    assert settings.database_url.password == "p@ss"
    assert settings.plugins["mail"] == {"servers": [{"password": "p%40ss"}]}
    assert settings.file_contents == ("p%40ss",)


def test_a_reference_to_nothing_is_a_problem_and_what_one_stands_for_is_not_shown(
    application: Application,
) -> None:
    (application.root / "binary").write_bytes(b"\xff")
    (application.root / "large").write_bytes(b"x" * 70_000)
    (application.root / "number").write_text("canary", encoding="utf-8")
    problems = application.problems(
        "name: ${env:NOTHING}\n"
        "server:\n"
        "  host: ${file:none}\n"
        "  root_path: ${file:binary}\n"
        "  port: ${file:number}\n"
        "database: {url: '${file:large}'}\n"
    )
    assert "${env:NOTHING}, and no such variable" in problems["name"]
    assert "(nexus.yaml, line 3)" in problems["server.host"]
    assert "${file:none}, which cannot be read" in problems["server.host"]
    assert "no text in UTF-8" in problems["server.root_path"]
    assert "larger than 65536 bytes" in problems["database.url"]
    assert "expected an integer" in problems["server.port"]
    assert "canary" not in str(problems)


def test_what_begins_like_a_reference_and_is_none_is_a_problem(application: Application) -> None:
    problems = application.problems(
        "name: $5, ${enw:NOPE}\n"
        "server: {host: '${HOST}', root_path: '${env:ROOT'}\n"
        "plugins: {mail: {key: '${vault:x}', password: 'canary${canary'}}\n"
    )
    known = "expected ${env:NAME} or ${file:PATH}, or $${ for a plain ${."
    assert f"found ${{enw:...}}, which is no kind of reference; {known}" in problems["name"]
    assert problems["name"].endswith(" Did you mean ${env:...}?")
    assert f"found a ${{ that begins no reference; {known}" in problems["server.host"]
    assert "found a ${env: without its end" in problems["server.root_path"]
    assert problems["plugins.mail.key"].endswith(known)
    assert "canary" not in str(problems["plugins.mail.password"])


def test_only_the_operators_file_has_references(application: Application) -> None:
    settings = application.load(
        "", {"NEXUS_NAME": "${env:NEXUS_NAME}"}, server={"host": "${env:X}"}
    )
    assert (settings.name, settings.server.host) == ("${env:NEXUS_NAME}", "${env:X}")


def test_a_rule_between_settings_names_its_section(application: Application) -> None:
    problems = application.problems("events: {retry_delay: 50}")

    assert "retry_delay to be at most retry_max_delay" in problems["events"]


def test_no_secret_is_echoed(application: Application) -> None:
    problems = application.problems(
        "security:\n  secret_key: short\n  admin_tokn: hidden-one\nplugins: {a: hidden-two}\n",
        {"NEXUS_DATABASE__URL": "oracle://user:hidden-three@host/db"},
    )

    assert set(problems) == {
        "security.secret_key",
        "security.admin_tokn",
        "plugins.a",
        "database.url",
    }
    text = " ".join(problems.values())
    assert "short" not in text
    assert "hidden" not in text
    assert "expected a URL such as" in problems["database.url"]
    assert "at least 16 characters" in problems["security.secret_key"]


@pytest.mark.parametrize(
    "url",
    ["oracle://h/d", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///a.db?x=1", ""],
)
def test_an_unusable_database_is_refused(application: Application, url: str) -> None:
    assert "sqlite:///data/nexus.db" in application.problems(database={"url": url})["database.url"]


def test_a_database_path_is_relative_to_the_application_or_absolute(
    application: Application,
) -> None:
    relative = application.load("database: {url: 'sqlite:///other/my.db'}")
    absolute = application.load("database: {url: 'sqlite:////srv/my.db'}\ndata_dir: /srv/data")

    assert relative.database_path == application.root / "other" / "my.db"
    assert absolute.database_path == Path("/srv/my.db")
    assert absolute.data_folder == Path("/srv/data")


@pytest.mark.parametrize(
    "variable",
    [
        "NEXUS_SERVER_PORT",
        "NEXUS_SECERT_KEY",
        "NEXUS_ENVIROMENT",
        "NEXUS_SERVR__PORT",
        "NEXUS_PLUGINS",
    ],
)
def test_a_misspelled_variable_is_an_error(application: Application, variable: str) -> None:
    assert "Did you mean NEXUS_" in application.problems(environ={variable: "1"})[variable]


@pytest.mark.parametrize(
    "variable",
    ["NEXUS_SERVICE_PORT", "NEXUS_SERVICE_HOST", "NEXUS_PORT_8000_TCP_ADDR", "NEXUS_HOME"],
)
def test_a_variable_that_is_somebody_elses_is_a_warning(
    application: Application, variable: str
) -> None:
    [warning] = application.load(environ={variable: "tcp://10.0.0.1"}).warnings

    assert variable in warning
    assert "10.0.0.1" not in warning


@pytest.mark.parametrize("variable", ["NEXUS_APP", "NEXUS_URL"])
def test_the_variables_of_the_command_are_no_mistake(
    application: Application, variable: str
) -> None:
    assert application.load(environ={variable: "anything"}).warnings == ()


def test_variables_of_plugins_are_left_to_the_plugins(application: Application) -> None:
    settings = application.load(
        "plugins: {hello: {greeting: file}}", {"NEXUS_PLUGINS__HELLO__GREETING": "environment"}
    )

    assert settings.plugins == {"hello": {"greeting": "file"}}
    assert settings.warnings == ()


def test_a_section_without_content_means_nothing(application: Application) -> None:
    settings = application.load("server:\nplugins:\n  hello:\n")

    assert settings.server.port == 8000
    assert settings.plugins == {"hello": {}}


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("server: {port: 1\n", "line 2, column 1"),
        ("- a list", "must be a mapping"),
        ("name: a\nname: b\n", "line 2, column 1: the key 'name' is given twice"),
        ("8: 1", "put it in quotes"),
        ("on: 1", "put it in quotes"),
        ("a: &a [*a]", "only JSON values"),
        ("a: !!python/object/apply:os.getcwd []", "the tag"),
        ("a: !!binary aGVsbG8=", "the tag"),
        ("<<: {a: 1}", "put it in quotes"),
        ("x: " + "[" * 500_000, "at most 100 levels"),
        ("x: " + "{a: " * 200_000, "at most 100 levels"),
        ("- " * 500_000, "at most 100 levels"),
        ("? " * 500_000, "at most 100 levels"),
        ("x: 1" + "0" * 5000, "thousands of digits"),
        ("name: \0", "nexus.yaml"),
        ("a: 1\n---\nb: 2", "another document"),
        (b"name: \xff", "byte 6 is not UTF-8"),
        ("x: " + "a" * 1_100_000, "larger than"),
        (BOMB, "too large"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_file_that_cannot_be_used_is_told_with_its_place(
    application: Application, yaml: str | bytes, expected: str
) -> None:
    problems = application.problems(yaml)

    assert expected in problems[""]
    assert "nexus.yaml" in problems[""]


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "nexus.yaml").mkdir()

    with pytest.raises(InvalidSettings, match="cannot be read"):
        load_settings(tmp_path, environ={})


def test_yaml_values_are_those_of_json(application: Application) -> None:
    settings = application.load(
        "plugins: {a: {time: 12:30, date: 2026-01-01, octal: 0o17, zip: 01234, "
        "int: -5, float: 1.5, exp: 1e3, yes: on, none: ~, nan: .nan}}".replace("yes:", "'yes':")
    )

    assert settings.plugins["a"] == {
        "time": "12:30",
        "date": "2026-01-01",
        "octal": "0o17",
        "zip": "01234",
        "int": -5,
        "float": 1.5,
        "exp": 1000.0,
        "yes": True,
        "none": None,
        "nan": ".nan",
    }


def test_settings_cannot_be_changed_afterwards(application: Application) -> None:
    with pytest.raises(ValueError, match="frozen"):
        application.load().server.port = 1  # type: ignore[misc]  # that it fails is the point


def test_every_setting_is_in_the_reference() -> None:
    reference = REFERENCE.read_text()

    for setting in describe_settings():
        assert setting.meaning
        row = (
            f"| `{setting.path}` | `{setting.variable}` | {setting.type} | `{setting.default}`"
            f" | {setting.meaning.replace('<', '&lt;')} |"
        )
        assert row in reference


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, json, nexus.config, nexus.data; print(json.dumps([m for m in"
        " ('pydantic_settings', 'yaml', 'cryptography', 'fastapi') if m in sys.modules]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )

    assert json.loads(answer.stdout) == []


@pytest.mark.parametrize("section", ["server", "plugins", "logging"])
def test_a_section_that_is_no_mapping_is_told_whatever_covers_it(
    application: Application, section: str
) -> None:
    above: dict[str, Any] = {section: {"some": {}} if section == "plugins" else {}}
    found = application.problems(f"name: x\n{section}: 5\n", **above)
    assert list(found) == [section]
    assert "nexus.yaml, line 2" in found[section]
    assert "expected a mapping" in found[section]


def test_a_section_that_is_no_mapping_is_told_beside_its_variables(
    application: Application,
) -> None:
    found = application.problems("server: 5\n", {"NEXUS_SERVER__PORT": "1"})
    assert "nexus.yaml, line 1" in found["server"]
    found = application.problems("", {"NEXUS_SERVER": "5"}, server={"port": 1})
    assert "NEXUS_SERVER" in found["server"]
    found = application.problems("security: hush-hush\n", {"NEXUS_ADMIN_TOKEN": "x" * 16})
    assert "hush" not in found["security"]


@pytest.mark.parametrize("path", ["no/slash/", "shop", "/shop/", "/"])
def test_a_root_path_begins_with_a_slash_and_ends_without(
    application: Application, path: str
) -> None:
    assert (
        "a path such as"
        in application.problems(f"server: {{root_path: '{path}'}}")["server.root_path"]
    )


@pytest.mark.parametrize("path", ["", "/shop", "/shop/eu"])
def test_a_root_path_that_fits_is_taken(application: Application, path: str) -> None:
    settings = application.load(f"server: {{root_path: '{path}'}}")
    assert settings.server.root_path == path


def test_settings_of_plugins_that_are_not_there_are_told(application: Application) -> None:
    settings = application.load("plugins: {shop: {a: 1}, shoop: {a: 1}, far: {a: 1}}")
    far, close = settings.unused_plugins(["shop"])
    assert far == "plugins.far in nexus.yaml is for a plugin that is not there."
    assert close.endswith("Did you mean shop?")
