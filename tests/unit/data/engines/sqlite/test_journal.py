"""Which journal a database file is kept with."""

import pytest

from nexus.data.engines.sqlite.journal import Version, journal_mode, wal_is_safe


@pytest.mark.parametrize("version", [(3, 51, 3), (3, 52, 0), (4, 0, 0), (3, 50, 7), (3, 44, 6)])
def test_a_mended_version_is_safe_for_several_processes(version: Version) -> None:
    assert wal_is_safe(version)
    assert journal_mode(shared=True, version=version) == "wal"


@pytest.mark.parametrize(
    "version", [(3, 40, 1), (3, 44, 5), (3, 45, 9), (3, 50, 6), (3, 51, 2), (3, 51, 0)]
)
def test_several_processes_use_the_rollback_journal_with_any_other(version: Version) -> None:
    assert not wal_is_safe(version)
    assert journal_mode(shared=True, version=version) == "delete"
    assert journal_mode(shared=False, version=version) == "wal"
