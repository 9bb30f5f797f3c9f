"""Database servers of our own, to be stopped, frozen and killed."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from nexus.data.database import Limits
from nexus.data.engines.mariadb.database import MariadbDatabase
from nexus.data.engines.postgresql.database import PostgresqlDatabase
from nexus.data.engines.server.database import ServerDatabase
from nexus.data.url import DatabaseUrl
from nexus.errors import DatabaseUnavailable

PASSWORD = "correct horse"
STARTING = 60


def state(process: Path) -> str:
    """Give what a process does: `T` if it is stopped."""
    return (process / "stat").read_text().rpartition(")")[2].split()[0]


class PrivateServer(ABC):
    """A server in a folder of its own, on a free port; its user `nexus` has a password."""

    engine: Any
    account: str
    make: type[ServerDatabase[Any]]

    def __init__(self) -> None:
        # Its account cannot enter the folders that pytest makes, and a socket's path is short.
        self.folder = Path(tempfile.mkdtemp(prefix="nexus-server-"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.options: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def binary(cls, name: str) -> str | None:
        """Find one of its programs."""

    @abstractmethod
    def create(self) -> None:
        """Make the files that it needs."""

    @abstractmethod
    def command(self) -> list[str]:
        """Give what starts it."""

    @abstractmethod
    async def set_up(self) -> None:
        """Make the user and the database, once."""

    @property
    def _account(self) -> str | None:
        return self.account if os.geteuid() == 0 else None

    def run(self, *command: str) -> None:
        subprocess.run(command, user=self._account, check=True, capture_output=True, cwd="/")

    def certify(self, certificates: Mapping[str, bytes]) -> None:
        """Take the files of a certificate for this machine, of which the key is its own."""
        for name, content in certificates.items():
            file = self.folder / name
            file.write_bytes(content)
            file.chmod(0o600 if name.endswith(".key") else 0o644)
            if self._account:
                shutil.chown(file, self._account)

    def url(self, **other: Any) -> DatabaseUrl:
        fields = {
            "engine": self.engine,
            "host": "127.0.0.1",
            "port": self.port,
            "user": "nexus",
            "password": PASSWORD,
            "database": "nexus",
            **other,
        }
        return DatabaseUrl(**fields)

    def administrator(self, database: str) -> ServerDatabase[Any]:
        user = "postgres" if self.engine == "postgresql" else "root"
        where = self.url(user=user, password="", database=database, host=str(self.folder))
        return self.make(where, Limits())

    async def start(self) -> None:
        """Start it, and wait until it lets somebody in."""
        if self._process is None:
            self._process = self._begin()
        system = "postgres" if self.engine == "postgresql" else "mysql"
        deadline = time.monotonic() + STARTING
        while True:
            try:
                connection = await self.administrator(system).connect()
            except DatabaseUnavailable:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    print((self.folder / "log").read_text()[-3000:])  # noqa: T201
                    raise
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return

    def _begin(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*self.command(), *self.options],
                user=self._account,
                cwd="/",
                stdout=log,
                stderr=log,
            )

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: `SIGINT` for an orderly shutdown, `SIGKILL` for none."""
        if self._process is None:
            return
        self.resume()
        family = self.processes()
        self._process.send_signal(how)
        self._process.wait(timeout=30)
        self._process = None
        if how == signal.SIGKILL:  # its children notice, but in their own time
            for process in family[1:]:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: it keeps its connections and answers nothing."""
        for process in self.processes():
            os.kill(process, signal.SIGSTOP)
            while any(state(task) != "T" for task in Path(f"/proc/{process}/task").iterdir()):
                time.sleep(0.001)

    def resume(self) -> None:
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)

    def processes(self) -> list[int]:
        """Give it and its children, which have none."""
        if self._process is None:
            return []
        family = [self._process.pid]
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                parent = int(status.read_text().rpartition(")")[2].split()[1])
                if parent == self._process.pid:
                    family.append(int(status.parent.name))
        return family

    async def kill_connections(self) -> None:
        """Have the server lose every connection to the database, without a word."""
        async with self.administrator("nexus") as database:
            rows = await database.fetch_all(self.others)
            for (number,) in rows:
                await self.kill_connection(database, number)

    others: str

    @abstractmethod
    async def kill_connection(self, database: ServerDatabase[Any], number: int) -> None:
        """Kill one of them."""

    def remove(self) -> None:
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


class PrivatePostgresql(PrivateServer):
    """PostgreSQL."""

    engine = "postgresql"
    account = "postgres"
    make = PostgresqlDatabase
    others = (
        "SELECT pid FROM pg_stat_activity WHERE datname = 'nexus' AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' AND usename = 'nexus'"
    )

    @classmethod
    @override
    def binary(cls, name: str) -> str | None:
        packaged = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        return str(packaged[-1]) if packaged else shutil.which(name)

    @override
    def create(self) -> None:
        if self._account:
            shutil.chown(self.folder, self.account)
        initdb = self.binary("initdb") or ""
        self.run(initdb, "-D", str(self.data), "-U", "postgres", "-A", "trust", "--no-sync")
        (self.data / "pg_hba.conf").write_text(
            "host all nexus 127.0.0.1/32 scram-sha-256\n"
            "host all all 127.0.0.1/32 trust\nlocal all all trust\n"
        )
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nfsync = off\n"
                f"unix_socket_directories = '{self.folder}'\nmax_connections = 30\n"
                "shared_buffers = 16MB\nmax_wal_size = 64MB\nssl = on\n"
                f"ssl_cert_file = '{self.folder}/server.pem'\n"
                f"ssl_key_file = '{self.folder}/server.key'\n"
            )

    @override
    def command(self) -> list[str]:
        return [self.binary("postgres") or "", "-D", str(self.data)]

    @override
    async def set_up(self) -> None:
        async with self.administrator("postgres") as database:
            await database.execute(f"CREATE USER nexus PASSWORD '{PASSWORD}'")
            await database.execute("CREATE DATABASE nexus OWNER nexus")

    @override
    async def kill_connection(self, database: ServerDatabase[Any], number: int) -> None:
        # The others follow: the server trusts no memory that a killed process has written to.
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


class PrivateMariadb(PrivateServer):
    """MariaDB."""

    engine = "mariadb"
    account = "mysql"
    make = MariadbDatabase
    others = "SELECT id FROM information_schema.processlist WHERE user = 'nexus'"

    @classmethod
    @override
    def binary(cls, name: str) -> str | None:
        return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

    @override
    def create(self) -> None:
        if self._account:
            shutil.chown(self.folder, self.account)
        install = self.binary("mariadb-install-db") or ""
        self.run(
            install,
            "--no-defaults",
            f"--datadir={self.data}",
            f"--tmpdir={self.folder}",  # a server removes what others have in /tmp when it starts
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )

    @override
    def command(self) -> list[str]:
        return [
            self.binary("mariadbd") or "",
            "--no-defaults",
            f"--datadir={self.data}",
            f"--tmpdir={self.folder}",
            f"--port={self.port}",
            f"--socket={self.folder}/mysqld.sock",
            f"--pid-file={self.folder}/pid",
            f"--ssl-ca={self.folder}/authority.pem",
            f"--ssl-cert={self.folder}/server.pem",
            f"--ssl-key={self.folder}/server.key",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--max-connections=30",
            "--max-allowed-packet=32M",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=2",
        ]

    @override
    async def set_up(self) -> None:
        connection = await self.administrator("mysql").connect()
        await connection.execute("CREATE DATABASE nexus CHARACTER SET utf8mb4", ())
        await connection.execute(f"CREATE USER nexus@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'", ())
        await connection.execute(f"CREATE USER nexus@localhost IDENTIFIED BY '{PASSWORD}'", ())
        await connection.execute("GRANT ALL ON nexus.* TO nexus@'127.0.0.1'", ())
        await connection.execute("GRANT ALL ON nexus.* TO nexus@localhost", ())
        await connection.close()

    @override
    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        super().stop(signal.SIGTERM if how == signal.SIGINT else how)

    @override
    async def kill_connection(self, database: ServerDatabase[Any], number: int) -> None:
        with suppress(*database.troubles):  # it may have gone meanwhile
            await database.execute(f"KILL {number}")


KINDS: dict[str, tuple[type[PrivateServer], str]] = {
    "postgresql": (PrivatePostgresql, "initdb"),
    "mariadb": (PrivateMariadb, "mariadb-install-db"),
}


@pytest.fixture(scope="session")
def made_servers() -> Iterator[dict[str, PrivateServer]]:
    made: dict[str, PrivateServer] = {}
    yield made
    for server in made.values():
        server.remove()


@pytest.fixture(params=list(KINDS))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def server(
    engine: str, made_servers: dict[str, PrivateServer], certificates: Mapping[str, bytes]
) -> PrivateServer:
    """A running server; the next test starts it again if need be."""
    kind, program = KINDS[engine]
    if kind.binary(program) is None:
        if os.environ.get("NEXUS_TEST_REQUIRE_SERVERS") == "1":
            pytest.fail(f"no {program} to start a server with")
        pytest.skip(f"no {program} to start a server with")
    if engine not in made_servers:
        made_servers[engine] = made = kind()
        made.create()
        made.certify(certificates)
        await made.start()
        await made.set_up()
    found = made_servers[engine]
    if found.options:
        found.stop()
        found.options = []
    found.resume()
    await found.start()
    return found


@pytest.fixture
async def database(server: PrivateServer) -> AsyncIterator[ServerDatabase[Any]]:
    """The database `nexus`, emptied, with little patience."""
    administrator = server.administrator("nexus")
    connection = await administrator.connect()
    await connection.execute("DROP TABLE IF EXISTS things", ())
    await connection.close()
    limits = Limits(pool_size=5, pool_timeout=2.0, statement=20.0)
    opened = server.make(server.url(), limits)
    await opened.open()
    await opened.execute("CREATE TABLE things (id INTEGER PRIMARY KEY)")
    yield opened
    server.resume()
    await opened.close()
