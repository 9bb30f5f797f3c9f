"""What stands in `deploy/` fits the application, and what each linter asks for."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from compose_spec import PyCompose

from nexus.config import load_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
WORKERS = ["worker-1", "worker-2", "worker-3"]
_OF_PROMETHEUS = {"instance", "job", "worker"}
"""Labels that scraping adds, or several workers of one address."""


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


# Metrics


def families() -> Mapping[str, set[str]]:
    """Give the labels of each series that the reference promises."""
    text = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {"up": set()}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not re.match(r"\| `nexus_", line):
            continue
        labels = set(re.findall(r"`(\w+)`", cells[1])) if len(cells) == 3 else set()
        for name in re.findall(r"`(nexus_\w+)`", cells[0]):
            parts = [name, *(f"{name}_{part}" for part in ("bucket", "count", "sum"))]
            found |= dict.fromkeys(parts if "le" in labels else [name], labels)
    return found | {name: set() for name in re.findall(r"`((?:process|python)_\w+)`", text)}


FAMILIES = families()


def alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(read("prometheus/alerts.yml"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(read("grafana/nexus.json"))["panels"]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", ()):
            expression = target["expr"].replace("$__rate_interval", "5m").replace("$__range", "1h")
            yield panel["title"], expression


def nodes(expression: str) -> list[Any]:
    found: list[Any] = []

    def visit(node: Any) -> None:
        found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def named(expression: str) -> dict[str, set[str]]:
    """Give the metrics of an expression, each with the labels that are asked for."""
    selectors = [
        getattr(node, "vector_selector", node)
        for node in nodes(expression)
        if isinstance(node, promql_parser.VectorSelector)
    ]
    return {
        str(each.name): {matcher.name for matcher in each.matchers.matchers} for each in selectors
    }


@pytest.mark.parametrize(("place", "expression"), [*expressions()])
def test_every_expression_asks_for_metrics_and_labels_that_there_are(
    place: str, expression: str
) -> None:
    found = named(expression)
    assert found, place
    assert found.keys() <= FAMILIES.keys()
    for metric, labels in found.items():
        assert labels <= FAMILIES[metric] | _OF_PROMETHEUS, metric
    groups = [node.modifier for node in nodes(expression) if hasattr(node, "param")]
    wanted = {label for each in groups if each is not None for label in each.labels}
    assert wanted <= set().union(*(FAMILIES[each] for each in found)) | _OF_PROMETHEUS


def test_a_metric_or_label_that_is_not_there_is_found() -> None:
    assert named('sum by (x) (rate(a_total{b="c"}[5m])) / d') == {"a_total": {"b"}, "d": set()}
    assert "nexus_http_request_duration_seconds_bucket" in FAMILIES
    assert FAMILIES["nexus_plugin_state"] == {"plugin", "state"}


def test_alerts_say_what_is_the_case_by_labels_that_they_have() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    for rule in alerts():
        assert re.fullmatch(r"Nexus[A-Z]\w+", rule["alert"])
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        summary = rule["annotations"]["summary"]
        said = set(re.findall(r"\$labels\.(\w+)", summary))
        groups = [node.modifier for node in nodes(rule["expr"]) if hasattr(node, "param")]
        kept = [each for each in groups if each is not None]
        has = (
            set(kept[0].labels)
            if kept
            else set().union(_OF_PROMETHEUS, *(FAMILIES[each] for each in named(rule["expr"])))
        )
        assert said <= has, rule["alert"]


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    places = [
        (x, y)
        for panel in panels()
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(places)) == len(places), "panels lie on one another"
    assert max(x for x, _ in places) < 24


# Files for running it


def test_the_containerfile_has_no_fault_that_its_linter_knows() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), DEPLOY / "Containerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_a_user_of_its_own_and_has_all_that_it_copies() -> None:
    text = read("Containerfile").replace("\\\n", " ")
    last = text[text.rindex("\nFROM ") :]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001:10001"]
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8")
    assert (ROOT / ".dockerignore").read_text(encoding="utf-8") == ignored
    allowed = {line[1:] for line in ignored.splitlines() if line.startswith("!")}
    for words in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        for source in words.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] in allowed, source


def test_the_pins_of_the_image_are_those_of_all_extras() -> None:
    pins = (ROOT / "requirements/container.txt").read_text(encoding="utf-8")
    for library in ("asyncpg", "nats-py", "asyncmy", "redis", "opentelemetry-sdk", "pwdlib"):
        assert re.search(rf"^{library}(\[.*\])?==", pins, re.MULTILINE), library


def variables(given: Mapping[str, Any]) -> dict[str, str]:
    filled = {key: re.sub(r"\$\{\w+:\?\}", "s" * 32, str(text)) for key, text in given.items()}
    return {key: text for key, text in filled.items() if key.startswith("NEXUS_")}


def test_the_compose_file_is_one_and_hands_out_valid_settings(tmp_path: Path) -> None:
    compose = PyCompose.from_yaml(read("compose.yaml"))
    compose.validate()
    services = yaml.safe_load(read("compose.yaml"))["services"]
    assert sorted(services) == sorted(
        [*WORKERS, *("database", "events", "proxy", "prometheus", "grafana")]
    )
    for name in WORKERS:
        worker = services[name]
        assert worker["read_only"] is True
        assert worker["user"] == "10001:10001"
        assert worker["cap_drop"] == ["ALL"]
        assert worker["build"]["dockerfile"] == "deploy/Containerfile"
        settings = load_settings(tmp_path, environ=variables(worker["environment"]))
        assert settings.warnings == ()
        assert settings.database_url.engine == "postgresql"
        assert settings.shutdown.notice == 5.0
        longest = settings.shutdown.notice + settings.shutdown.drain_timeout
        longest += settings.shutdown.timeout
        assert float(worker["stop_grace_period"].removesuffix("s")) > longest
    said = re.findall(r"\$\{(\w+):\?\}", read("compose.yaml"))
    assert set(said) == set(re.findall(r"^(\w+)=$", read(".env.example"), re.MULTILINE))


def test_proxy_and_prometheus_know_all_workers() -> None:
    assert re.findall(r"(worker-\d):8000", read("Caddyfile")) == WORKERS
    [scraping] = yaml.safe_load(read("prometheus/prometheus.yml"))["scrape_configs"]
    assert scraping["static_configs"][0]["targets"] == [f"{each}:8000" for each in WORKERS]
    assert "health_uri /health/ready" in read("Caddyfile")


def test_the_unit_has_no_fault_that_systemd_knows(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "nexus@.service"
    text = read("systemd/nexus@.service")
    unit.write_text(text.replace("/srv/app/.venv/bin/nexus", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_hands_out_valid_settings(tmp_path: Path) -> None:
    text = read("systemd/nexus@.service").replace("%i", "1")
    assignments = [
        part
        for line in re.findall(r"^Environment=(.*)$", text, re.MULTILINE)
        for part in line.split()
    ]
    given = dict(each.split("=", 1) for each in assignments)
    settings = load_settings(tmp_path, environ=variables(given))
    assert settings.warnings == ()
    assert (settings.server.port, settings.shutdown.notice) == (8001, 5.0)
    assert re.search(r"^User=(?!root)", text, re.MULTILINE)
