"""The reference has everything that the code has, and nothing that it has not."""

import inspect
import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nexus import NexusApp, create_nexus_app
from nexus.data import SqliteDatabase, SqliteFile
from nexus.data.engines.mariadb.database import MariadbDatabase
from nexus.data.engines.postgresql.database import PostgresqlDatabase
from nexus.data.url import parse_url
from nexus.manifest import KNOWN_PERMISSIONS
from nexus.observability.worker_scrapes import UP
from nexus.plugins import BasePlugin, HealthStatus
from nexus.plugins.figures import database_figures
from nexus.plugins.plugin_database import PluginDatabase
from nexus.plugins.state import PluginState
from nexus.web.errors import STATUS_OF_CODE
from nexus.web.problems import PROBLEM_SCHEMA

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "nexus"

DATABASES: dict[str, Any] = {
    "SQLite": SqliteDatabase(SqliteFile(path=ROOT / "no.db")),
    "PostgreSQL": PostgresqlDatabase(parse_url("postgresql://127.0.0.1/none")),
    "MariaDB": MariadbDatabase(parse_url("mysql://127.0.0.1/none")),
}
"""One of each kind; none of them is opened."""

PLUGIN = """
from fastapi import APIRouter
from nexus.plugins import BasePlugin


class Example(BasePlugin):
    async def initialize(self) -> bool:
        await self.subscribe_to_event("example.*", self.handle)
        return True

    async def handle(self, event) -> None: ...

    def get_api_routes(self) -> list[APIRouter]:
        router = APIRouter()

        @router.get("/")
        async def root(number: int) -> int:
            return number

        return [router]
"""
MANIFEST = """{
  "name": "example",
  "version": "1.0.0",
  "permissions": ["events.subscribe"],
  "configuration": {"size": {"type": "integer", "default": 1}}
}"""


def reference(name: str) -> str:
    return (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """Give the cells of all table rows, without the lines between head and body."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if not set("".join(row)) <= {"-", ":", " "}]


def first_codes(text: str) -> list[str]:
    """Give what stands as code at the beginning of table rows."""
    found = [re.match(r"`([^`]+)`", row[0]) for row in rows(text)]
    return [match[1] for match in found if match]


def section(text: str, heading: str) -> str:
    """Give what stands below a heading, up to the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    _, _, rest = text.partition(f"\n{heading}\n")
    assert rest, heading
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[NexusApp]:
    folder = tmp_path / "plugins" / "example"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(MANIFEST)
    (folder / "plugin.py").write_text(PLUGIN)
    (tmp_path / "nexus.yaml").write_text("name: Reference\n")
    made = create_nexus_app(tmp_path, environ={}, configure_logging=False)
    async with made.running():
        yield made


@pytest.fixture
async def client(app: NexusApp) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {app.tokens.issue_for_run()}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as made:
        yield made


# BasePlugin


def public_methods() -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(BasePlugin).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }


def public_members(kind: type) -> dict[str, Any]:
    return {name: value for name, value in vars(kind).items() if not name.startswith("_")}


def test_every_method_of_a_plugin_has_its_section() -> None:
    headings = re.findall(r"^### (\w+)$", reference("base-plugin"), re.MULTILINE)
    assert sorted(headings) == sorted(public_members(BasePlugin))


def test_everything_that_db_offers_is_listed() -> None:
    listed = re.findall(r"^\| `.*?self\.db\.(\w+)\(", reference("base-plugin"), re.MULTILINE)
    for_the_platform = {"take", "ready", "close"}
    assert set(listed) == public_members(PluginDatabase).keys() - for_the_platform


@pytest.mark.parametrize("name", sorted(public_methods()))
def test_a_method_is_shown_with_the_parameters_that_it_has(name: str) -> None:
    method = public_methods()[name]
    shown = re.search(r"`((?:async )?def .+)`", section(reference("base-plugin"), f"### {name}"))
    assert shown
    assert shown[1].startswith("async ") is inspect.iscoroutinefunction(method)
    namespace: dict[str, Any] = {}
    text = re.sub(r" -> .+", "", shown[1])
    exec(f"{text}: ...", namespace)  # noqa: S102 - the project's own document
    documented = inspect.signature(namespace[name]).parameters.values()
    actual = inspect.signature(method).parameters.values()
    assert [(each.name, each.kind, each.default) for each in documented] == [
        (each.name, each.kind, each.default) for each in actual
    ]


