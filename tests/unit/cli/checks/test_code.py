from pathlib import Path
from typing import Any

import pytest

from nexus.cli.checks import check_code
from nexus.manifest import read_manifest


def told(folder: Path) -> str:
    manifest = read_manifest(folder).manifest
    assert manifest is not None
    return "\n".join(each.message for each in check_code(folder, manifest))


def body(lines: str) -> str:
    return f"    async def initialize(self):\n        {lines}\n        return True\n"


def test_permissions_that_nothing_uses_are_told(make_plugin: Any) -> None:
    asked = ["events.publish", "http.mount:/shop", "jobs.schedule", "services.use:billing"]
    asked += ["audit.write", "database.read", "database.write", "events.subscribe:user.*"]
    found = told(make_plugin(code=body("pass"), permissions=asked))
    for permission in asked:
        assert f"{permission!r} is asked for and not used" in found


def test_permissions_that_the_code_needs_are_told(make_plugin: Any) -> None:
    lines = "await self.write_audit('order.cancel')"
    assert "write_audit() needs the permission 'audit.write'" in told(make_plugin(code=body(lines)))


@pytest.mark.parametrize(
    ("line", "permission", "is_told"),
    [
        ("await self.subscribe_to_event('user.created', print)", "events.subscribe:user.*", False),
        ("await self.subscribe_to_event('user.created', print)", "events.subscribe:order.*", True),
        ("await self.subscribe_to_event(self.name, print)", "events.subscribe:order.*", False),
        ("await self.publish_event('greeter.done')", "events.publish:greeter.opened", True),
        ("self.get_service('bank.api')", "services.use:bank.api", False),
        ("self.get_service('bank.api')", "services.use:shop.api", True),
        ("self.get_service('bank.api')", "services.use:treasury", False),
    ],
)
def test_a_scope_that_nothing_is_in_is_told(
    make_plugin: Any, line: str, permission: str, is_told: bool
) -> None:
    found = told(make_plugin(code=body(line), permissions=[permission]))
    assert (f"{permission!r} is asked for and not used: no name" in found) is is_told


@pytest.mark.parametrize(
    ("stops", "level", "hint"),
    [({}, "warning", "means nothing"), ({"idle_stop": "10m"}, "note", "a run that is due")],
)
def test_what_becomes_of_the_schedule_of_a_plugin_that_sleeps_is_told(
    make_plugin: Any, stops: dict[str, str], level: str, hint: str
) -> None:
    code = "    @every('1h')\n    async def tidy(self):\n        return None\n"
    lazy: dict[str, Any] = {"permissions": ["jobs.schedule"], "activation": ["on_request"], **stops}
    folder = make_plugin(code=code, **lazy)
    manifest = read_manifest(folder).manifest
    assert manifest is not None
    found = check_code(folder, manifest)
    [finding] = [each for each in found if "starts with the application" in each.message]
    assert finding.level == level
    assert hint in finding.message


@pytest.mark.parametrize(
    ("use", "line", "is_told"),
    [
        ("on_event:order.*", "await self.subscribe_to_event('order.placed', print)", False),
        ("on_event:order.*", "await self.subscribe_to_event('user.created', print)", True),
        ("on_event:order.*", "await self.subscribe_to_event(self.name, print)", False),
        ("on_service:bank.api", "self.register_service('bank.api', self)", False),
        ("on_service:bank.api", "self.register_service('bank', self)", True),
        ("on_service:bank.api", "self.register_service(self.name, self)", False),
        ("on_request", "pass", False),
    ],
)
def test_a_use_that_starts_a_plugin_in_vain_is_told(
    make_plugin: Any, use: str, line: str, is_told: bool
) -> None:
    found = told(make_plugin(code=body(line), activation=[use]))
    assert (" the plugin, " in found and "start" in found) is is_told
