"""Every engine, each test with a database of its own, on the servers that are there."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nexus.data.database import DEFAULT_LIMITS, Database, Limits
from nexus.data.engines.opening import make_database
from nexus.data.engines.sqlite.inline import InlineDatabase
from nexus.data.url import DatabaseUrl, parse_url
from nexus.errors import DatabaseUnavailable
from nexus.testing.servers import temporary_database

SERVERS = {
    "postgresql": (
        "PostgreSQL",
        os.environ.get("NEXUS_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test"),
    ),
    "mariadb": (
        "MariaDB",
        os.environ.get("NEXUS_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test"),
    ),
}
ENGINES = ["memory", "sqlite", *SERVERS]

Open: TypeAlias = Callable[..., Awaitable[Database]]


def missing(what: str) -> None:
    """Skip the test, or fail where everything has to be there."""
    if os.environ.get("NEXUS_TEST_REQUIRE_SERVERS") == "1":
        pytest.fail(f"no {what}")
    pytest.skip(f"no {what}")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that a test runs on; `parametrize` it, indirectly, to leave some out."""
    return str(request.param)


@pytest.fixture
async def url(engine: str, tmp_path: Path) -> AsyncIterator[DatabaseUrl | None]:
    """A database that is empty; none where none is needed."""
    if engine not in {"sqlite", *SERVERS}:
        yield None
        return
    if engine == "sqlite":
        yield DatabaseUrl(engine="sqlite", path=str(tmp_path / "nexus.db"))
        return
    name, server = SERVERS[engine]
    async with AsyncExitStack() as stack:
        try:
            text = await stack.enter_async_context(temporary_database(server))
        except DatabaseUnavailable as error:
            missing(f"{name} at {parse_url(server).location}: {error.data['problem']}")
        else:
            yield parse_url(text)


@pytest.fixture
async def open_database(url: DatabaseUrl | None) -> AsyncIterator[Open]:
    """Open the database, as often as a test wants, with limits of its choice."""
    async with AsyncExitStack() as stack:

        async def open_database(limits: Limits = DEFAULT_LIMITS) -> Database:
            database = InlineDatabase() if url is None else make_database(url, limits=limits)
            await database.open()
            stack.push_async_callback(database.close)
            return database

        yield open_database


@pytest.fixture
async def database(open_database: Open) -> Database:
    """An open database with the platform's tables."""
    return await open_database()


class Things:
    """A table of things with a number and a unique name, whatever the engine.

    The methods go through the database, and so join the transaction that is open.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.insert = self.sql("INSERT INTO things (id, name) VALUES (?, ?)")

    def sql(self, statement: str) -> str:
        """Write a statement with the engine's placeholders."""
        if self.database.engine == "sqlite":
            return statement
        if self.database.engine == "mariadb":
            return statement.replace("?", "%s")
        first, *others = statement.split("?")
        return first + "".join(f"${at}{part}" for at, part in enumerate(others, start=1))

    async def create(self) -> None:
        await self.database.execute(
            "CREATE TABLE things (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL)"
        )
        await self.database.execute("CREATE UNIQUE INDEX things_by_name ON things (name)")

    async def add(self, number: int, name: str | None = None) -> int:
        return await self.database.execute(self.insert, (number, name or f"n{number}"))

    async def add_many(self, numbers: Sequence[int]) -> int:
        rows = [(number, f"n{number}") for number in numbers]
        return await self.database.execute_many(self.insert, rows)

    async def numbers(self) -> list[int]:
        rows = await self.database.fetch_all("SELECT id FROM things ORDER BY id")
        return [row[0] for row in rows]

    async def count(self) -> int:
        row = await self.database.fetch_one("SELECT COUNT(*) FROM things")
        return int(row[0])

    @property
    def slow(self) -> str:
        """A query that takes ten seconds unless it is stopped."""
        if self.database.engine == "postgresql":
            return "SELECT pg_sleep(10)"
        if self.database.engine == "mariadb":
            return "SELECT SLEEP(10)"
        return (
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 2000000)"
            " SELECT COUNT(*) FROM n"
        )


@pytest.fixture
async def things(database: Database) -> Things:
    """The table, made in the database."""
    made = Things(database)
    await made.create()
    return made


@pytest.fixture
def things_in() -> Callable[[Database], Any]:
    """The table in a database that a test opened itself."""
    return Things


@pytest.fixture(scope="session")
def certificates() -> dict[str, bytes]:
    """An authority, and its certificate for this machine with the key, by the file's name."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("Nexus tests", authority_key.public_key(), None, authority_key)
    own = _certificate("127.0.0.1", key.public_key(), authority, authority_key)
    pem = serialization.Encoding.PEM
    return {
        "authority.pem": authority.public_bytes(pem),
        "server.pem": own.public_bytes(pem),
        "server.key": key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    }


def _certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer: x509.Certificate | None,
    signer: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256())
