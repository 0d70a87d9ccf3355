"""The same bug has the same signature, whatever the machine, the width and the phase; different bugs differ."""

from __future__ import annotations

import textwrap

import pytest

from uvreport.failures.chain import parse
from uvreport.failures.signature import core, likeness, normalise, signature

LOCKING = """\
error: Failed to generate package metadata for `gen==1.0 @ directory+generated`
  Caused by: Failed to deserialize cache entry
  Caused by: array had incorrect length, expected 4
"""
PLANNING = """\
error: Failed to determine installation plan
  Caused by: Failed to deserialize cache entry
  Caused by: array had incorrect length, expected 4
"""
NEWEST = LOCKING.replace("Caused by", "cause")


def _core(text: str) -> tuple[str, ...]:
    chain = parse(text)
    assert chain is not None
    return core(chain.frames, chain.detail)


def test_the_phase_and_the_style_do_not_count():
    assert _core(LOCKING) == _core(PLANNING) == _core(NEWEST)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_the_width_of_the_terminal_does_not_count(width):
    long = "failed to remove directory `/home/some-one/a-long-way/.cache/uv/git-v0/db/09334ff594c71852`: Not a directory"
    lines = textwrap.wrap(long, width - 6, break_long_words=False, break_on_hyphens=width % 3 == 0)
    text = "  × Git operation failed\n  ╰─▶ " + "\n      ".join(lines) + "\n"
    assert _core(text)[-1] == normalise(long)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Distribution not found at: file:///home/ann/x", "Distribution not found at: file:///srv/b%20c/y/z"),
        (
            "failed to open file `/a/sdists-v9/.git`: denied",
            "failed to open file `C:\\u\\sdists-v9\\.git`: denied",
        ),
        (
            "failed to rename file from /a/.tmpAb1 to /b/c: Is",
            "failed to rename file from /x/y/.tmpZ9 to /q: Is",
        ),
        ("No interpreter found for Python 3.10.99 in x", "No interpreter found for Python 3.9.1 in x"),
    ],
)
def test_places_and_versions_do_not_count(one, other):
    assert normalise(one) == normalise(other)


OLD_PROOF = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because only acme-api==2.0.0 is available and acme-api==2.0.0 depends on
      acme-core>=1.dev0,<2.dev0, we can conclude that all versions of acme-api
      depend on acme-core>=1.dev0,<2.dev0.
      And because acme-worker==3.1.0 depends on acme-core>=2 and only
      acme-worker==3.1.0 is available, we can conclude that acme-api>=2.0.0
      and acme-worker>=3 are incompatible.
      And because your project depends on acme-api and acme-worker, we can
      conclude that your project's requirements are unsatisfiable.
"""
NEW_PROOF = (
    "error: No solution found when resolving dependencies\n"
    "  cause: Because all versions of acme-worker depend on acme-core>=2 and all versions of acme-api depend on "
    "acme-core==1.*, we can conclude that all versions of acme-api and all versions of acme-worker\n"
    "         are incompatible.\n"
    "         And because your project depends on acme-api==2.0.0 and acme-worker==3.1.0, we can conclude that your "
    "project's requirements are unsatisfiable.\n"
)
NO_VERSIONS = (
    "error: No solution found when resolving dependencies\n  cause: Because there are no versions of acme-core and "
    "acme-worker depends on acme-api>=2, we can conclude that your project's requirements are unsatisfiable.\n"
)


def test_one_conflict_is_the_same_however_a_release_derives_it():
    assert likeness(_core(OLD_PROOF), _core(NEW_PROOF)) != "different"


@pytest.mark.parametrize("other", [NEW_PROOF.replace("acme-core", "acme-base"), NO_VERSIONS])
def test_another_conflict_is_another_failure(other):
    assert likeness(_core(OLD_PROOF), _core(other)) == "different"


def test_a_syntax_error_is_the_same_in_the_words_of_either_toml_parser():
    place = "TOML parse error at line 8, column 5 | 8 |     'numpy', | ^ "
    assert normalise(place + "invalid array expected `]`") == normalise(place + "missing comma, expected `,`")
    assert normalise(place + "invalid") != normalise(place.replace("line 8", "line 9") + "invalid")


def test_what_is_wrong_with_a_lockfile_counts_and_in_which_line_does_not():
    one = "TOML parse error at line 20, column 1 | 20 | [[package]] | ^^^^^^^^^^^ missing field `version`"
    assert normalise(one) == normalise(one.replace("20", "44"))
    assert normalise(one) != normalise(one.replace("version", "source"))


def test_a_wrapped_exception_is_the_one_that_is_not_wrapped():
    detail = "Traceback (most recent call last):\n  File 'x'\nRuntimeError: headers not found; set GEO_HOME\n\nmore\n"
    wrapped = detail.replace("headers not", "headers\n  not")
    assert core(("Failed",), detail) == core(("Failed",), wrapped)
    assert core(("Failed",), detail) != core(("Failed",), detail.replace("GEO_HOME", "OTHER"))


def test_which_hook_of_a_backend_was_called_does_not_count():
    one = "Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)"
    assert normalise(one) == normalise(one.replace("build_wheel", "get_requires_for_build_wheel"))
    assert normalise(one) != normalise(one.replace("setuptools", "hatchling"))


def test_where_an_entry_was_cut_does_not_count():
    assert normalise("unexpected end of file") == normalise("failed to fill whole buffer")


def test_numbers_that_are_the_fault_do_count():
    assert normalise("array had incorrect length, expected 4") != normalise(
        "array had incorrect length, expected 5"
    )


def test_which_file_of_an_archive_is_missing_counts_and_whose_archive_does_not():
    record = "failed to open file `/c/archive-v0/AAA/acme_core-2.3.0.dist-info/RECORD`: No such file"
    other = "failed to open file `/c/archive-v0/BBB/six-1.0.dist-info/RECORD`: No such file"
    wheel = "failed to open file `/c/archive-v0/BBB/six-1.0.dist-info/WHEEL`: No such file"
    assert normalise(record) == normalise(other) != normalise(wheel)


def test_the_kind_of_culprit_tells_two_bugs_with_one_text_apart():
    frames = _core(LOCKING)
    assert signature("cache-format-skew", frames, ["revision"]) != signature(
        "cache-format-skew", frames, ["wheel"]
    )


def test_likeness_knows_all_frames_from_the_innermost_alone():
    assert likeness(("a", "b"), ("a", "b")) == "exact"
    assert likeness(("a", "b"), ("c", "b")) == "leaf"
    assert likeness(("a", "b"), ("a", "c")) == "different"
    assert likeness((), ()) == "exact"


def test_how_often_uv_tried_does_not_count():
    last = "Connection refused (os error 111)"
    assert core(("Request failed after 3 retries", last)) == core(
        ("Request failed after 1 retry in 1.2s", last)
    )
