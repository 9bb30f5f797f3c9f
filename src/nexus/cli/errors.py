"""What can go wrong at the command line, beside the platform's own errors."""

from typing import ClassVar

from typing_extensions import override

from nexus.cli.exit_codes import ExitCode
from nexus.errors import NexusError


class CommandError(NexusError):
    """The root of the command line's errors: one of these ends a command with its exit code."""

    exit_code: ClassVar[int] = ExitCode.FAILED


class NoApplication(CommandError):
    """The folder holds no application."""

    code = "no-application"

    def __init__(self, *, folder: str) -> None:
        super().__init__(folder=folder)

    @override
    def render(self) -> str:
        return (
            f"There is no Nexus application in {self.data['folder']}: neither nexus.yaml nor a"
            " plugins folder. Run 'nexus init' there to make one, or name another folder with"
            " --app DIR."
        )


class NothingRunning(CommandError):
    """No application runs from this folder."""

    code = "nothing-running"
    exit_code = ExitCode.NOT_RUNNING

    def __init__(self, *, folder: str, detail: str = "") -> None:
        super().__init__(folder=folder, detail=detail)

    @override
    def render(self) -> str:
        detail = f" {self.data['detail']}" if self.data["detail"] else ""
        return (
            f"No application is running from {self.data['folder']}.{detail} Start it with"
            " 'nexus run', or name a running one with --url and --token."
        )


class ApplicationUnreachable(CommandError):
    """The application does not answer at the address that was given."""

    code = "application-unreachable"
    exit_code = ExitCode.NOT_RUNNING

    def __init__(self, *, url: str, problem: str) -> None:
        super().__init__(url=url, problem=problem)

    @override
    def render(self) -> str:
        return (
            f"No answer from {self.data['url']}: {self.data['problem']}. Check the address, and"
            " that the application is running there."
        )


class ApplicationRefused(CommandError):
    """The application answered, and did not do what was asked."""

    code = "application-refused"

    def __init__(self, *, status: int, problem: str, detail: str) -> None:
        super().__init__(status=status, problem=problem, detail=detail)

    @override
    def render(self) -> str:
        if self.data["status"] == 401:  # noqa: PLR2004 - Unauthorized
            return (
                "The application refused the management token. Give a valid one with --token or"
                " NEXUS_ADMIN_TOKEN; 'nexus token renew' in the application's folder makes a new"
                " one."
            )
        return str(self.data["detail"])


class AlreadyRunning(CommandError):
    """Another process serves this application already."""

    code = "already-running"

    def __init__(self, *, folder: str, where: str) -> None:
        super().__init__(folder=folder, where=where)

    @override
    def render(self) -> str:
        return (
            f"An application with the data folder {self.data['folder']} is running already"
            f"{self.data['where']}. One process at a time can use a data folder: stop the other"
            " one, or give this one another data_dir."
        )


class MustNotRun(CommandError):
    """The command works only while the application does not run."""

    code = "must-not-run"

    def __init__(self, *, action: str, where: str) -> None:
        super().__init__(action=action, where=where)

    @override
    def render(self) -> str:
        return (
            f"The application is running{self.data['where']}. Stop it first, then"
            f" {self.data['action']}. Nothing was changed."
        )


class AddressUnavailable(CommandError):
    """The address to listen on cannot be used."""

    code = "address-unavailable"

    def __init__(self, *, address: str, problem: str, advice: str) -> None:
        super().__init__(address=address, problem=problem, advice=advice)

    @override
    def render(self) -> str:
        return (
            f"Cannot listen on {self.data['address']}: {self.data['problem']}. "
            f"{self.data['advice']}"
        )


class UnprotectedAddress(CommandError):
    """Other machines could reach the application, and no secret is configured."""

    code = "unprotected-address"
    exit_code = ExitCode.REFUSED

    def __init__(self, *, host: str) -> None:
        super().__init__(host=host)

    @override
    def render(self) -> str:
        return (
            f"Refused to listen on {self.data['host']}: other machines could reach the application,"
            " its management API included, and no secret has been configured for it.\n"
            "Expected NEXUS_SECRET_KEY (security.secret_key) or NEXUS_ADMIN_TOKEN"
            " (security.admin_token), each a text of at least 16 characters. Make one and set it:\n"
            "  export NEXUS_SECRET_KEY=$(python -c"
            " 'import secrets; print(secrets.token_urlsafe(32))')\n"
            "Keep it: stored secrets are encrypted with it. For this machine alone, use"
            " --host 127.0.0.1."
        )


