"""Write the table of docs/reference/errors.md again, from the classes in `nexus.errors`."""

from pathlib import Path

from nexus import errors

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "errors.md"
HEADING = "| Code | Class | Meaning |\n|---|---|---|\n"


def rows() -> list[str]:
    """Give one line of the table for each error, in the order of the codes."""
    kinds = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.NexusError)
    ]
    return [
        f"| `{kind.code}` | `{kind.__name__}` | {(kind.__doc__ or '').strip().splitlines()[0]} |"
        for kind in sorted(kinds, key=lambda kind: kind.code)
    ]


if __name__ == "__main__":
    introduction, _, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    PAGE.write_text(introduction + HEADING + "\n".join(rows()) + "\n", encoding="utf-8")
