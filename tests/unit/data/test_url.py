"""Taking database URLs apart."""

import pytest

from nexus.data.url import DatabaseUrl, parse_url


def test_a_server_has_its_usual_port_unless_told() -> None:
    assert parse_url("postgresql://me@db.example/shop").port == 5432
    assert parse_url("mysql://me@db.example/shop").port == 3306
    assert parse_url("mariadb://me@db.example:3307/shop").port == 3307


def test_user_password_and_name_are_unquoted() -> None:
    url = parse_url("postgres://my%40me:p%3Aw%2Fd@db.example/sh%20op")

    assert url.engine == "postgresql"
    assert (url.user, url.password, url.database) == ("my@me", "p:w/d", "sh op")


def test_a_socket_folder_can_be_the_host() -> None:
    assert parse_url("postgresql://me@%2Fvar%2Frun%2Fpostgresql/shop").host == "/var/run/postgresql"


def test_an_ipv6_host_is_written_in_brackets() -> None:
    assert parse_url("postgresql://me@[::1]/shop").location == "postgresql://[::1]:5432/shop"


def test_no_text_of_it_shows_the_password() -> None:
    url = parse_url("mysql://me:hunter22@db.example/shop")

    for text in (repr(url), str(url), url.location, f"{url!s}"):
        assert "hunter22" not in text


def test_the_connection_is_encrypted_where_the_server_can_unless_told() -> None:
    assert parse_url("postgresql://db.example/shop").tls == "prefer"
    url = parse_url("mysql://db.example/shop?sslmode=verify-full&sslrootcert=/etc/ca.pem")
    assert (url.tls, url.tls_roots) == ("verify-full", "/etc/ca.pem")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop",
        "oracle://me@db.example/shop",
        "postgresql://",
        "postgresql://db.example",
        "postgresql://db.example/",
        "postgresql:///shop",
        "postgresql://db.example:port/shop",
        "postgresql://db.example:99999/shop",
        "postgresql://db.example/shop/other",
        "postgresql://db.example/shop?sslmode=off",
        "postgresql://db.example/shop?ssl=on",
        "postgresql://me@db.example/shop#1",
        "postgresql://db.example/shop\0",
        "mysql://[::1/shop",
        "sqlite:///",
        "sqlite://:memory:",
    ],
)
def test_what_is_no_database_url_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="a URL") as caught:
        parse_url(text)

    assert "me@" not in str(caught.value)


def test_a_file_is_its_path() -> None:
    assert parse_url("sqlite:///data/nexus.db") == DatabaseUrl(
        engine="sqlite", path="data/nexus.db"
    )
    assert parse_url("sqlite:////srv/nexus.db").path == "/srv/nexus.db"
