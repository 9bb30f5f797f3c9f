"""What a folder's migrations are called and follow is read from their source."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nexus.data.migrations import has_migrations, read_revisions
from nexus.errors import MigrationsInvalid

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a migration, and give the plugin's folder."""

    def write(name: str, follows: object = None, more: str = "", *, file: str = "") -> Path:
        place = tmp_path / "migrations" / "versions"
        place.mkdir(parents=True, exist_ok=True)
        text = f"revision = {name!r}\ndown_revision = {follows!r}\n{more}\n"
        (place / f"{file or name}.py").write_text(text)
        return tmp_path

    return write


def test_they_are_put_in_order(write: Write) -> None:
    write("c", "b")
    write("a")
    folder = write("b", "a")
    revisions = read_revisions("tasks", folder)
    assert revisions.names == ("a", "b", "c")
    assert revisions.head == "c"
    assert [each.name for each in revisions.pending(["a"])] == ["b", "c"]
    assert [each.name for each in revisions.done(["b"])] == ["a", "b"]
    assert len(revisions) == 3
    assert "a" in revisions
    assert "d" not in revisions


def test_branches_that_come_together_are_one_chain(write: Write) -> None:
    write("a")
    write("b1", "a")
    write("b2", "a")
    folder = write("c", ("b1", "b2"))
    revisions = read_revisions("tasks", folder)
    assert revisions.head == "c"
    assert [each.name for each in revisions.pending(["b1"])] == ["b2", "c"]
    assert {each.name for each in revisions.pending(["b1", "b2"])} == {"c"}


def test_what_one_depends_on_comes_before_it(write: Write) -> None:
    write("a")
    write("z", "a")
    write("b", "a", "depends_on = 'z'")
    folder = write("c", ("b", "z"))
    assert read_revisions("tasks", folder).names == ("a", "z", "b", "c")


def test_the_form_of_alembic_s_own_template_is_read(write: Write, tmp_path: Path) -> None:
    write("x")
    (tmp_path / "migrations" / "versions" / "x.py").write_text(
        '"""Make it.\n\nRevision ID: 1a2b\n"""\n'
        "from typing import Sequence, Union\n"
        'revision: str = "1a2b"\n'
        "down_revision: Union[str, Sequence[str], None] = None\n"
        "branch_labels: Union[str, None] = None\n"
    )
    [only] = read_revisions("tasks", tmp_path)
    assert (only.name, only.follows, only.words) == ("1a2b", (), "Make it")


def test_a_folder_without_any_has_none(tmp_path: Path) -> None:
    assert not has_migrations(tmp_path)
    revisions = read_revisions("tasks", tmp_path)
    assert (revisions.head, revisions.names, list(revisions.pending([]))) == (None, (), [])


def test_env_py_and_files_with_an_underscore_are_none(write: Write, tmp_path: Path) -> None:
    folder = write("a")
    for name in ("env.py", "__init__.py", "_shared.py"):
        (tmp_path / "migrations" / name).write_text("import nothing_like_that\n")
    assert read_revisions("tasks", folder).names == ("a",)


def test_nothing_is_imported(write: Write) -> None:
    folder = write("a", more="raise SystemExit")
    assert read_revisions("tasks", folder).names == ("a",)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            [("a", None, "", "one"), ("a", None, "", "two")],
            "one.py and .*two.py are both called 'a'",
        ),
        ([("b", "a", "", "")], "b.py comes after 'a', which is not there"),
        ([("a", "b", "", ""), ("b", "a", "", "")], "round in a circle"),
        (
            [("a", None, "", ""), ("b", "a", "", ""), ("c", "a", "", "")],
            "b.py and .*c.py are both the",
        ),
        ([("a" * 33, None, "", "")], "at most 32 letters"),
        ([("a'; DROP", None, "", "x")], "letters, digits, dots and underscores"),
        ([(5, None, "", "x")], "is called 5"),
        ([(None, None, "", "x")], "x.py has no 'revision'"),
        ([("a", None, "down_revision = str(1)", "")], None),
        ([("a", None, "def upgrade(:", "")], "syntax error in .*a.py, line 3"),
    ],
)
def test_what_is_no_chain_is_told_with_its_files(
    write: Write, tmp_path: Path, files: list[tuple[object, ...]], words: str | None
) -> None:
    for name, follows, more, file in files:
        write(name, follows, more, file=file)
    if words is None:
        assert read_revisions("tasks", tmp_path).names == ("a",)
        return
    with pytest.raises(MigrationsInvalid, match=words) as caught:
        read_revisions("tasks", tmp_path)
    assert "plugin 'tasks'" in str(caught.value)


def test_a_name_that_is_put_together_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "migrations"
    place.mkdir()
    (place / "a.py").write_text("import uuid\nrevision = uuid.uuid4().hex\n")
    with pytest.raises(MigrationsInvalid, match="line 2, is put together at run time"):
        read_revisions("tasks", tmp_path)
