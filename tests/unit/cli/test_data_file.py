"""`nexus data export` and `import`, where no application runs."""

import gzip
import io
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

SECRET = "hunter2-never-in-a-file"
CONFIGURATION = {
    "word": {"type": "string", "default": ""},
    "key": {"type": "string", "secret": True, "default": ""},
}
FILE = "greeter.jsonl"


@pytest.fixture
def stored(nexus, make_keeper, run) -> Path:
    folder: Path = make_keeper(configuration=CONFIGURATION)
    nexus("config", "set", "greeter", "word", "before")
    nexus("config", "set", "greeter", "key", SECRET)
    run()
    return folder


def counts_of(path: Path) -> Any:
    return json.loads(path.read_bytes().split(b"\n")[-2])["end"]


def test_what_was_exported_is_imported(nexus, stored, application: Path, run) -> None:
    said = nexus("data", "export", "greeter", FILE, "--json").json
    path = application / FILE
    assert said == {
        "running": False,
        "plugin": "greeter",
        "file": str(path),
        "bytes": path.stat().st_size,
        "counts": counts_of(path),
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SECRET not in path.read_text(encoding="utf-8")
    nexus("plugin", "purge", "greeter", "--yes")

    said = nexus("data", "import", FILE, "--json")

    assert said.json["counts"] == counts_of(path)
    assert said.json["secrets"] == ["key"]
    assert said.json["from"] == {"engine": "sqlite", "version": "1.0.0"}
    assert said.json["replaced"] == ""
    assert said.json["notes"] == ["A secret is in no file. Set it: nexus config set greeter key"]
    assert nexus("config", "get", "greeter", "word", "--json").json["value"] == "before"
    again = nexus("data", "export", "greeter", "again.jsonl", "--json").json["counts"]
    assert again == {**said.json["counts"], "settings": 1, "secrets": []}
    run()  # and no first data comes again
    later = nexus("data", "export", "greeter", "later.jsonl", "--json").json["counts"]
    assert later == again


def test_an_import_over_something_asks(nexus, stored, monkeypatch: pytest.MonkeyPatch) -> None:
    nexus("data", "export", "greeter", FILE)
    nexus("config", "set", "greeter", "word", "after")
    refused = nexus("data", "import", FILE, "--json")
    assert (refused.code, refused.error["code"]) == (4, "plugin-has-data")
    unasked = nexus("data", "import", FILE, "--replace", "--json")
    assert (unasked.code, unasked.error["code"]) == (2, "bad-argument")
    monkeypatch.setattr("nexus.cli.data_import._may_ask", lambda: True)
    assert nexus("data", "import", FILE, "--replace", given="n\n").code == 1
    assert nexus("config", "get", "greeter", "word", "--json").json["value"] == "after"
    said = nexus("data", "import", FILE, "--replace", given="y\n")
    assert said.code == 0
    assert "2 stored settings, 2 values, 1 document" in said.err
    assert "Imported into plugin greeter: 1 setting, 2 values, 1 document." in said.out
    assert nexus("config", "get", "greeter", "word", "--json").json["value"] == "before"


def test_nothing_is_overwritten_unless_told(nexus, stored, application: Path) -> None:
    (application / FILE).write_text("mine", encoding="utf-8")
    assert nexus("data", "export", "greeter", FILE, "--json").error["code"] == "already-there"
    assert (application / FILE).read_text(encoding="utf-8") == "mine"
    assert nexus("data", "export", "greeter", FILE, "--force").code == 0
    assert counts_of(application / FILE)["data"] == 2


def test_a_file_that_cannot_be_written_is_told(nexus, stored, application: Path) -> None:
    for name in ("none/x.jsonl", "data"):
        said = nexus("data", "export", "greeter", name, "--json")
        assert (said.code, said.error["code"]) == (1, "cannot-write")
    assert not list(application.glob(".*partial"))
    said = nexus("data", "import", "none.jsonl", "--json")
    assert (said.code, said.error["code"]) == (1, "cannot-write")


def test_standard_output_and_input_take_the_file(
    nexus, stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = nexus("data", "export", "greeter", "-")
    assert said.out.startswith('{"nexus":"plugin-data","format":1,')
    assert nexus("data", "export", "greeter", "-", "--json").error["code"] == "bad-argument"
    packed = gzip.compress(said.out.encode())
    monkeypatch.setattr(
        "nexus.transfer.files.sys", _System(stdin=io.TextIOWrapper(io.BytesIO(packed)))
    )
    assert nexus("data", "import", "-", "--replace", "--yes").code == 0


class _System:
    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def test_a_compressed_file_is_imported_whatever_its_name(nexus, stored, application: Path) -> None:
    nexus("data", "export", "greeter", f"{FILE}.gz")
    packed = (application / f"{FILE}.gz").read_bytes()
    assert gzip.decompress(packed).startswith(b'{"nexus"')
    (application / FILE).write_bytes(packed)
    assert nexus("data", "import", FILE, "--replace", "--yes").code == 0


def test_a_changed_file_is_refused_before_anything(nexus, stored, application: Path) -> None:
    nexus("data", "export", "greeter", FILE)
    whole = (application / FILE).read_bytes()
    (application / FILE).write_bytes(whole.replace(b"first", b"worst"))
    said = nexus("data", "import", FILE, "--replace", "--yes", "--json")
    assert said.error["code"] == "data-file-damaged"
    (application / FILE).write_bytes(whole[:-40])
    said = nexus("data", "import", FILE, "--replace", "--yes", "--json")
    assert said.error["code"] == "data-file-damaged"
    assert f"{FILE}, line 10: " in said.error["message"]


def test_the_plugin_must_be_there(nexus, stored: Path, application: Path) -> None:
    nexus("data", "export", "greeter", FILE)
    manifest = (stored / "manifest.json").read_text(encoding="utf-8")
    (stored / "manifest.json").write_text("{}", encoding="utf-8")
    said = nexus("data", "import", FILE, "--replace", "--yes", "--json")
    assert said.error["code"] == "plugin-load-error"
    (stored / "manifest.json").write_text(manifest.replace("1.0.0", "2.0.0"), encoding="utf-8")
    said = nexus("data", "import", FILE, "--replace", "--yes", "--json")
    assert "The file comes from version 1.0.0 of it; here is 2.0.0." in said.json["notes"]
    stored.rename(application / "elsewhere")
    said = nexus("data", "import", FILE, "--json")
    assert said.error["code"] == "plugin-not-found"


def test_code_that_does_not_load_is_told(nexus, stored: Path) -> None:
    nexus("data", "export", "greeter", FILE)
    (stored / "plugin.py").write_text("def (", encoding="utf-8")
    said = nexus("data", "import", FILE, "--replace", "--yes", "--json")
    assert said.error["code"] == "plugin-load-error"
    assert nexus("config", "get", "greeter", "word", "--json").json["value"] == "before"


def test_a_collection_that_is_declared_no_longer_is_told(nexus, stored: Path) -> None:
    nexus("data", "export", "greeter", FILE)
    nexus("plugin", "purge", "greeter", "--yes")
    code = (stored / "plugin.py").read_text(encoding="utf-8")
    (stored / "plugin.py").write_text(code.replace('"items"', '"things"'), encoding="utf-8")
    said = nexus("data", "import", FILE, "--json")
    assert said.error["code"] == "data-file-refused"
    assert "declares no collection 'items' here" in said.error["message"]
    # What was made for the import went with it.
    assert (
        nexus("plugin", "purge", "greeter", "--yes", "--json").json["removed"]["collections"] == []
    )


def test_a_running_application_is_not_imported_into(nexus, stored, application: Path) -> None:
    from nexus.cli.running import sole_user
    from nexus.data import sole_use

    nexus("data", "export", "greeter", FILE)
    with sole_use(application / "data" / "nexus.db"):
        said = nexus("data", "import", FILE, "--replace", "--yes", "--json")
    assert said.error["code"] == "must-not-run"
    with sole_user(application / "data"):
        said = nexus("data", "import", FILE, "--replace", "--yes", "--json")
    assert said.error["code"] == "must-not-run"


def test_what_is_not_there_is_not_exported(nexus, make_plugin, application: Path) -> None:
    make_plugin()
    assert nexus("data", "export", "greeter", FILE, "--json").error["code"] == "backup-refused"
    assert nexus("data", "export", "nobody", FILE, "--json").error["code"] == "plugin-not-found"
    assert not (application / FILE).exists()
    assert not (application / "data").exists()


def test_a_terminal_shows_how_far_it_is() -> None:
    from rich.console import Console

    from nexus.cli.data_export import progress_of
    from nexus.cli.output import Output

    screen = io.StringIO()
    out = Output()
    out.aside = Console(file=screen, force_terminal=True, width=80)
    with progress_of(out, "Exporting") as report:
        assert screen.getvalue() == ""  # somebody may be asked something first
        for done in range(101):
            report(done, 100)
    assert "Exporting" in screen.getvalue()
    assert "100%" in screen.getvalue()


def test_a_program_gets_no_progress() -> None:
    from rich.console import Console

    from nexus.cli.data_export import progress_of
    from nexus.cli.output import Output

    screen = io.StringIO()
    for out in (Output(as_json=True), Output()):
        out.aside = Console(file=screen, force_terminal=out.as_json)
        with progress_of(out, "Exporting") as report:
            report(1, 2)
    assert screen.getvalue() == ""
