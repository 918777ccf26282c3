"""How long a market was open between two instants: the age of a price as far as it matters. Pure.

Weekdays between two local times; holidays count as open, so that no price is taken for younger than
it is.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class MarketHours:
    """When a market is open on weekdays."""

    opens_at: time
    closes_at: time
    zone: ZoneInfo

    def is_open_longer(self, since: datetime, until: datetime, seconds: int) -> bool:
        """Whether the market was open for more than `seconds` between two instants."""
        left = timedelta(seconds=seconds)
        day, last = since.astimezone(self.zone).date(), until.astimezone(self.zone).date()
        while day <= last:
            if day.weekday() < _SATURDAY:
                opened = max(since, datetime.combine(day, self.opens_at, self.zone))
                closed = min(until, datetime.combine(day, self.closes_at, self.zone))
                left -= max(closed - opened, timedelta(0))
                if left < timedelta(0):
                    return True
            day += _DAY
        return False


@cache
def parse_hours(text: str) -> MarketHours:
    """The hours that a text like `09:30-16:00 America/New_York` says."""
    span, zone = text.split(" ", 1)
    opens_at, closes_at = (time.fromisoformat(part) for part in span.split("-"))
    return MarketHours(opens_at, closes_at, ZoneInfo(zone))
