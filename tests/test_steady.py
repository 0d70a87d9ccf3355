"""Two runs on one state are recorded alike, and nothing else is touched."""

from __future__ import annotations

import pytest

from uvreport.steady import steady


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Resolved 2 packages in 5ms", "Resolved 2 packages in 0.94ms"),
        ("DEBUG x `/c/builds-v0/.tmpbH3D16/lib`", "DEBUG x `/c/builds-v0/.tmpZ9_a01/lib`"),
        ("Spawned child 28531 in process group 26563", "Spawned child 1 in process group 2"),
        ("thread 'main' (6485) panicked at a.rs:1:2:", "thread 'main' (1) panicked at a.rs:1:2:"),
        ("          0.002328s   0ms DEBUG a::b c", "          0.112328s   12ms DEBUG a::b c"),
    ],
)
def test_times_names_and_ids_of_one_run_do_not_stay(one, other):
    assert one != other
    assert steady(one) == steady(other)


@pytest.mark.parametrize(
    "text",
    [
        "error: array had incorrect length, expected 4",
        "six==1.17.0 --hash=sha256:0123456789abcdef",
        "tv_sec: 1795358732, tv_nsec: 742426606",
        "https://example.com/tmp/x",
        "error: tides.tmpserver and tides.tmpclient are not there",
    ],
)
def test_what_decides_stays_as_it_was(text):
    assert steady(text) == text


def test_a_home_whose_name_looks_random_stays_as_redaction_knows_it():
    text = "error: /tmp/tmpab12cd34/home/mira/x and /tmp/tmpzz99yy88/y and /cache/.tmpAbC123"
    kept = steady(text, ("/tmp/tmpab12cd34/home/mira", "sync"))
    assert kept == "error: /tmp/tmpab12cd34/home/mira/x and /tmp/tmp<random>/y and /cache/.tmp<random>"