class WorkerFailed(CommandError):
    """One of several workers could not start, so none is served with."""

    code = "worker-failed"

    def __init__(self, *, worker: int, reason: str, crashed: bool = False) -> None:
        super().__init__(worker=worker, reason=reason, crashed=crashed)

    @override
    def render(self) -> str:
        return (
            f"Worker {self.data['worker']} could not start, so all were stopped."
            f" {self.data['reason']}"
        )


class NotServable(CommandError):
    """main.py does not give an application that `nexus run` can serve."""

    code = "not-servable"

    def __init__(self, *, path: str, problem: str, advice: str) -> None:
        super().__init__(path=path, problem=problem, advice=advice)

    @override
    def render(self) -> str:
        return f"{self.data['path']} {self.data['problem']}. {self.data['advice']}"


class PluginNameRefused(CommandError):
    """The name cannot be a plugin's."""

    code = "plugin-name-refused"
    exit_code = ExitCode.USAGE

    def __init__(self, *, name: str, expected: str, suggestion: str | None) -> None:
        super().__init__(name=name, expected=expected, suggestion=suggestion)

    @override
    def render(self) -> str:
        hint = f" Did you mean {self.data['suggestion']!r}?" if self.data["suggestion"] else ""
        return (
            f"{self.data['name']!r} cannot be a plugin's name. Expected {self.data['expected']}."
            f"{hint}"
        )


class AlreadyThere(CommandError):
    """Something of this name exists, and nothing is overwritten."""

    code = "already-there"

    def __init__(self, *, path: str, advice: str) -> None:
        super().__init__(path=path, advice=advice)

    @override
    def render(self) -> str:
        return f"{self.data['path']} is there already. {self.data['advice']} Nothing was changed."


class CannotWrite(CommandError):
    """A file or folder cannot be written or read."""

    code = "cannot-write"

    def __init__(
        self,
        *,
        path: str,
        problem: str,
        advice: str = "Check that the folder exists, who owns it, and the free space.",
    ) -> None:
        super().__init__(path=path, problem=problem, advice=advice)

    @override
    def render(self) -> str:
        return f"{self.data['path']}: {self.data['problem']}. {self.data['advice']}"


class NothingToTest(CommandError):
    """The tests of a plugin cannot be run."""

    code = "nothing-to-test"

    def __init__(self, *, problem: str, advice: str) -> None:
        super().__init__(problem=problem, advice=advice)

    @override
    def render(self) -> str:
        return f"{self.data['problem']} {self.data['advice']}"


class SetupRefused(CommandError):
    """A token for the first administrator could not work."""

    code = "setup-refused"
    exit_code = ExitCode.REFUSED

    def __init__(self, *, problem: str) -> None:
        super().__init__(problem=problem)

    @override
    def render(self) -> str:
        return f"{self.data['problem']} No token was made."


class SettingNotFound(CommandError):
    """A plugin has no setting of this name."""

    code = "setting-not-found"

    def __init__(self, *, plugin: str, key: str, known: tuple[str, ...]) -> None:
        super().__init__(plugin=plugin, key=key, known=known)

    @override
    def render(self) -> str:
        from nexus.errors import nearest

        close = nearest(self.data["key"], self.data["known"])
        hint = f" Did you mean {close!r}?" if close else ""
        return (
            f"Plugin {self.data['plugin']!r} has no setting {self.data['key']!r}.{hint}"
            f" 'nexus config get {self.data['plugin']}' shows them all."
        )


class BadArgument(CommandError):
    """The arguments of a command do not fit together."""

    code = "bad-argument"
    exit_code = ExitCode.USAGE

    def __init__(self, *, problem: str, expected: str) -> None:
        super().__init__(problem=problem, expected=expected)

    @override
    def render(self) -> str:
        return f"{self.data['problem']} {self.data['expected']}"