def test_every_attribute_of_a_plugin_is_listed() -> None:
    attributes = [name for name in BasePlugin.__annotations__ if not name.startswith("_")]
    assert first_codes(section(reference("base-plugin"), "## Attributes")) == attributes


def test_every_field_of_a_health_status_is_listed() -> None:
    listed = first_codes(section(reference("base-plugin"), "## HealthStatus"))
    assert listed == list(HealthStatus.__dataclass_fields__)


# The management API


async def test_every_management_route_is_listed(app: NexusApp) -> None:
    actual = {
        (method.upper(), path)
        for path, item in app.app.openapi()["paths"].items()
        if path.startswith("/api/v1")
        for method in item
    }
    listed = re.findall(
        r"^\| `([A-Z]+) (/api/v1[^`?]*)[^`]*`", reference("management-api"), re.MULTILINE
    )
    assert sorted(listed) == sorted(actual)


async def test_what_the_management_api_shows_of_a_plugin_is_listed(
    client: httpx.AsyncClient,
) -> None:
    text = section(reference("management-api"), "### A plugin")
    detail = (await client.get("/api/v1/plugins/example")).json()
    missing = [name for name in [*detail, *detail["live"]] if f"`{name}`" not in text]
    assert missing == []


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/api/v1/plugins/example/config", "## Configuration"),
        ("/api/v1/events", "## Events"),
        ("/api/v1/system", "## System"),
    ],
)
async def test_what_the_management_api_answers_is_listed(
    client: httpx.AsyncClient, path: str, heading: str
) -> None:
    answer = (await client.get(path)).json()
    members = answer["items"][0] if "items" in answer else answer
    text = section(reference("management-api"), heading)
    assert [name for name in members if f"`{name}`" not in text] == []


# Events


def published_names() -> set[str]:
    """Give the names of the platform's own events, as they stand in its code."""
    literal = re.compile(r'(?:announce|publish)\(\s*"((?:system|plugin)\.[a-z_.]+)"')
    names = {
        name
        for path in SOURCE.rglob("*.py")
        for name in literal.findall(path.read_text(encoding="utf-8"))
    }
    # A plugin is found in this state, so it never changes to it.
    states = set(PluginState) - {PluginState.DISCOVERED}
    return names | {f"plugin.{state}" for state in states}


def test_every_event_of_the_platform_is_listed() -> None:
    table = reference("events").partition("\n## ")[0]
    assert sorted(first_codes(table)) == sorted(published_names())


async def test_the_data_of_the_platforms_events_is_listed(
    app: NexusApp, client: httpx.AsyncClient
) -> None:
    await client.put("/api/v1/system/maintenance", json={"on": True})
    await client.patch("/api/v1/plugins/example/config", json={"size": 2})
    await client.post("/api/v1/plugins/example/disable")
    await app.shutdown()

    table = {row[0].strip("`"): row[2] for row in rows(reference("events")) if len(row) == 3}
    table = {
        name: table["plugin.invalid"] if data == "as above" else data
        for name, data in table.items()
    }
    seen = {event.name: event.data for event in app.bus.recent.list()}
    assert {
        "system.started",
        "system.ready",
        "system.maintenance",
        "system.stopping",
        "plugin.running",
        "plugin.draining",
        "plugin.disabled",
        "plugin.config_changed",
    } <= seen.keys()
    undocumented = [
        (name, key) for name, data in seen.items() for key in data if f"`{key}`" not in table[name]
    ]
    assert undocumented == []


# HTTP


