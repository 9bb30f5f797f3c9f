"""What the documents say of the testing kit."""

import re
from pathlib import Path
from typing import Any

import pytest

import nexus.testing
from nexus.testing import fixtures, pytest_plugin

DOCS = Path(__file__).parents[3] / "docs"
REFERENCE = (DOCS / "reference" / "testing.md").read_text(encoding="utf-8")
HOW_TO = (DOCS / "how-to" / "test-a-plugin.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", HOW_TO, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", [*nexus.testing.__all__, *fixtures.FIXTURES])
def test_every_fixture_and_helper_is_in_the_reference(name: str) -> None:
    assert f"### `{name}`" in REFERENCE.splitlines()


def test_the_reference_lists_nothing_that_is_gone() -> None:
    listed = set(re.findall(r"^### `(\w+)`", REFERENCE, re.MULTILINE))
    assert listed == {*nexus.testing.__all__, *fixtures.FIXTURES}


def test_every_argument_of_the_marker_is_in_the_reference() -> None:
    section = REFERENCE.partition("## Marker")[2].partition("## Helpers")[0]
    listed = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    declared = re.findall(r"(\w+)=", fixtures.MARKER)
    assert listed == declared == list(fixtures.marker_defaults())


def test_every_fixture_is_known_to_pytest() -> None:
    assert sorted(fixtures.FIXTURES) == sorted(pytest_plugin.__all__)


def test_every_public_name_can_be_imported() -> None:
    assert dir(nexus.testing) == sorted(nexus.testing.__all__)
    for name in nexus.testing.__all__:
        assert getattr(nexus.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="it offers BackgroundTaskFailed"):
        _ = nexus.testing.absent


def test_the_examples_of_the_how_to_pass(workshop: Any) -> None:
    [manifest] = blocks("json")
    plugin, *modules = blocks("python")
    workshop.write("plugins/greeter/manifest.json", manifest)
    workshop.write("plugins/greeter/plugin.py", plugin)
    wanted: set[str] = set()
    for number, module in enumerate(modules):
        text = f"import pytest\nfrom nexus.testing import settle_events\n{module}"
        workshop.write(f"plugins/greeter/tests/test_{number}.py", text)
        wanted |= set(re.findall(r"async def (test_\w+)", module))
    run = workshop.pytest("-p", "no:asyncio", "-W", "error")
    assert run.outcomes == dict.fromkeys(wanted, "passed"), run.text
    assert len(wanted) > 12
