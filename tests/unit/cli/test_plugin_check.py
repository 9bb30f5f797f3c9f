import json
from pathlib import Path
from typing import Any

import pytest

MADE = "    async def initialize(self): return True\n"
ROUTES = """
    async def initialize(self):
        return True
    def get_api_routes(self):
        router = APIRouter()
        @router.get("/items/{item:int}")
        async def show(item: int): ...
        @router.post("/items")
        async def add(): ...
        return [router]
"""


def findings(said: Any) -> list[tuple[str, str]]:
    [item] = said.json["items"]
    return [(each["level"], each["message"]) for each in item["findings"]]


def messages(said: Any) -> str:
    return "\n".join(f"{level} {message}" for level, message in findings(said))


def body(lines: str) -> str:
    return "    async def initialize(self):\n" + "".join(
        f"        {line}\n" for line in lines.splitlines()
    )


def test_a_plugin_without_fault_passes(nexus, make_plugin) -> None:
    make_plugin()
    said = nexus("plugin", "check", "--strict", "--json")
    assert said.code == 0
    assert said.json["ok"] is True
    assert findings(said) == []


def test_problems_of_the_manifest_are_errors(nexus, make_plugin) -> None:
    make_plugin(version=3, descripton="misspelled")
    said = nexus("plugin", "check", "--json")
    assert said.code == 1
    assert "error" in dict(findings(said))
    assert 'Did you mean "description"?' in messages(said)


def test_a_warning_fails_under_strict_only(nexus, make_plugin) -> None:
    make_plugin(permissions=["database.read"])
    assert nexus("plugin", "check").code == 0
    said = nexus("plugin", "check", "--strict", "--json")
    assert said.code == 1
    assert findings(said)[0][0] == "warning"


def test_a_permission_that_is_used_must_be_asked_for(nexus, make_plugin) -> None:
    make_plugin(code=body("await self.set_data('a', 1)\nreturn True"))
    said = nexus("plugin", "check", "--json")
    assert said.code == 1
    assert 'Add "database.write" to "permissions"' in messages(said)


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("self.db.collection('items')", ["database.read", "database.write"]),
        ("self.db.transaction()", ["database.read", "database.write"]),
        ("self.db.session()", ["database.read", "database.write"]),
        ("self.db.session(read_only=True)", ["database.read"]),
    ],
)
def test_what_the_database_is_used_for_must_be_asked_for(nexus, make_plugin, line, missing) -> None:
    make_plugin(code=body(f"{line}\nreturn True"))
    said = nexus("plugin", "check", "--json")
    assert said.code == 1
    for permission in missing:
        assert f'"{permission}"' in messages(said)


def test_a_use_of_the_database_is_a_use_of_its_permissions(nexus, make_plugin) -> None:
    make_plugin(
        code=body("self.db.collection('items')\nreturn True"),
        permissions=["database.read", "database.write"],
    )
    assert "not used" not in messages(nexus("plugin", "check", "--json"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("await self.publish_event('other.thing', {})", "neither under 'greeter.' nor declared"),
        ("await self.publish_event(f'system.{self.name}')", "only the platform publishes"),
    ],
)
def test_a_name_that_may_not_be_published_is_an_error(nexus, make_plugin, line, problem) -> None:
    make_plugin(code=body(f"{line}\nreturn True"), permissions=["events.publish"])
    said = nexus("plugin", "check", "--json")
    assert said.code == 1
    assert problem in messages(said)


def test_own_declared_and_computed_names_may_be_published(nexus, make_plugin) -> None:
    lines = (
        "await self.publish_event(f'{self.name}.done')\n"
        "await self.publish_event('other.thing')\n"
        "await self.publish_event(self.topic)\n"
        "return True"
    )
    make_plugin(
        code=body(lines),
        permissions=["events.publish"],
        events={"publishes": ["other.thing", "other.more"]},
    )
    assert findings(nexus("plugin", "check", "--json")) == []


def test_declared_events_that_the_code_does_not_use_are_warnings(nexus, make_plugin) -> None:
    make_plugin(events={"publishes": ["a.b"], "subscribes": ["c.d"]})
    said = nexus("plugin", "check", "--json")
    assert said.code == 0
    assert "'a.b' is declared and never published" in messages(said)
    assert "'c.d' is declared, and no handler subscribes to it" in messages(said)


def test_a_subscription_that_is_not_declared_is_a_note(nexus, make_plugin) -> None:
    make_plugin(
        code=body("await self.subscribe_to_event('x.y', print)\nreturn True"),
        permissions=["events.subscribe"],
    )
    assert [level for level, _ in findings(nexus("plugin", "check", "--json"))] == ["note"]


def test_tests_of_the_plugin_are_not_its_code(nexus, make_plugin) -> None:
    folder = make_plugin()
    (folder / "tests").mkdir()
    (folder / "tests" / "test_it.py").write_text("plugin.set_data('a', 1)", encoding="utf-8")
    assert findings(nexus("plugin", "check", "--json")) == []


