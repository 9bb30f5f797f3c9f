"""What does not fit, or breaks off, leaves everything as it was."""

import asyncio
import hashlib
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nexus.errors import DataFileDamaged, DataFileRefused, NotExportable
from nexus.transfer import Target

CONFTEST = Path(__file__).with_name("conftest.py")


def rewrite(path: Path, change: Callable[[list[Any]], None]) -> None:
    """Change the lines of a file, and sum it up anew."""
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-2]]
    change(lines)
    texts = [json.dumps(line, ensure_ascii=True) + "\n" for line in lines]
    counts: dict[str, Any] = {
        "settings": sum("setting" in each for each in lines),
        "secrets": [each["setting"] for each in lines if "secret" in each],
        "seeded": sum("seeded" in each for each in lines),
        "data": sum("data" in each for each in lines),
        "collections": {},
        "tables": {},
    }
    inside: dict[str, int] = {}
    for each in lines:
        for kind, place in (("collection", "collections"), ("table", "tables")):
            if kind in each:
                inside = counts[place]
                inside[each[kind]] = 0
        if "id" in each or "row" in each:
            inside[list(inside)[-1]] += 1
    body = "".join(texts).encode()
    end = {"end": counts, "sha256": hashlib.sha256(body).hexdigest()}
    path.write_bytes(body + json.dumps(end).encode() + b"\n")


def line_with(lines: list[Any], kind: str, value: Any = None) -> int:
    return next(
        number
        for number, each in enumerate(lines)
        if kind in each and (value is None or each[kind] == value)
    )


async def filled(side: Any, tmp_path: Path) -> tuple[Path, Any]:
    await side.fill()
    path = await side.export(tmp_path / "tasks.jsonl")
    await side.store.set("data:tasks", "kept", 1)
    return path, await side.everything()


async def test_a_file_that_was_cut_off_changes_nothing(side: Any, tmp_path: Path) -> None:
    path, before = await filled(side, tmp_path)
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, whole.rindex(b'{"end"'), len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DataFileDamaged, match="Nothing was imported"):
            await side.take(path, replace=True)
    assert await side.everything() == before


async def test_a_file_that_was_changed_changes_nothing(side: Any, tmp_path: Path) -> None:
    path, before = await filled(side, tmp_path)
    whole = path.read_bytes()
    chance = random.Random(7)  # noqa: S311  no secret
    for _ in range(5):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole) - 1)] ^= 1
        path.write_bytes(changed)
        with pytest.raises((DataFileDamaged, DataFileRefused)):
            await side.take(path, replace=True)
    assert await side.everything() == before


Change = Callable[[list[Any]], None]


def unknown_collection(lines: list[Any]) -> None:
    lines[line_with(lines, "collection", "items")]["collection"] = "things"


def unknown_table(lines: list[Any]) -> None:
    lines[line_with(lines, "table", "nodes")]["table"] = "knots"


def unknown_column(lines: list[Any]) -> None:
    lines[line_with(lines, "table", "every")]["columns"][1]["name"] = "texts"


def wrong_type(lines: list[Any]) -> None:
    lines[line_with(lines, "table", "every") + 2]["row"][0] = "two"


def unknown_form(lines: list[Any]) -> None:
    lines[line_with(lines, "table", "every") + 2]["row"][1] = {"money": 1}


def decimal_that_no_database_keeps(lines: list[Any]) -> None:
    row = lines[line_with(lines, "table", "every") + 1]["row"]
    at = next(n for n, value in enumerate(row) if isinstance(value, dict) and "decimal" in value)
    row[at] = {"decimal": "0.12345678901234567890"}


def same_key(lines: list[Any]) -> None:
    at = line_with(lines, "table", "every")
    lines[at + 3]["row"][0] = lines[at + 1]["row"][0]


def text_that_no_database_takes(lines: list[Any]) -> None:
    lines[line_with(lines, "table", "every") + 2]["row"][1] = "\ud800"


def same_sku(lines: list[Any]) -> None:
    at = line_with(lines, "collection", "items")
    lines[at + 700]["document"]["sku"] = lines[at + 1]["document"]["sku"]


def no_version(lines: list[Any]) -> None:
    lines[line_with(lines, "collection", "items") + 1]["version"] = 0


def document_that_no_database_takes(lines: list[Any]) -> None:
    lines[line_with(lines, "collection", "items") + 1]["document"]["text"] = "\ud800"


def key_that_no_store_takes(lines: list[Any]) -> None:
    lines[line_with(lines, "data")]["data"] = "x" * 1000


def reference_to_nothing(lines: list[Any]) -> None:
    lines[line_with(lines, "table", "nodes") + 2]["row"][1] = 4711


