from pathlib import Path
from typing import Any

import pytest

from nexus.data.engines.server.tls import check_roots, client_context
from nexus.data.url import DatabaseUrl
from nexus.errors import DatabaseUnavailable


def url(roots: Path, tls: Any = "verify-full") -> DatabaseUrl:
    return DatabaseUrl(
        engine="postgresql",
        host="db.example",
        port=5432,
        password="secret",
        database="shop",
        tls=tls,
        tls_roots=str(roots),
    )


def refusal(where: DatabaseUrl) -> str:
    with pytest.raises(DatabaseUnavailable) as caught:
        client_context(where)
    assert not caught.value.data["passing"]
    assert "secret" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("tls", ["require", "verify-full"])
def test_a_file_of_authorities_that_is_missing_is_named_with_its_setting(
    tmp_path: Path, tls: str
) -> None:
    text = refusal(url(tmp_path / "roots.pem", tls))

    assert f"{tmp_path}/roots.pem, which sslrootcert in database.url names, was not found" in text


def test_a_folder_is_no_file_of_authorities(tmp_path: Path) -> None:
    assert "sslrootcert in database.url names, cannot be read (Is a directory)" in refusal(
        url(tmp_path)
    )


def test_a_file_without_a_certificate_is_told(tmp_path: Path) -> None:
    (tmp_path / "roots.pem").write_text("hello")

    assert "holds no certificate in PEM format" in refusal(url(tmp_path / "roots.pem"))


def test_a_file_that_is_not_used_is_missed_unless_nothing_is_encrypted(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        check_roots(url(tmp_path / "roots.pem", "prefer"))

    check_roots(url(tmp_path / "roots.pem", "disable"))
