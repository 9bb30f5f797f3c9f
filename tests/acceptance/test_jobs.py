"""Scheduled jobs in a real process that is killed in the middle of a run."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

PLUGIN = """
import asyncio
from pathlib import Path

from nexus.plugins import BasePlugin, every


class Keeper(BasePlugin):
    async def initialize(self) -> bool:
        return True

    @every("1h")
    async def tidy(self) -> None:
        with Path("begun").open("a") as log:
            log.write("begun\\n")
        while not Path("go-on").exists():
            await asyncio.sleep(0.01)
        with Path("ended").open("a") as log:
            log.write("ended\\n")

    @every("1s")
    def tick(self) -> None:
        with Path("ticks").open("a") as log:
            log.write("tick\\n")
"""


def application(folder: Path) -> Path:
    plugin = folder / "plugins" / "keeper"
    plugin.mkdir(parents=True)
    (plugin / "manifest.json").write_text(
        json.dumps({"name": "keeper", "version": "1.0.0", "permissions": ["jobs.schedule"]})
    )
    (plugin / "plugin.py").write_text(PLUGIN)
    (folder / "nexus.yaml").write_text("name: Jobs\n")
    return folder


def nexus(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {key: text for key, text in os.environ.items() if not key.startswith("NEXUS_")}
    return subprocess.run(
        [sys.executable, "-m", "nexus", *words],
        cwd=folder,
        env={**kept, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_a_run_that_a_kill_interrupts_is_made_up_for_once_after_the_restart(
    tmp_path: Path, run_application: Any
) -> None:
    from tests.acceptance.conftest import until

    folder = application(tmp_path)
    with run_application(folder, ends_with=-signal.SIGKILL) as first:
        begun = first.client.post("/api/v1/jobs/keeper/tidy/run")
        assert begun.status_code == 202
        until(lambda: lines(folder / "begun") == 1, first.process, folder)
        due = first.get("/api/v1/jobs/keeper/tidy").json()["next_run"]
        first.process.kill()
        first.process.wait()
    (folder / "go-on").touch()
    with run_application(folder) as second:

        def job() -> Any:
            return second.get("/api/v1/jobs/keeper/tidy").json()

        until(lambda: job()["last_outcome"] == "succeeded", second.process, folder)
        until(lambda: lines(folder / "ticks") >= 2, second.process, folder)
        assert (lines(folder / "begun"), lines(folder / "ended")) == (2, 1)
        assert (job()["interruptions"], job()["runs"], job()["failures"]) == (1, 1, 0)
        assert job()["next_run"] > due


CLUSTER = PLUGIN.replace("import asyncio\n", "import asyncio\nimport os\n").replace(
    'Path("', 'Path(os.environ["SHARED"], "'
)


async def test_another_process_makes_up_for_the_run_of_one_that_was_killed(
    tmp_path: Path, run_application: Any, new_database: Any
) -> None:
    from tests.acceptance.conftest import until

    shared = tmp_path / "shared"
    shared.mkdir()
    folders = [application(tmp_path / name) for name in ("first", "second")]
    for folder in folders:
        (folder / "plugins" / "keeper" / "plugin.py").write_text(CLUSTER)
    async with new_database("postgresql") as url:
        settings = {
            "SHARED": str(shared),
            "NEXUS_DATABASE__URL": url,
            "NEXUS_JOBS__LEASE": "1",
            "NEXUS_SECRET_KEY": "a-key-for-all-of-the-cluster",
        }
        with run_application(folders[0], ends_with=-signal.SIGKILL, **settings) as first:
            assert first.client.post("/api/v1/jobs/keeper/tidy/run").status_code == 202
            until(lambda: lines(shared / "begun") == 1, first.process, folders[0])
            with run_application(folders[1], **settings) as second:

                def job() -> Any:
                    return second.get("/api/v1/jobs/keeper/tidy").json()

                assert f":{first.process.pid}:" in job()["worker"]
                first.process.kill()
                first.process.wait()
                (shared / "go-on").touch()
                until(lambda: job()["last_outcome"] == "succeeded", second.process, folders[1])
                assert (lines(shared / "begun"), lines(shared / "ended")) == (2, 1)
                assert (job()["runs"], job()["interruptions"]) == (1, 1)


def test_an_operator_lists_the_jobs_and_runs_one(tmp_path: Path, run_application: Any) -> None:
    folder = application(tmp_path)
    (folder / "go-on").touch()
    with run_application(folder):
        listed = nexus(folder, "jobs", "list")
        assert listed.returncode == 0, listed.stderr
        assert "keeper:tidy" in listed.stdout
        assert "every 1h" in listed.stdout
        done = nexus(folder, "jobs", "run", "keeper:tidy")
        assert (done.returncode, done.stdout) == (0, "keeper:tidy succeeded.\n"), done.stderr
        assert lines(folder / "ended") == 1
        items = json.loads(nexus(folder, "jobs", "list", "--plugin", "keeper", "--json").stdout)
        assert [each["name"] for each in items["items"]] == ["tick", "tidy"]
        unknown = nexus(folder, "jobs", "run", "keeper:tody")
        assert unknown.returncode == 1
        assert "Did you mean 'tidy'" in unknown.stderr
    assert nexus(folder, "jobs", "list").returncode == 3
