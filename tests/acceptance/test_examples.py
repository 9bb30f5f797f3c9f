"""The examples: what the demonstration promises is tried, and each plugin's own tests are run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PLUGINS = sorted(path.parent.name for path in EXAMPLES.glob("plugins/*/manifest.json"))
PATIENCE = 60.0


def environment() -> dict[str, str]:
    """Give the environment without the settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}


def nexus(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nexus", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The demonstration in a folder of its own."""

    folder: Path

    @property
    def run_file(self) -> Path:
        return self.folder / "data" / "run.json"

    def start(self) -> "RunningDemo":
        log = (self.folder / "log.txt").open("ab")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "nexus", "run", "--port", "0"],
                cwd=self.folder,
                env=environment(),
                stdout=log,
                stderr=log,
            )
        running = RunningDemo(demo=self, process=process)
        try:
            running.wait_until_ready()
        except BaseException:
            running.stop()
            raise
        return running


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningDemo:
    """The demonstration, served by a process of its own."""

    demo: Demo
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        url: str = json.loads(self.demo.run_file.read_text())["url"]
        return url

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=PATIENCE)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.demo.run_file.exists() and self.get("/health/ready").status_code == 200:
                return
            time.sleep(0.05)
        pytest.fail(f"It did not get ready:\n{(self.demo.folder / 'log.txt').read_text()}")

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def welcome(self) -> str:
        text = (EXAMPLES / "demo" / "welcome.txt").read_text()
        return text.replace("http://127.0.0.1:{port}", self.url).replace("\\\n", " ")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo")
    for name in ("main.py", "nexus.yaml"):
        shutil.copy(EXAMPLES / "demo" / name, folder)
    settings = folder / "nexus.yaml"
    plugin_paths = f"plugin_paths: [{json.dumps(str(EXAMPLES / 'plugins'))}]"
    text, count = re.subn("(?m)^plugin_paths: .*$", lambda _: plugin_paths, settings.read_text())
    assert count == 1
    settings.write_text(text + "  notifier:\n    stream_seconds: 3\n")
    return Demo(folder=folder)


@pytest.fixture
def running(demo: Demo) -> Iterator[RunningDemo]:
    running = demo.start()
    yield running
    assert running.stop() == 0


def curl(line: str) -> httpx.Response:
    """Do what a curl command does, as far as the welcome's commands go."""
    words = iter(shlex.split(line)[1:])
    method, url, headers, body = "", "", {}, None
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(":")
            headers[name] = value.strip()
        elif word == "-d":
            body = next(words)
        elif word != "-N":
            url = word
    method = method or ("GET" if body is None else "POST")
    with httpx.stream(method, url, headers=headers, content=body, timeout=PATIENCE) as response:
        if response.headers["Content-Type"].startswith("text/event-stream"):
            # A feed goes on; its first message is what is promised.
            assert next(line for line in response.iter_lines() if line.startswith("data:"))
        else:
            response.read()
    return response


def test_the_welcome_keeps_its_promises(running: RunningDemo) -> None:
    text = running.welcome()
    before, _, tries = text.partition("  Try ")
    pages = re.findall(r"http://\S+", before)
    commands = re.findall(r"^\s+(curl .*)$", tries, re.MULTILINE)
    assert len(pages) == 5
    assert len(commands) == 7
    for page in pages:
        answer = httpx.get(page, timeout=PATIENCE, follow_redirects=True)
        assert answer.status_code == 200, page
    answers = [curl(command) for command in commands]
    for command, answer in zip(commands, answers, strict=True):
        assert answer.is_success, command
    assert answers[1].json() == {"sent": 1, "notifier": True}
    assert answers[2].json()["items"][0]["title"] == "Overdue: Water the plants"
    assert answers[3].json()["result"] == {"echo": "Hello"}


def test_the_welcomes_commands_operate_the_demonstration(running: RunningDemo) -> None:
    commands = re.findall(r"\.venv/bin/nexus (.*?)(?:   |$)", running.welcome(), re.MULTILINE)
    assert len(commands) == 5
    seen = []
    for command in commands:
        done = nexus(running.demo.folder, *shlex.split(command))
        assert done.returncode == 0, done.stdout + done.stderr
        seen.append(running.get("/plugins/tasks/stats").status_code)
        assert running.get("/plugins/notifier/stats").status_code == 200
    assert seen == [200, 503, 200, 200, 200]


def test_what_is_stored_survives_a_restart(demo: Demo) -> None:
    first = demo.start()
    try:
        task = httpx.post(f"{first.url}/plugins/tasks/items", json={"title": "Keep me"}).json()
        action = {"action": "ping"}
        httpx.post(f"{first.url}/plugins/my_awesome_plugin/action", json=action)
        counted = first.get("/plugins/my_awesome_plugin/status").json()["action_count"]
    finally:
        assert first.stop() == 0
    second = demo.start()
    try:
        assert second.get(f"/plugins/tasks/items/{task['id']}").json() == task
        status = second.get("/plugins/my_awesome_plugin/status").json()
        assert status["action_count"] == counted > 0
        titles = [each["title"] for each in second.get("/plugins/notifier/feed").json()["items"]]
        assert "Task added: Keep me" in titles
        assert second.get("/plugins/weather_station/history").json()["items"]
    finally:
        assert second.stop() == 0


def test_a_listener_does_not_hold_up_the_end(demo: Demo) -> None:
    running = demo.start()
    with httpx.stream("GET", f"{running.url}/plugins/notifier/stream", timeout=PATIENCE) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": connected"
        assert running.stop() == 0


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_plugins_own_tests_pass(plugin: str, tmp_path: Path) -> None:
    """As an author runs them: in an application's folder, without this project's settings."""
    shutil.copytree(
        EXAMPLES / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "nexus.yaml").write_text("name: test\n")
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    done = nexus(tmp_path, "plugin", "test", plugin, *options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
@pytest.mark.parametrize("plugin", ["tasks", "weather_station"])
def test_the_plugins_that_store_records_pass_their_tests_on_servers_too(
    plugin: str, engine: str, tmp_path: Path, server_url: Callable[[str], str]
) -> None:
    shutil.copytree(EXAMPLES / "plugins" / plugin, tmp_path / "plugins" / plugin)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "plugins"],
        cwd=tmp_path,
        env={**environment(), "NEXUS_TEST_DATABASE": server_url(engine)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_check_finds_nothing_wrong(plugin: str) -> None:
    done = nexus(EXAMPLES / "demo", "plugin", "check", plugin, "--strict")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_readme_names_every_route_setting_and_event(plugin: str) -> None:
    folder = EXAMPLES / "plugins" / plugin
    manifest = json.loads((folder / "manifest.json").read_text())
    readme = (folder / "README.md").read_text()
    routes = [f"{each['method']} {each['path']}" for each in manifest["api_endpoints"]]
    events = [name.removeprefix(plugin) for name in manifest["events"]["publishes"]]
    expected = [*routes, *events, *manifest["configuration"], *manifest["events"]["subscribes"]]
    assert [name for name in expected if name not in readme] == []
