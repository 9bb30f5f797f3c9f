"""The rules that the project keeps about itself."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nexus import errors

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "nexus"
VENDORED = "src/nexus/web/static/"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = {
    "runtime": ["project"],
    "build": ["build"],
    "test": ["project", "test", "build"],
    "lint": ["lint"],
    "docs": ["docs"],
    "bench": ["bench"],
    "container": ["project"],
}


def error_classes() -> list[type[errors.NexusError]]:
    found = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.NexusError)
    ]
    return sorted(found, key=lambda kind: kind.code)


def tracked_texts() -> Iterator[tuple[str, str]]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        if name.startswith(VENDORED) or not path.is_file():
            continue
        try:
            yield name, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def pinned(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    pin = r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9, -]+\])?==([^\s;\\]+)"
    return dict(re.findall(pin, text, re.MULTILINE))


def wanted(group: str) -> Iterator[Requirement]:
    if group == "project":
        yield from map(Requirement, PROJECT["project"]["dependencies"])
        return
    for entry in PROJECT["dependency-groups"][group]:
        if isinstance(entry, str):
            yield Requirement(entry)
        else:
            yield from wanted(entry["include-group"])


def test_no_module_has_more_than_400_lines() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in SOURCE.rglob("*.py")
    }
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def test_no_module_is_named_for_leftovers() -> None:
    leftovers = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [path for path in SOURCE.rglob("*.py") if path.stem in leftovers] == []


def test_every_folder_of_unit_tests_mirrors_a_package() -> None:
    folders = [
        path.relative_to(ROOT / "tests" / "unit")
        for path in (ROOT / "tests" / "unit").rglob("*")
        if path.is_dir() and any(path.glob("test_*.py"))
    ]
    assert [str(folder) for folder in folders if not (SOURCE / folder).is_dir()] == []


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_code_is_in_the_reference(kind: type[errors.NexusError]) -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    meaning = (kind.__doc__ or "").strip().splitlines()[0]
    row = f"| `{kind.code}` | `{kind.__name__}` | {meaning} |"
    assert row in page.splitlines(), "run 'make reference'"


def test_the_reference_lists_no_error_that_is_gone() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    assert listed - {kind.code for kind in error_classes()} == set()


def test_error_codes_are_kebab_case_and_unique() -> None:
    codes = [kind.code for kind in error_classes()]
    assert sorted(set(codes)) == codes
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code)] == []


def test_every_page_of_the_documents_is_in_the_navigation() -> None:
    def pages(entry: str | list[Any] | dict[str, Any]) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
            return
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from pages(part)

    configuration = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    listed = set(pages(configuration["project"]["nav"]))
    docs = ROOT / "docs"
    assert listed == {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}


@pytest.mark.parametrize("name", GROUPS)
def test_pins_fulfil_what_the_project_asks_for(name: str) -> None:
    pins = pinned(name)
    unmet = [
        str(requirement)
        for group in GROUPS[name]
        for requirement in wanted(group)
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]
    assert unmet == [], "run 'make lock'"


def test_no_two_files_pin_two_versions_of_one_library() -> None:
    versions: dict[str, set[str]] = {}
    for name in GROUPS:
        for library, version in pinned(name).items():
            versions.setdefault(library, set()).add(version)
    assert {library: found for library, found in versions.items() if len(found) > 1} == {}


def test_every_pin_has_a_hash() -> None:
    for name in GROUPS:
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        assert entries
        assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_every_library_has_a_lower_and_an_upper_bound() -> None:
    texts = [
        *PROJECT["project"]["dependencies"],
        *(text for extra in PROJECT["project"]["optional-dependencies"].values() for text in extra),
    ]
    for requirement in map(Requirement, texts):
        operators = {each.operator for each in requirement.specifier}
        assert operators == {">=", "<"}, requirement


def test_the_rules_on_security_are_on() -> None:
    lint = PROJECT["tool"]["ruff"]["lint"]
    assert "ALL" in lint["select"]
    assert [rule for rule in lint["ignore"] if re.fullmatch(r"S\d*", rule)] == []
    for folder, ignored in lint["per-file-ignores"].items():
        if folder.startswith("src/"):
            assert [rule for rule in ignored if re.fullmatch(r"S\d*", rule)] == []


def test_pins_name_no_address() -> None:
    for path in (ROOT / "requirements").iterdir():
        assert not re.search(r"https?:|file:|^-|^/", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_no_text_names_a_place_of_one_machine() -> None:
    # Put together here, so that this file does not contain them.
    places = ["/ro" + "ot/", "/opt/" + "pypi", "pythonhosted" + ".org", "file:" + "///"]
    # A folder right below the root (/src, say) is too common a word to be looked for.
    places += [f"{path}/" for path in (ROOT, Path.home()) if len(path.parts) > 2]
    named = [(name, place) for name, text in tracked_texts() for place in places if place in text]
    assert named == []
