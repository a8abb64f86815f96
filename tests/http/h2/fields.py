"""What RFC 9113, section 8, demands of the fields of a message."""

import re

NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+\Z")
# no NUL, CR, LF anywhere, no white space at the ends
VALUE = re.compile(rb"(?![ \t])[^\0\r\n]*(?<![ \t])\Z")
OF_THE_CONNECTION = {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
OF_A_REQUEST = {b":method", b":scheme", b":authority", b":path"}


def get(fields, name):
    return [value for key, value in fields if key.lower() == name]


def faults(fields, kind):
    """What is wrong with a field section. `kind`: `request`, `response` or `trailers`."""
    found, regular, pseudo = [], False, []
    for name, value in fields:
        if not VALUE.match(value):
            found.append(f"value of {name!r}: {value[:60]!r}")
        if name.startswith(b":"):
            pseudo.append(name)
            if regular:
                found.append(f"{name!r} after a regular field")
            continue
        regular = True
        if not NAME.match(name):
            found.append(f"name {name[:60]!r}")
        if name in OF_THE_CONNECTION:
            found.append(f"{name!r}, which is of the connection")
        if name == b"te" and value != b"trailers":
            found.append(f"te: {value!r}")
    return found + _pseudo_faults(pseudo, fields, kind)


def _pseudo_faults(pseudo, fields, kind):
    found = [f"{name!r} twice" for name in set(pseudo) if pseudo.count(name) > 1]
    names = set(pseudo)
    if kind == "trailers":
        return found + [f"{name!r} in trailers" for name in names]
    if kind == "response":
        status = get(fields, b":status")
        if names != {b":status"} or not re.fullmatch(rb"[1-5]\d\d", status[0]):
            found.append(f"pseudo-fields of an answer: {pseudo} {status}")
        return found
    if not OF_A_REQUEST - {b":authority"} <= names or names - OF_A_REQUEST:
        found.append(f"pseudo-fields of a request: {pseudo}")
    path = get(fields, b":path")
    if path and not re.fullmatch(rb"/[\x21-\x7e]*|\*", path[0]):
        found.append(f":path {path[0][:80]!r}")
    return found
