"""Measures everything, or what is named, and prints and keeps one table.

python -m benchmarks [bus rivals data collections durable event_rivals http openapi imports start
    reload lazy permissions] [--rounds N] [--output FOLDER]
"""

import argparse
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import machine

Row = dict[str, Any]

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
COLUMNS = ("What", "Value", "Against", "Ratio", "Target", "")


def _run(module: str, **options: Any) -> list[Row]:
    rows: list[Row] = import_module(f"benchmarks.{module}").run(**options)
    return rows


def _rounds(rounds: int | None) -> dict[str, int]:
    return {} if rounds is None else {"rounds": rounds}


def _http(rounds: int | None) -> list[Row]:
    http = import_module("benchmarks.http")
    rows: list[Row] = http.measure_requests(rounds=rounds or 15, requests=2400)
    return [*rows, http.measure_start()]


def _openapi(_rounds: int | None) -> list[Row]:
    return [import_module("benchmarks.http").measure_document()]


SUITES: dict[str, Callable[[int | None], list[Row]]] = {
    "bus": lambda rounds: _run("bus", **_rounds(rounds)),
    "rivals": lambda rounds: _run("rivals", **_rounds(rounds)),
    "data": lambda rounds: _run("data", **_rounds(rounds)),
    "collections": lambda rounds: _run("collections", **_rounds(rounds)),
    "durable": lambda rounds: _run("durable", **_rounds(rounds)),
    "event_rivals": lambda rounds: _run("event_rivals", **_rounds(rounds)),
    "http": _http,
    "openapi": _openapi,
    "imports": lambda rounds: _run("imports", **_rounds(rounds)),
    "start": lambda rounds: _run("start", **_rounds(rounds)),
    "reload": lambda rounds: _run("reload", **_rounds(rounds)),
    "lazy": lambda rounds: _run("lazy", **_rounds(rounds)),
    "permissions": lambda rounds: _run("permissions", **_rounds(rounds)),
}


def measure(name: str, rounds: int | None) -> list[Row]:
    """Measure one suite in an interpreter of its own, so that no suite burdens the next one."""
    command = [sys.executable, "-m", "benchmarks", name, "--rows"]
    if rounds is not None:
        command += ["--rounds", str(rounds)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT)
    rows: list[Row] = json.loads(ended.stdout)
    return rows


def cells(row: Row) -> tuple[str, ...]:
    """Give a row as it is shown: what, value, against, ratio, target, verdict."""
    verdict = {True: "ok", False: "MISSED", None: "not measured"}[row["ok"]]
    if row["ok"] and row["target"] is None:
        verdict = ""
    value = "-" if row["value"] is None else f"{_number(row['value'])} {row['unit']}"
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3f}"
    target = "-" if row["target"] is None else f"{row['target']:.2f}"
    return (row["name"], value, row["against"], ratio, target, verdict)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def markdown(described: dict[str, str], date: str, rows: list[Row]) -> str:
    """Write the results as a page."""
    lines = [f"# Benchmarks, {date}", ""]
    lines += [f"- {name}: {text}" for name, text in described.items()]
    lines += ["", "Ratios are medians; smaller is faster, and 1 is as fast as what stands against."]
    lines += ["", f"| {' | '.join(COLUMNS)} |", "|---|---:|---|---:|---:|---|"]
    lines += [f"| {' | '.join(cells(row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def keep(folder: Path, names: list[str], rows: list[Row]) -> Path:
    """Write the results into a folder as Markdown and as JSON, and give the Markdown's path."""
    described = machine.describe()
    date = dt.datetime.now(dt.UTC).date().isoformat()
    part = "" if len(names) == len(SUITES) else f"-{'-'.join(names)}"
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{date}-{machine.slug(described)}{part}.md"
    page.write_text(markdown(described, date, rows), encoding="utf-8")
    document = {"date": date, "machine": described, "rows": rows}
    text = json.dumps(document, indent=2) + "\n"
    page.with_suffix(".json").write_text(text, encoding="utf-8")
    return page


def show(rows: list[Row]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Benchmarks")
    for column, justify in zip(
        COLUMNS, ("left", "right", "left", "right", "right", "left"), strict=True
    ):
        table.add_column(column, justify=justify)
    for row in rows:
        style = "red" if row["ok"] is False else None
        table.add_row(*cells(row), style=style)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--rounds", type=int, help="how often each thing is measured")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results go")
    parser.add_argument("--rows", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.suites) - SUITES.keys()
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    names = [name for name in SUITES if name in (options.suites or SUITES)]
    if options.rows:
        json.dump([row for name in names for row in SUITES[name](options.rounds)], sys.stdout)
        return
    rows: list[Row] = []
    for name in names:
        print(f"measuring {name} ...", flush=True)
        rows.extend(measure(name, options.rounds))
    show(rows)
    print(f"written to {keep(options.output, names, rows)}")


if __name__ == "__main__":
    main()