async def test_every_header_of_the_platform_is_listed(client: httpx.AsyncClient) -> None:
    text = section(reference("http"), "## Headers of every answer")
    answer = await client.get("https://nexus.test/plugins/example/?number=1")
    sent = {name for name in answer.headers if name not in {"content-length", "content-type"}}
    listed = {
        name.lower(): row[1] for row in rows(text) for name in re.findall(r"`([^`]+)`", row[0])
    }
    assert listed.keys() == sent
    for name in sent - {"x-request-id"}:
        assert f"`{answer.headers[name]}`" in listed[name]


def test_every_member_of_a_problem_document_is_listed() -> None:
    text = section(reference("http"), "## Problem documents").partition("###")[0]
    assert set(first_codes(text)) == {*PROBLEM_SCHEMA["properties"], "state"}


def test_every_code_of_an_error_is_listed_with_its_status() -> None:
    text = section(reference("http"), "### Codes of errors")
    listed = {row[0].strip("`"): int(row[1]) for row in rows(text) if row[1].isdigit()}
    elsewhere = {"plugin-not-found", "plugin-not-running"}
    assert listed == {
        code: status for code, status in STATUS_OF_CODE.items() if code not in elsewhere
    }


def test_every_code_of_the_http_layer_is_listed() -> None:
    literal = re.compile(r'(?:code=|problem_type\()"([a-z-]+)"')
    used = {
        code
        for path in (SOURCE / "web").rglob("*.py")
        for code in literal.findall(path.read_text(encoding="utf-8"))
    }
    text = section(reference("http"), "### Codes of the HTTP layer")
    assert set(first_codes(text)) == used


# Metrics, states, permissions


def database_families(database: Any) -> set[str]:
    families = database_figures(database)()
    return {f"{each.name}_total" if each.counter else each.name for each in families}


async def test_every_metric_family_is_listed(client: httpx.AsyncClient) -> None:
    scrape = (await client.get("/metrics")).text
    actual = set(re.findall(r"^# TYPE (\w+) ", scrape, re.MULTILINE))
    text = reference("metrics")
    listed = set(first_codes(text))
    ours = {name for name in actual if name.startswith("nexus_")}
    assert listed == ours | database_families(DATABASES["PostgreSQL"]) | {UP}
    foreign = {name for name in actual if not name.startswith("nexus_")}
    assert {name for name in foreign if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("kind", DATABASES)
def test_the_figures_of_each_kind_of_database_are_listed(kind: str) -> None:
    database = DATABASES[kind]
    places = {"all", "SQLite"} if kind == "SQLite" else {"all", "servers"}
    listed = {
        row[0].strip("`")
        for row in rows(section(reference("metrics"), "## Database"))
        if row[1] in places
    }
    assert listed == database_families(database)
    assert len(listed) == len(database.figures())  # none is left out of the metrics


async def test_the_labels_of_metrics_are_listed(client: httpx.AsyncClient) -> None:
    await client.get("/plugins/example/?number=1")
    scrape = (await client.get("/metrics")).text
    listed = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1]))
        for row in rows(reference("metrics"))
        if len(row) == 3
    }
    for name, labels in re.findall(r"^(nexus_\w+)\{(.+)\} ", scrape, re.MULTILINE):
        family = re.sub(r"_(bucket|count|sum)$", "", name)
        assert set(re.findall(r'(\w+)="', labels)) <= listed[family], name


def test_every_state_is_listed() -> None:
    assert first_codes(reference("states")) == [str(state) for state in PluginState]


def test_every_permission_is_listed_with_its_meaning() -> None:
    listed = {row[0].strip("`"): row[1] for row in rows(reference("permissions"))}
    listed.pop("Permission")
    assert listed == dict(KNOWN_PERMISSIONS)


# The documents as a whole


def test_every_page_stands_in_the_navigation() -> None:
    nav = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]

    def pages(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        inside = entry.values() if isinstance(entry, dict) else entry
        return [page for each in inside for page in pages(each)]

    written = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    assert sorted(pages(nav)) == sorted(written)


def test_every_page_is_listed_on_the_first_page_of_its_part() -> None:
    for index in DOCS.glob("*/index.md"):
        text = index.read_text(encoding="utf-8")
        others = {path.name for path in index.parent.glob("*.md")} - {"index.md"}
        assert {name for name in others if f"]({name})" not in text} == set(), index