def test_endpoints_are_held_against_the_routes(nexus, make_plugin) -> None:
    endpoints = [
        {"method": "GET", "path": "/items/{id}"},
        {"method": "DELETE", "path": "/items"},
    ]
    make_plugin(code=ROUTES, api_endpoints=endpoints)
    said = nexus("plugin", "check", "--json")
    assert findings(said) == [
        ("warning", "DELETE /items is declared, and no route serves it. It serves POST there."),
        ("note", "POST /items is served, and api_endpoints does not declare it."),
    ]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("    pass\nimport sys; sys.exit(3)\n", "SystemExit"),
        ("    pass\nimport os; os._exit(3)\n", "ended the process (3)"),
        ("    pass\nimport no_such_module_anywhere\n", "needs the module"),
        ("    (\n", "Syntax error"),
        ("    async def start(self): ...\n", "does not define initialize()"),
        ("    def __init__(self): raise ValueError(7)\n" + MADE, "raised ValueError"),
        ("    def __init__(self): self.count = 0\n" + MADE, "does not call super().__init__()"),
        (ROUTES.replace("[router]", "[3]"), "Item 0 of get_api_routes()"),
        (ROUTES.replace("/items/{item:int}", "/a/../b"), "leads out of the plugin's prefix"),
    ],
    ids=["exits", "dies", "module", "syntax", "abstract", "making", "super", "router", "prefix"],
)
def test_code_that_cannot_be_loaded_is_an_error(nexus, make_plugin, code, problem) -> None:
    make_plugin(code=code)
    said = nexus("plugin", "check", "--json")
    assert said.code == 1
    assert problem in messages(said)


def test_code_that_hangs_at_import_is_given_up(make_plugin, application: Path) -> None:
    from nexus.cli.checks import check_import_and_routes
    from nexus.plugins.discovery import Origin, read_plugin

    folder = make_plugin(code="    pass\nimport time\nwhile True: time.sleep(1)\n")
    plugin = read_plugin(folder, Origin.FOLDER, ("plugins.greeter",))
    [finding] = check_import_and_routes(plugin, application, timeout=1.0)
    assert "has not finished importing" in finding.message


def test_what_the_plugin_prints_does_no_harm(nexus, make_plugin) -> None:
    make_plugin(code="    print('{}', flush=True)\n" + body("return True"))
    assert findings(nexus("plugin", "check", "--json")) == []


def test_routes_that_need_initialize_cannot_be_looked_at(nexus, make_plugin) -> None:
    make_plugin(code=ROUTES.replace("router = APIRouter()", "router = self.made_later"))
    said = nexus("plugin", "check", "--json")
    assert said.code == 0
    [(level, message)] = findings(said)
    assert level == "note"
    assert "Without initialize()" in message


def test_files_of_settings_are_held_against_the_manifest(nexus, make_plugin) -> None:
    folder = make_plugin(
        configuration={
            "retries": {"type": "integer", "max": 3},
            "key": {"type": "string", "secret": True, "required": True},
        }
    )
    (folder / "config").mkdir()
    (folder / "config" / "default.yaml").write_text("retries: 9\nretires: 1\n", encoding="utf-8")
    (folder / "config" / "production.yaml").write_text("key: hidden-value\n", encoding="utf-8")
    (folder / "config" / "development.yaml").write_text("a: [\n", encoding="utf-8")
    said = nexus("plugin", "check", "--json")
    assert said.code == 1
    text = messages(said)
    assert "error 'retries' is 9 (integer); expected an integer of at most 3." in text
    assert "note 'retires' is not declared" in text
    assert "Did you mean 'retries'?" in text
    assert "in a file in plain text" in text
    assert "hidden-value" not in said.out
    places = [each["place"] for each in said.json["items"][0]["findings"]]
    assert "config/development.yaml" in places


def test_a_required_setting_without_a_value_is_a_note(nexus, make_plugin) -> None:
    make_plugin(configuration={"key": {"type": "string", "required": True}})
    said = nexus("plugin", "check", "--strict", "--json")
    assert said.code == 0
    assert "nexus config set greeter key VALUE" in messages(said)


def test_requirements_are_held_against_what_is_installed(nexus, make_plugin) -> None:
    folder = make_plugin()
    (folder / "requirements.txt").write_text(
        "# tools\npytest>=1  # is there\n--no-binary x\nno-such-distribution-here>=2\n"
        "pytest<1\nnot a requirement\nother; python_version < '3'\n",
        encoding="utf-8",
    )
    said = nexus("plugin", "check", "--json")
    places = [each["place"] for each in said.json["items"][0]["findings"]]
    assert places == ["requirements.txt:4", "requirements.txt:5", "requirements.txt:6"]
    assert "pip install 'no-such-distribution-here>=2'" in messages(said)


