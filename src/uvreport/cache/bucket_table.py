"""Which bucket names each uv release uses, as data: read from the tags up to 0.12.5 and from the binaries after.

`MINORS` maps a minor release to its first and last patch (none in between is missing). `RANGES` maps a kind of
bucket to lines of "NAME FIRST LAST", oldest first; the sdists bucket was named built-wheels up to 0.4.12.
"""

from __future__ import annotations

MINORS = {
    "0.0": (5, 5),
    "0.1": (0, 45),
    "0.2": (0, 37),
    "0.3": (0, 5),
    "0.4": (0, 30),
    "0.5": (0, 31),
    "0.6": (0, 17),
    "0.7": (0, 22),
    "0.8": (0, 24),
    "0.9": (0, 30),
    "0.10": (0, 12),
    "0.11": (0, 33),
    "0.12": (0, 24),
    "0.13": (0, 9),
}

RANGES = {
    "wheels": """
wheels-v0 0.0.5 0.1.31
wheels-v1 0.1.32 0.4.12
wheels-v2 0.4.13 0.4.30
wheels-v3 0.5.0 0.5.31
wheels-v4 0.6.0 0.6.3
wheels-v5 0.6.4 0.9.30
wheels-v6 0.10.0 0.12.24
wheels-v7 0.13.0 0.13.8
wheels-v8 0.13.9 0.13.9
""",
    "sdists": """
built-wheels-v0 0.0.5 0.1.23
built-wheels-v1 0.1.24 0.1.25
built-wheels-v2 0.1.26 0.1.31
built-wheels-v3 0.1.32 0.4.12
sdists-v4 0.4.13 0.4.24
sdists-v5 0.4.25 0.4.30
sdists-v6 0.5.0 0.5.25
sdists-v7 0.5.26 0.5.31
sdists-v8 0.6.0 0.6.7
sdists-v9 0.6.8 0.12.24
sdists-v10 0.13.0 0.13.8
sdists-v11 0.13.9 0.13.9
""",
    "simple": """
simple-v0 0.0.5 0.1.3
simple-v1 0.1.4 0.1.8
simple-v2 0.1.9 0.1.10
simple-v3 0.1.11 0.1.21
simple-v4 0.1.22 0.1.22
simple-v5 0.1.23 0.1.25
simple-v6 0.1.26 0.1.30
simple-v7 0.1.31 0.2.2
simple-v8 0.2.3 0.2.10
simple-v9 0.2.11 0.2.27
simple-v10 0.2.28 0.2.32
simple-v11 0.2.33 0.2.34
simple-v12 0.2.35 0.4.12
simple-v13 0.4.13 0.4.30
simple-v14 0.5.0 0.5.18
simple-v15 0.5.19 0.7.4
simple-v16 0.7.5 0.8.14
simple-v17 0.8.15 0.8.17
simple-v18 0.8.18 0.9.26
simple-v19 0.9.27 0.9.30
simple-v20 0.10.0 0.11.2
simple-v21 0.11.3 0.11.26
simple-v22 0.11.27 0.11.29
simple-v24 0.11.30 0.12.12
simple-v25 0.12.13 0.12.24
simple-v26 0.13.0 0.13.1
simple-v27 0.13.2 0.13.8
simple-v28 0.13.9 0.13.9
""",
    "flat-index": """
flat-index-v0 0.0.5 0.4.15
flat-index-v1 0.4.16 0.4.30
flat-index-v2 0.5.0 0.11.26
flat-index-v3 0.11.27 0.11.29
flat-index-v4 0.11.30 0.12.12
flat-index-v5 0.12.13 0.12.24
flat-index-v6 0.13.0 0.13.1
flat-index-v7 0.13.2 0.13.9
""",
    "interpreter": """
interpreter-v0 0.0.5 0.1.31
interpreter-v1 0.1.32 0.2.8
interpreter-v2 0.2.9 0.4.30
interpreter-v3 0.5.0 0.5.8
interpreter-v4 0.5.9 0.13.7
interpreter-v5 0.13.8 0.13.9
""",
    "archive": """
archive-v0 0.0.5 0.13.9
""",
    "git": """
git-v0 0.0.5 0.12.18
git-v1 0.12.19 0.13.8
git-v2 0.13.9 0.13.9
""",
    "environments": """
environments-v0 0.2.11 0.2.21
environments-v1 0.2.22 0.5.31
environments-v2 0.6.0 0.13.9
""",
    "builds": """
builds-v0 0.2.22 0.13.9
""",
    "python": """
python-v0 0.8.4 0.12.24
python-v1 0.13.0 0.13.9
""",
    "binaries": """
binaries-v0 0.8.13 0.13.9
""",
    "osv": """
osv-v0 0.11.16 0.12.24
osv-v1 0.13.0 0.13.9
""",
}
