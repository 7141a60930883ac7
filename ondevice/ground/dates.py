"""Moments as people read them."""

from __future__ import annotations

import datetime

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def to_the_minute(seconds: float) -> str:
    """Return a Unix time as a local date and time; "?" beyond the years 1 to 9999.

    Where the system does not know the local time of so early or late a day, it is UTC.
    """
    try:
        moment = datetime.datetime.fromtimestamp(seconds)
    except (ValueError, OverflowError, OSError):  # Windows knows none before 1970
        try:
            moment = _EPOCH + datetime.timedelta(seconds=seconds)
        except (ValueError, OverflowError):
            return "?"
    return moment.strftime("%Y-%m-%d %H:%M")