def test_a_folder_can_be_checked_without_an_application(nexus, make_plugin, monkeypatch) -> None:
    folder = make_plugin()
    monkeypatch.chdir("/")
    said = nexus("plugin", "check", str(folder), "--json")
    assert said.code == 0
    assert said.json["items"][0]["name"] == "greeter"


def test_an_unknown_name_is_told_with_the_closest(nexus, make_plugin) -> None:
    make_plugin()
    said = nexus("plugin", "check", "greter", "--json")
    assert said.code == 1
    assert "Did you mean 'greeter'?" in said.error["message"]


def test_people_get_one_line_a_finding(nexus, make_plugin) -> None:
    make_plugin(permissions=["database.read"], tags=["[bold]"])
    said = nexus("plugin", "check")
    assert said.out.startswith("greeter: ok (1 warning)\n  warning manifest.json $.permissions: ")


def test_no_plugins_is_no_fault(nexus, application) -> None:
    assert nexus("plugin", "check").code == 0


def test_the_schema_is_printed(nexus) -> None:
    assert json.loads(nexus("plugin", "schema").out)["title"] == "Nexus plugin manifest"


def test_settings_that_are_not_declared_are_told(nexus, make_plugin) -> None:
    make_plugin(
        code=body(
            "await self.get_config('greting')\nawait self.get_config(key='zzz')\n"
            "await self.get_config('greeting')\nawait self.get_config(self.key)\nreturn True"
        ),
        configuration={"greeting": {"type": "string"}},
    )
    said = nexus("plugin", "check", "--json")
    text = "reads the setting {}, which the manifest does not declare.{}"
    assert findings(said) == [
        ("warning", text.format("'greting'", " Did you mean 'greeting'?")),
        ("note", text.format("'zzz'", "")),
    ]


def test_code_that_cannot_be_parsed_is_the_only_finding(nexus, make_plugin) -> None:
    make_plugin(
        code="    (\n",
        permissions=["database.read"],
        events={"publishes": ["a.b"], "subscribes": ["c.d"]},
    )
    [(level, message)] = findings(nexus("plugin", "check", "--json"))
    assert level == "error"
    assert "Syntax error" in message


BLOCKING = """    pass
import time as clock
from time import sleep
import requests
class Other:
    async def work(self, other):
        clock.sleep(1)
        if sleep(2):
            requests.get("http://x")
        clock.monotonic(), other.sleep(3)
        def in_a_thread():
            clock.sleep(4)
    def plain(self):
        clock.sleep(5)
"""


def test_calls_that_block_the_event_loop_are_warnings(make_plugin) -> None:
    from nexus.cli.checks.blocking import check_blocking
    from nexus.cli.checks.source import read_source

    found = list(check_blocking(read_source(make_plugin(code=BLOCKING))))
    assert [each.message.partition(" ")[0] for each in found] == [
        "time.sleep()",
        "time.sleep()",
        "requests.get()",
    ]
    assert {str(each.level) for each in found} == {"warning"}
    assert "blocks the event loop; use await asyncio.sleep() or a thread" in found[0].message


def test_a_check_tells_of_blocking_calls(nexus, make_plugin) -> None:
    make_plugin(code=body("import time\ntime.sleep(0)\nreturn True"))
    [(level, message)] = findings(nexus("plugin", "check", "--json"))
    assert level == "warning"
    assert "blocks the event loop" in message


PUBLISHER = {"publishes": [{"name": "order.placed", "version": 1}]}
PUBLISHES = body("await self.publish_event('order.placed', {})\nreturn True")
SUBSCRIBER = {"subscribes": [{"pattern": "order.placed", "version": 2}]}
SUBSCRIBES = body("await self.subscribe_to_event('order.placed', print)\nreturn True")


def test_events_are_compared_across_the_application(nexus, make_plugin) -> None:
    make_plugin("shop", code=PUBLISHES, permissions=["events.publish"], events=PUBLISHER)
    make_plugin("billing", code=SUBSCRIBES, permissions=["events.subscribe"], events=SUBSCRIBER)
    said = nexus("plugin", "check", "--json")
    assert said.code == 1
    failed = {item["name"]: item["findings"] for item in said.json["items"] if not item["ok"]}
    [finding] = failed["billing"]
    assert "plugin 'shop' publishes 'order.placed' as version 1" in finding["message"]
    for name in ("shop", "billing"):  # the other one is looked at, though it is not named
        alone = nexus("plugin", "check", name, "--json")
        assert alone.code == 1
        assert "'billing' takes version 2" in messages(alone)


def test_a_subscription_that_nobody_publishes_is_a_note(nexus, make_plugin) -> None:
    make_plugin("billing", code=SUBSCRIBES, permissions=["events.subscribe"], events=SUBSCRIBER)
    said = nexus("plugin", "check", "--strict", "--json")
    assert said.code == 0
    [(level, message)] = findings(said)
    assert level == "note"
    assert "no plugin of the application publishes 'order.placed'" in message