def other_revision(lines: list[Any]) -> None:
    lines[0]["revisions"] = ["0003"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (unknown_collection, "declares no collection 'things' here"),
        (unknown_table, "has no table 'knots' here"),
        (unknown_column, "tasks__every has no column 'texts' here"),
        (wrong_type, "takes an integer, and the file has str"),
        (unknown_form, "unknown type 'money'"),
        (
            decimal_that_no_database_keeps,
            r"price .* has the decimal number 0\.1234567890123456789.*round such numbers.*again",
        ),
        (same_key, "tasks__every refuses the row"),
        (text_that_no_database_takes, "tasks__every refuses the row"),
        (same_sku, "refuses a document: .*sku"),
        (no_version, "refuses a document"),
        (document_that_no_database_takes, "refuses a document"),
        (key_that_no_store_takes, "a value cannot be stored: The key"),
        (reference_to_nothing, "rows do not fit together: .*tasks__nodes"),
        (other_revision, "migration 0003, and the migrations of the plugin here lead to no"),
    ],
)
async def test_what_does_not_fit_changes_nothing(
    side: Any, tmp_path: Path, change: Change, told: str
) -> None:
    path, before = await filled(side, tmp_path)
    rewrite(path, change)
    with pytest.raises(DataFileRefused, match=f"(?is){told}.*Nothing was imported"):
        await side.take(path, replace=True)
    assert await side.everything() == before


async def test_foreign_keys_are_checked_again_after_a_refusal(side: Any, tmp_path: Path) -> None:
    path, _ = await filled(side, tmp_path)
    rewrite(path, reference_to_nothing)
    with pytest.raises(DataFileRefused):
        await side.take(path, replace=True)
    with pytest.raises(sa.exc.IntegrityError):
        await side.add(side.module.Node(id=50, parent_id=4711))


async def test_the_line_at_fault_is_named(side: Any, tmp_path: Path) -> None:
    path, _ = await filled(side, tmp_path)
    rewrite(path, same_key)
    expected = 1 + next(
        number
        for number, line in enumerate(path.read_bytes().split(b"\n"), start=1)
        if b'"table": "every"' in line
    )
    with pytest.raises(DataFileRefused, match=f"line {expected + 2}: "):
        await side.take(path, replace=True)


async def test_a_preparation_that_fails_changes_nothing(side: Any, tmp_path: Path) -> None:
    path, before = await filled(side, tmp_path)

    async def prepare() -> Target:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await side.take(path, replace=True, prepare=prepare)
    assert await side.everything() == before


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
async def test_tables_that_were_made_for_it_go_with_it(
    side: Any, make_side: Any, tmp_path: Path
) -> None:
    source = await make_side("sqlite")
    path, _ = await filled(source, tmp_path)
    rewrite(path, same_sku)
    with pytest.raises(DataFileRefused):
        await side.take(path)
    from nexus.transfer import take_inventory

    assert (await take_inventory(side.database, side.store, "tasks")).is_empty


CHILD = """
import asyncio, os, runpy, signal, sys
from pathlib import Path

from nexus.data.database import DEFAULT_LIMITS
from nexus.data.engines.opening import make_database
from nexus.data.url import parse_url
from nexus.transfer import Importer, opened_file

async def main():
    database = make_database(parse_url(sys.argv[1]), limits=DEFAULT_LIMITS)
    await database.open()
    side = runpy.run_path(sys.argv[4])["Side"](database, sys.argv[1])

    def progress(position):
        if position > file.size * float(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

    with opened_file(Path(sys.argv[2])) as file:
        contents = file.check()
        importer = Importer(database, side.store, side.values, side.prepare, progress)
        await importer.run(file, contents, replace=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("share", ["0.3", "0.99"])
async def test_a_process_that_is_killed_changes_nothing(
    side: Any, tmp_path: Path, share: str
) -> None:
    path, before = await filled(side, tmp_path)
    child = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CHILD, side.url, str(path), share, str(CONFTEST)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert await side.everything() == before
    await side.take(path, replace=True)  # and nothing of it is in the way


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_what_a_file_cannot_hold_is_told_with_its_place(side: Any, tmp_path: Path) -> None:
    await side.prepare()
    await side.database.execute("CREATE TABLE tasks__odd (id int PRIMARY KEY, p int4range)")
    await side.database.execute("INSERT INTO tasks__odd VALUES (1, '[1,2]')")
    with pytest.raises(NotExportable, match=r"column p of the table tasks__odd \(.*\) holds"):
        await side.export(tmp_path / "tasks.jsonl")


async def test_what_is_too_large_for_a_line_is_told_with_its_place(
    side: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nexus.transfer.lines.LONGEST_LINE", 4096)
    places: list[str] = []

    async def refused() -> None:
        with pytest.raises(NotExportable, match=r"a line of .* bytes") as caught:
            await side.export(tmp_path / "tasks.jsonl")
        places.append(caught.value.data["place"])

    await side.prepare()
    await side.add(side.module.Every(id=1, raw=bytes(4096)))
    await refused()
    await side.collections["items"].insert({"text": "x" * 4096})
    await refused()
    await side.store.set("data:tasks", "long", "x" * 4096)
    await refused()
    await side.settings(size="x" * 4096)
    await refused()
    assert places == [
        "A row of the table tasks__every",
        "A document of the collection 'items'",
        "The value of the key 'long'",
        "The setting 'size'",
    ]
