#!/usr/bin/env python3
"""`sidelight baseline` of files of 1 GB: each needs no more than 200 MiB.

Needs the release binary, Python's standard library, and 1 GB of disk. A few minutes.
"""

import harness as h
import peak
from harness import case, check

GB = 1_000_000_000
COLUMNS = 100


def judge(rows):
    with peak.file_of(rows, GB) as (file, count):
        most, said = peak.of([file])
    check(f"{count} rows" in said, said)
    check(most <= peak.MOST, f"{most / peak.MIB:.0f} MiB")


@case
def a_gigabyte_of_csv_needs_no_more_than_200_mib():
    judge(peak.csv_rows(COLUMNS))


@case
def a_gigabyte_of_json_lines_needs_no_more_than_200_mib():
    judge(peak.json_rows(COLUMNS))


if __name__ == "__main__":
    h.main("long files")
