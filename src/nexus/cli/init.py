"""`nexus init`: makes an application in a folder."""

from pathlib import Path
from typing import Annotated, Final

import typer

from nexus.cli.errors import CannotWrite
from nexus.cli.options import AsJson
from nexus.cli.output import Output
from nexus.cli.template import template_text

_FILES: Final = {
    "nexus.yaml": "nexus.yaml.txt",
    "main.py": "main.py.txt",
    "plugins/__init__.py": "plugins_init.py.txt",
    ".gitignore": "gitignore.txt",
}
"""What is made, by its template."""


def init(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="The folder, made if it is missing; the current one if left out."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an application: nexus.yaml, main.py, plugins/ and .gitignore.

    What is there already stays as it is.
    """
    out = Output(as_json=as_json)
    root = (Path.cwd() if folder is None else folder).absolute()
    made, kept = _make(root)
    document = {"folder": str(root), "made": made, "kept": kept}
    out.result(document, lambda: _show(out, root, made, kept))


def _make(root: Path) -> tuple[list[str], list[str]]:
    made: list[str] = []
    kept: list[str] = []
    for name, template in _FILES.items():
        path = root / name
        text = template_text(template, name=_title(root))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            kept.append(name)
        except OSError as error:
            raise CannotWrite(path=str(path), problem=error.strerror or str(error)) from error
        else:
            made.append(name)
    return made, kept


def _title(root: Path) -> str:
    import json

    words = root.name.replace("_", " ").replace("-", " ").strip() or "Nexus application"
    return json.dumps(words[:1].upper() + words[1:], ensure_ascii=False)  # JSON text is YAML too


def _show(out: Output, root: Path, made: list[str], kept: list[str]) -> None:
    if not made:
        out.say(f"Nothing to do: {', '.join(kept)} are there already in {root}.")
    else:
        out.say(f"Made an application in {root}:", style="bold")
        out.pairs([(name, _MEANINGS[name]) for name in made])
        if kept:
            out.say(f"Left as they were: {', '.join(kept)}.")
    out.say("Next:", style="bold")
    out.pairs(
        [
            ("nexus plugin create hello", "make a plugin that works"),
            ("nexus run --reload", "serve it, and reload what you change"),
        ]
    )


_MEANINGS: Final = {
    "nexus.yaml": "the settings, each with its default",
    "main.py": "the application, for 'nexus run' and any ASGI server",
    "plugins/__init__.py": "the plugins go beside it",
    ".gitignore": "keeps data/ out of version control",
}
