"""The table of the events.

`nexus_event_head` has the last position, and how many bytes were ever put in. Whoever appends
changes it first and so holds its lock until the commit: positions are given in the order of the
commits and without gaps, so that a reader that has seen one has seen all before it.
`nexus_events.before_bytes` is the head's bytes before the event, which makes the size of any part
of the log a subtraction.
"""

from typing import Final

EVENTS: Final = (
    """
    CREATE TABLE IF NOT EXISTS nexus_events (
        position {number} PRIMARY KEY,
        before_bytes {number} NOT NULL,
        id {word} NOT NULL,
        name {word} NOT NULL,
        data {text} NOT NULL,
        source {word} NOT NULL,
        time_ns {number} NOT NULL,
        correlation_id {word},
        causation_id {word},
        ordering_key {text},
        version {number}
    ) {options}
    """,
)
