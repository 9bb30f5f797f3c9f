"""`nexus jobs list` and `run`."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nexus.cli.exit_codes import ExitCode
from nexus.cli.options import AppFolder, AsJson, Token, Url
from nexus.cli.output import Output, ago, styled

if TYPE_CHECKING:
    from nexus.cli.client import ManagementClient

jobs_app = typer.Typer(
    help="Look at the scheduled jobs of plugins, and run them.", no_args_is_help=True
)

_GLANCE: Final = 0.25
"""Seconds between two looks at whether a run has ended."""


@jobs_app.command("list")
def list_jobs(
    plugin: Annotated[
        str | None, typer.Option(metavar="PLUGIN", help="Only the jobs of this plugin.")
    ] = None,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List the scheduled jobs of the cluster with their last and next runs."""
    from nexus.cli.connection import Where, connected

    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        found = client.get("/jobs")
    jobs = [each for each in found["items"] if plugin in (None, each["plugin"])]

    def show() -> None:
        if not jobs:
            out.say("There are no scheduled jobs.")
            return
        table = out.table("Job", "Schedule", "Last run", "Outcome", "Next run", "Remark")
        for job in jobs:
            table.add_row(
                f"{job['plugin']}:{job['name']}",
                job["schedule"],
                ago(job["last_start"]) or "-",
                styled(_state(job)),
                _until(job["next_run"]),
                _remark(job),
            )
        out.console.print(table)

    out.result({"items": jobs}, show)


@jobs_app.command("run")
def run_job(
    job: Annotated[str, typer.Argument(metavar="JOB", help="PLUGIN:NAME, as `list` shows it.")],
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Whether to wait until the run has ended.")
    ] = True,
    app_folder: AppFolder = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Run a scheduled job now, in one worker of the cluster.

    The exit code is 1 when the run did not end well.
    """
    from nexus.cli.connection import Where, connected

    plugin, _, name = job.partition(":")
    if not plugin or not name:
        raise typer.BadParameter(f"{job!r} is not PLUGIN:NAME, such as shop:tidy.")
    out = Output(as_json=as_json)
    with connected(Where(folder=app_folder, url=url, token=token)) as client:
        before = client.post(f"/jobs/{plugin}/{name}/run")
        if not wait:
            out.result(before, lambda: out.say(f"{job} is to run now."))
            return
        with out.waiting(f"Running {job}"):
            ended = _ended(client, before)
    is_well = ended["last_outcome"] == "succeeded"

    def show() -> None:
        out.say(f"{job} {ended['last_outcome']}.", style="green" if is_well else "red")
        if ended["error"]:
            out.say(f"  {ended['error']}")

    out.result(ended, show)
    if not is_well:
        raise typer.Exit(ExitCode.FAILED)


def _ended(client: "ManagementClient", before: Mapping[str, Any]) -> Mapping[str, Any]:
    """Wait until a run has ended after the one that there was before."""
    count = before["runs"] + before["interruptions"]
    while True:
        job: Mapping[str, Any] = client.get(f"/jobs/{before['plugin']}/{before['name']}")
        if not job["running"] and job["runs"] + job["interruptions"] > count:
            return job
        time.sleep(_GLANCE)


def _state(job: Mapping[str, Any]) -> str:
    if job["running"]:
        return "running"
    return str(job["last_outcome"] or "-")


def _remark(job: Mapping[str, Any]) -> str:
    remarks = [
        job["error"] if job["last_outcome"] != "succeeded" else "",
        f"in {job['worker']}" if job["running"] else "",
        "" if job["live"] else "its plugin does not run here",
    ]
    return ", ".join(filter(None, remarks))


def _until(moment: str) -> str:
    """Say in how long a moment comes, such as `in 3 min`."""
    seconds = int((datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds())
    if seconds <= 0:
        return "now"
    for limit, size, unit in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h")):
        if seconds < limit:
            return f"in {seconds // size} {unit}"
    return f"in {seconds // 86_400} d"
