"""The cases, by section; importing registers them."""

from . import compression, continuation, control, flow, framing, messages, preface, requests, streams
from . import answers, calls, ends
from . import abuse  # the last: what it leaves behind in memory is of no other case
