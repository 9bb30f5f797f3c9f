import os
import signal
from pathlib import Path

import pytest

from nexus.cli.errors import AddressUnavailable, WorkerFailed
from nexus.cli.start_attempts import STARTS_FILE, StartAttempts, counted


def crashes(folder: Path) -> int:
    return StartAttempts(folder).crashes


def crash(folder: Path, times: int = 1) -> None:
    for _ in range(times):
        StartAttempts(folder).begin()  # and nobody says that it is over


def test_three_starts_without_an_end_are_a_loop(tmp_path: Path) -> None:
    crash(tmp_path, 2)
    assert not StartAttempts(tmp_path).is_loop
    crash(tmp_path)
    assert StartAttempts(tmp_path).is_loop
    assert StartAttempts(tmp_path).in_words.startswith("The last 3 starts")


def test_an_application_that_gets_ready_ends_the_loop(tmp_path: Path) -> None:
    crash(tmp_path, 2)
    attempts = StartAttempts(tmp_path)
    with counted(attempts):
        attempts.succeed()
        assert crashes(tmp_path) == 0
    assert not (tmp_path / STARTS_FILE).exists()


@pytest.mark.parametrize(
    "error",
    [
        AddressUnavailable(address="x", problem="y", advice="z"),
        WorkerFailed(worker=1, reason="Its settings are wrong."),
        KeyboardInterrupt(),
    ],
)
def test_an_orderly_end_is_no_crash_and_forgives_none(tmp_path: Path, error: BaseException) -> None:
    crash(tmp_path, 2)
    with pytest.raises(type(error)), counted(StartAttempts(tmp_path)):
        raise error
    assert crashes(tmp_path) == 2


@pytest.mark.parametrize(
    "error", [ValueError("a defect"), WorkerFailed(worker=1, reason="SIGSEGV", crashed=True)]
)
def test_an_unexpected_end_is_a_crash(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)), counted(StartAttempts(tmp_path)):
        raise error
    assert crashes(tmp_path) == 1


def test_a_process_that_is_told_to_stop_has_not_crashed(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end, counted(StartAttempts(tmp_path)):
        os.kill(os.getpid(), signal.SIGTERM)
    assert end.value.code == 128 + signal.SIGTERM
    assert crashes(tmp_path) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_crashed_is_told_at_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    crash(tmp_path)
    StartAttempts(tmp_path).tell()
    crash(tmp_path)
    StartAttempts(tmp_path).tell()
    first, second = caplog.messages
    assert first.startswith("The last start ended before the application was ready. After 3 in a")
    assert second.startswith("The last 2 starts ended before")


def test_an_end_after_the_application_was_ready_is_not_told_as_a_crash(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = StartAttempts(tmp_path)
    with counted(attempts):
        attempts.tell_crash()
        attempts.succeed()
        attempts.tell_crash()
    [record] = caplog.records
    assert "counts as a crash" in record.message
    assert getattr(record, "crashes", None) == 1


@pytest.mark.parametrize("content", ["", "{}", "no JSON", "\xff"])
def test_a_file_that_says_nothing_counts_for_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / STARTS_FILE).write_bytes(content.encode("latin-1"))
    assert crashes(tmp_path) == 0
