"""The page on security names tests that there are, and leaves no requirement out."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/security.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ")
]
WITHOUT = ("not covered", "does not apply", "documents")

# The numbers of ASVS 5.0.0 of levels 1 and 2: by section, how many there are. Those of level 3 come
# last in each of these sections, but in 6.3 and 8.3, and sections with nothing else are left out.
SECTIONS = {
    "6.1": 3,
    "6.2": 12,
    "6.3": 4,
    "6.4": 4,
    "6.5": 5,
    "6.6": 3,
    "6.8": 4,
    "7.1": 3,
    "7.2": 4,
    "7.3": 2,
    "7.4": 5,
    "7.5": 2,
    "7.6": 2,
    "8.1": 2,
    "8.2": 3,
    "8.3": 1,
    "8.4": 1,
    "9.1": 3,
    "9.2": 4,
}


def test_every_test_that_is_named_exists() -> None:
    there = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 50
    assert named <= there, sorted(named - there)


def test_every_requirement_has_a_line_that_names_a_test_or_says_why_not() -> None:
    lines = {row[0].split()[0]: row[-1] for row in ROWS if re.match(r"(API\d|\d\.\d)", row[0])}
    asvs = [f"{section}.{at}" for section, last in SECTIONS.items() for at in range(1, last + 1)]
    assert set(lines) == {*asvs, *(f"API{number}" for number in range(1, 11))}
    for requirement, tried in lines.items():
        assert "`test_" in tried or tried.startswith(WITHOUT), requirement
