"""The client library's metrics, with an end to how many series one of them may have.

Imported when a plugin makes its first metric, since the library takes its time to import.
"""

import logging
from typing import Any, Final, Self

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from typing_extensions import override

logger = logging.getLogger(__name__)

SERIES_LIMIT: Final = 1000
"""So many combinations of label values a metric has; all others share one."""

OTHER: Final = "other"
"""The label values of that one."""


class _Bounded(MetricWrapperBase):
    _is_full = False

    @override
    def labels(self, *values: Any, **named: Any) -> Self:
        """Give what counts for these label values, or for all that are too many."""
        if self._labelnames and not self._labelvalues and len(self._metrics) >= SERIES_LIMIT:
            key = tuple(str(named.get(name)) for name in self._labelnames) if named else values
            if tuple(map(str, key)) not in self._metrics:
                self._tell()
                return super().labels(*(OTHER for _ in self._labelnames))
        return super().labels(*values, **named)

    def _tell(self) -> None:
        if not self._is_full:
            self._is_full = True
            logger.warning(
                "A metric has too many label values, and counts all further ones as 'other'",
                extra={"metric": self._name, "limit": SERIES_LIMIT},
            )


class BoundedCounter(_Bounded, Counter):
    """A counter."""


class BoundedGauge(_Bounded, Gauge):
    """A gauge."""


class BoundedHistogram(_Bounded, Histogram):
    """A histogram."""
