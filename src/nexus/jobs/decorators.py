"""The decorators that make a method of a plugin a scheduled job."""

import inspect
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from nexus.errors import JobInvalid
from nexus.jobs.declaration import MARK, JobDeclaration
from nexus.jobs.schedule import Cron, Every, Schedule
from nexus.manifest.duration import EXPECTED, seconds_of

F = TypeVar("F", bound=Callable[..., Any])

_SHORTEST: Final = 1.0
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")


def every(
    interval: str | float,
    *,
    jitter: str | float = 0,
    timeout: str | float | None = None,
    name: str | None = None,
) -> Callable[[F], F]:
    """Have a method of a plugin run again and again, once in the whole cluster.

    The next run is due one interval after the start of the last one.

    Args:
        interval: Seconds, or a text such as `"5m"` or `"1h30m"`; a second at least.
        jitter: By how much a run may be late, at random.
        timeout: How long a run may take; `jobs.timeout` of the application's settings otherwise.
        name: What the job is called; the method's name otherwise.

    Raises:
        JobInvalid: An argument or the method is not right.
    """
    given: object = interval  # whatever the author has written
    call = "@every" if callable(given) else f"@every({given!r})"
    if callable(given):
        raise JobInvalid(
            job=call, found="it has no interval", expected='@every("5m") above the method'
        )
    seconds = _seconds(call, "interval", interval)
    if seconds < _SHORTEST:
        raise JobInvalid(
            job=call,
            found=f"the interval is {seconds:g} s",
            expected="a second or more; for what runs all the time there is self.create_task()",
        )
    late = _seconds(call, "jitter", jitter)
    if late >= seconds:
        raise JobInvalid(
            job=call,
            found=f"a jitter of {late:g} s is no less than the interval",
            expected="a shorter one",
        )
    return _marked(call, Every(seconds=seconds, jitter=late), timeout, name)


def cron(
    expression: str,
    *,
    timezone: str = "UTC",
    jitter: str | float = 0,
    timeout: str | float | None = None,
    name: str | None = None,
) -> Callable[[F], F]:
    """Have a method of a plugin run at the times of a crontab expression, once in the cluster.

    Args:
        expression: Minute, hour, day of the month, month and day of the week (0 and 7 are Sunday),
            or an alias such as `@daily`.
        timezone: Where its hours are those of the clock on the wall, such as `Europe/Berlin`.
        jitter: By how much a run may be late, at random.
        timeout: How long a run may take; `jobs.timeout` of the application's settings otherwise.
        name: What the job is called; the method's name otherwise.

    Raises:
        JobInvalid: An argument or the method is not right.
    """
    from nexus.jobs.crontab import EXPECTED as FIELDS
    from nexus.jobs.crontab import normalized

    given: object = expression  # whatever the author has written
    call = "@cron" if callable(given) else f"@cron({given!r})"
    if not isinstance(given, str):
        raise JobInvalid(job=call, found="it has no expression", expected=FIELDS)
    _check_timezone(call, timezone)
    late = _seconds(call, "jitter", jitter)
    try:
        schedule = Cron(expression=normalized(expression), timezone=timezone, jitter=late)
        schedule._triggers  # noqa: B018, SLF001 - reads the expression
    except ValueError as error:
        raise JobInvalid(job=call, found=_told(error), expected=FIELDS) from error
    try:
        schedule.next_after(0.0)
    except ValueError as error:
        raise JobInvalid(
            job=call,
            found="no day has such a date, so it would never run",
            expected="one that comes at all",
        ) from error
    return _marked(call, schedule, timeout, name)


def _marked(
    call: str, schedule: Schedule, timeout: str | float | None, name: str | None
) -> Callable[[F], F]:
    limit = None if timeout is None else _seconds(call, "timeout", timeout)
    if limit is not None and limit <= 0:
        raise JobInvalid(job=call, found="the timeout is 0 s", expected="more than that")

    def mark(function: F) -> F:
        _check_method(call, function)
        label = function.__name__ if name is None else name
        if not _NAME.fullmatch(str(label)):
            raise JobInvalid(
                job=call,
                found=f"{label!r} is no name for a job",
                expected="letters, digits, '_', '.' and '-', 100 at most, a letter first",
            )
        declaration = JobDeclaration(
            name=label, method=function.__name__, schedule=schedule, timeout=limit
        )
        setattr(function, MARK, declaration)
        return function

    return mark


def _check_method(call: str, function: Any) -> None:
    if not inspect.isfunction(function):
        raise JobInvalid(
            job=call,
            found=f"it decorates a {type(function).__name__}",
            expected="a method: 'async def' or 'def' right below it",
        )
    job = f"{call} on {function.__qualname__}()"
    if hasattr(function, MARK):
        other = getattr(function, MARK).schedule.text
        raise JobInvalid(
            job=job,
            found=f"the method has a schedule already ({other})",
            expected="one for each method; write a second method that calls this one",
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise JobInvalid(job=job, found="it contains 'yield'", expected="a method that returns")
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        raise JobInvalid(
            job=job,
            found=f"it cannot be called without arguments ({error})",
            expected="a method that takes nothing but self",
        ) from error


def _check_timezone(call: str, timezone: object) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(timezone)  # type: ignore[arg-type]  # whatever the author has written
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise JobInvalid(
            job=call,
            found=f"there is no time zone {timezone!r}",
            expected='one of the IANA database, such as "Europe/Berlin"; where that database is'
            " missing altogether, install the package tzdata",
        ) from error


def _seconds(call: str, what: str, span: object) -> float:
    try:
        seconds = seconds_of(span)
    except ValueError as error:
        raise JobInvalid(job=call, found=f"the {what} is {span!r}", expected=EXPECTED) from error
    if not 0 <= seconds < float("inf"):
        raise JobInvalid(job=call, found=f"the {what} is {span!r}", expected=EXPECTED)
    return seconds


def _told(error: ValueError) -> str:
    text = str(error).strip()
    return text.rstrip(".") or "it cannot be read"
