"""Durations as Prometheus writes them, and rules in which all of them are shorter.

Names keep what they say of the usual ones: `rate5m` is still called that.
"""

import re

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
TEXT = r"\d+(?:ms|[smhd])"
# what is in quotes is no duration, whatever it looks like
PLACES = re.compile(rf'"(?:[^"\\]|\\.)*"|(?P<before>\[|\boffset\s+)(?P<duration>{TEXT})\b')


def seconds(text):
    """The length of `5m`."""
    number, unit = re.fullmatch(r"(\d+)(ms|[smhd])", text).groups()
    return int(number) * UNITS[unit]


def text_of(length):
    """Seconds as Prometheus reads them, to the millisecond."""
    return f"{int(length)}s" if length == int(length) else f"{max(1, round(length * 1000))}ms"


def shorter(text, times):
    """A duration divided by `times`; once, it is left as it is written."""
    return text if times == 1 else text_of(seconds(text) / times)


def shorten(expression, times):
    """An expression whose windows and offsets are so many times shorter."""
    def place(match):
        before, duration = match["before"], match["duration"]
        return match[0] if before is None else before + shorter(duration, times)
    return PLACES.sub(place, expression)
