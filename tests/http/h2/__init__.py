"""HTTP/2 from both ends of a proxy: frames, HPACK, a client, a strict upstream, and cases by section.

Python's standard library only. `tests/http/h2_cases.py` runs it.
"""
