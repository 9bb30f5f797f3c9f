"""`nexus events dead`: the events that no handler could take."""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from nexus.cli.errors import BadArgument
from nexus.cli.event_lines import print_line
from nexus.cli.events_show import show_whole
from nexus.cli.exit_codes import ExitCode
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, ago, count

dead_app = typer.Typer(help="Deal with events that no handler could take.", no_args_is_help=True)

_MOST: Final = 1000

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="The dead letters' ids.")]
Subscription = Annotated[
    str | None,
    typer.Option("--subscription", "-s", metavar="NAME", help="All of PLUGIN:PATTERN."),
]


@dead_app.command("list")
def list_dead(
    plugin: Annotated[
        str | None, typer.Option("--plugin", metavar="NAME", help="Only those of a plugin.")
    ] = None,
    subscription: Annotated[
        str | None,
        typer.Option("--subscription", "-s", metavar="NAME", help="Only those of PLUGIN:PATTERN."),
    ] = None,
    number: Annotated[
        int, typer.Option("-n", "--lines", min=1, max=_MOST, help="At most so many.")
    ] = 100,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the newest first: those in the event log and those in memory."""
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        found = client.get("/events/dead", plugin=plugin, subscription=subscription, limit=number)
    out.result(found, lambda: _show_list(out, found["items"], number))


@dead_app.command("show")
def show_dead(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The dead letter's id.")],
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter: the event, the last error and where it was raised."""
    from urllib.parse import quote

    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        letter = client.get(f"/events/dead/{quote(letter_id, safe='')}")
    out.result(letter, lambda: _show_letter(out, letter))


@dead_app.command("retry")
def retry(
    ids: Ids = None,
    subscription: Subscription = None,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Have dead letters handled again: some by their ids, or all of a subscription.

    Those of a plugin that does not run wait for it in the event log. Those that were in memory
    need it running, and are refused without.
    """
    out = Output(as_json=as_json)
    choice = _choice(ids, subscription)
    with _connected(app_folder, url, token) as client:
        done = client.post("/events/dead/replay", choice)
    _report(out, done, "handed over to be handled again", subscription)


@dead_app.command("drop")
def drop(
    ids: Ids = None,
    subscription: Subscription = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Drop dead letters for good: some by their ids, or all of a subscription, which asks."""
    out = Output(as_json=as_json)
    choice = _choice(ids, subscription)
    with _connected(app_folder, url, token) as client:
        if subscription is not None and not yes:
            _ask(subscription, as_json=as_json)
        done = client.post("/events/dead/drop", choice)
    _report(out, done, "dropped", subscription)


def _connected(app_folder: Any, url: str | None, token: str | None) -> Any:
    from nexus.cli.connection import Where, connected

    return connected(Where(folder=app_folder, url=url, token=token))


def _choice(ids: Sequence[str] | None, subscription: str | None) -> dict[str, Any]:
    if bool(ids) is (subscription is not None):
        raise BadArgument(
            problem="Which dead letters are meant is not clear.",
            expected="Give their ids as 'nexus events dead list' has them, or --subscription"
            " PLUGIN:PATTERN for all of one subscription.",
        )
    return {"ids": list(ids)} if ids else {"subscription": subscription}


def _ask(subscription: str, *, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise BadArgument(
            problem=f"All dead letters of {subscription} would be dropped for good, and there is"
            " nobody to ask.",
            expected="Give --yes if that is meant.",
        )
    typer.confirm(f"Drop all dead letters of {subscription} for good?", abort=True, err=True)


def _report(out: Output, done: Mapping[str, Any], what: str, subscription: str | None) -> None:
    def show() -> None:
        if not done["done"] and not done["refused"]:
            out.say(f"{subscription} has no dead letters.")
        elif done["done"]:
            word = "is" if done["done"] == 1 else "are"
            out.say(f"{count(done['done'], 'dead letter')} {word} {what}.", style="green")
        for each in done["refused"]:
            out.note(each["detail"], style="yellow")

    out.result(done, show)
    if done["refused"]:
        raise typer.Exit(ExitCode.FAILED)


def _show_list(out: Output, letters: Sequence[Mapping[str, Any]], number: int) -> None:
    from rich.text import Text

    if not letters:
        out.say("There are no dead letters.", style="green")
        return
    for each in letters:
        state = "" if each["state"] == "dead" else f"  {each['state']}"
        head = Text.assemble(
            (each["id"], "cyan"),
            f"  {ago(each['time']):10}  ",
            (_why(each), "red"),
            (state, "yellow"),
        )
        print_line(out, head)
        kept = "" if each["durable"] else " (in memory)"
        line = f"  {each['event']['name']} for {each['subscription']}{kept}"
        print_line(out, Text(line), cut=True)
        if each["error"]:
            print_line(out, Text(f"  {_first_line(each['error'])}", style="bright_black"), cut=True)
    if len(letters) == number:
        out.note(f"These are the newest {number}; -n shows more.")


def _show_letter(out: Output, letter: Mapping[str, Any]) -> None:
    out.pairs(
        [
            ("Dead letter", letter["id"]),
            ("Of", letter["subscription"]),
            ("Given up", f"{letter['time']} ({ago(letter['time'])}), {_why(letter)}"),
            ("State", letter["state"]),
            ("Kept", "in the event log" if letter["durable"] else "in memory"),
            ("Error", letter["error"]),
        ],
        indent=0,
    )
    if letter["traceback"]:
        out.say(letter["traceback"], style="bright_black")
    out.say("")
    show_whole(out, letter["event"])


def _why(letter: Mapping[str, Any]) -> str:
    tried = f", {count(letter['attempts'], 'attempt')}" if letter["attempts"] else ""
    return f"{letter['reason']}{tried}"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
