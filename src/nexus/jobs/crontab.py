"""Crontab expressions, as cron means them, for APScheduler's triggers.

`CronTrigger.from_crontab` differs from cron in two ways that nobody expects: it counts the days of
the week from Monday, where cron's 0 and 7 are Sunday; and where both the day of the month and the
day of the week are given it wants both to hold, where for cron either is enough.
"""

import re
from datetime import tzinfo
from typing import Any, Final

EXPECTED: Final = (
    'five fields (minute, hour, day of the month, month, day of the week) such as "0 3 * * *", or'
    " one of @hourly, @daily, @weekly, @monthly and @yearly"
)
"""What `normalized` takes, in words."""

_ALIASES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS: Final = 5
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WEEKDAYS: Final = re.compile(r"(\*|[a-z]+|\d+)(?:-([a-z]+|\d+))?(?:/(\d+))?")


def normalized(expression: str) -> str:
    """Give an expression in five fields with single blanks.

    Raises:
        ValueError: It has another number of fields, or is an alias that there is not.
    """
    text = " ".join(expression.lower().split())
    text = _ALIASES.get(text, text)
    if len(text.split()) != _FIELDS:
        count = len(text.split())
        raise ValueError(f"it has {count} field{'' if count == 1 else 's'}")
    return text


def has_fixed_hour(expression: str) -> bool:
    """Tell whether an expression names its hours, rather than taking all or every so many."""
    return not expression.split()[1].startswith("*")


def triggers_of(expression: str, timezone: tzinfo) -> tuple[Any, ...]:
    """Give the triggers of an expression; it is due when any of them fires.

    Raises:
        ValueError: A field cannot be read.
    """
    from apscheduler.triggers.cron import CronTrigger

    minute, hour, day, month, weekday = normalized(expression).split()
    weekday = _weekdays(weekday)
    days = [(day, weekday)]
    if not day.startswith("*") and weekday != "*":
        days = [(day, "*"), ("*", weekday)]
    return tuple(
        CronTrigger.from_crontab(f"{minute} {hour} {one} {month} {other}", timezone)
        for one, other in days
    )


def _weekdays(field: str) -> str:
    """Write the days of the week as names, which mean the same to everybody."""
    if field == "*":
        return field
    found: set[int] = set()
    for part in field.split(","):
        match = _WEEKDAYS.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no day of the week")
        first, last, step = match.groups()
        begin = 0 if first == "*" else _weekday(first)
        end = 6 if first == "*" or (step and not last) else _weekday(last or first)
        if end < begin:  # such as fri-mon
            end += 7
        found.update(each % 7 for each in range(begin, end + 1, max(int(step or 1), 1)))
    return ",".join(_DAYS[each] for each in sorted(found))


def _weekday(word: str) -> int:
    if word in _DAYS:
        return _DAYS.index(word)
    if word.isdigit() and int(word) <= 7:  # noqa: PLR2004 - Sunday, once more
        return int(word)
    raise ValueError(f"{word!r} is no day of the week")
