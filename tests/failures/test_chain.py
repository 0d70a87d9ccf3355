"""The error chain is read in every style that real releases have printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uvreport.failures.chain import last_words, parse

CAUSED_BY = """\
Using CPython 3.11.7 interpreter at: /usr/bin/python3
error: Failed to generate package metadata for `my-package==0.0.0 @ directory+generated`
  Caused by: Failed to deserialize cache entry
  Caused by: array had incorrect length, expected 4
"""
BOXED = """\
DEBUG Released lock at `/home/user/.cache/uv/sdists-v9/path/28d007f8bda916af/.lock`
  × Failed to build `my-package @
  │ file:///home/user/corrupt-revision-truncated/project/generated`
  ├─▶ Failed to deserialize cache entry
  ├─▶ IO error while reading data: failed to fill whole buffer
  ╰─▶ failed to fill whole buffer
  help: `my-package` was included because `billing-service` (v0.1.0) depends
        on `my-package`
DEBUG Released lock at `/home/user/project/.venv/.lock`
"""
CAUSE = """\
warning: Failed to parse `pyproject.toml` during settings discovery:
  TOML parse error at line 8, column 5

error: Failed to parse: pyproject.toml
  cause: TOML parse error at line 8, column 5
           |
         8 |     "numpy",
           |     ^
         missing comma between array elements, expected `,`
"""
PANIC = """\
TRACE Assigned packages: root==0a0.dev0

thread 'tokio-rt-worker' (6487) panicked at crates/uv-client/src/cached_client.rs:921:68:
range end index 18446744073709551615 out of range for slice of length 7
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

thread 'main' (6485) panicked at crates/uv/src/lib.rs:2936:10:
Tokio executor failed, was there a panic?: Any { .. }
"""
BUILD = """\
  × Failed to build `geo-native @ file:///home/user/project/libs/geo-native`
  ├─▶ The build backend returned an error
  ╰─▶ Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit
      status: 1)

      [stderr]
      error: this line is the backend's own
      Traceback (most recent call last):
      RuntimeError: geo-sdk headers not found; set GEO_SDK_HOME

      hint: This usually indicates a problem with the package or the build
      environment.
"""
OLD_LOG = """\
          0.002328s   0ms DEBUG uv_client::cached_client Found fresh response for: http://127.0.0.1:27673/simple/avro/
   uv_resolver::version_map::from_metadata \n\
error: Failed to download and build: avro==1.11.3
  Caused by: Failed to deserialize cache entry
  Caused by: expected version to start with a number, but no leading ASCII digits were found
"""


def test_the_plain_style_gives_its_frames_outermost_first():
    chain = parse(CAUSED_BY)
    assert chain is not None
    assert chain.style == "caused-by"
    assert chain.frames == (
        "Failed to generate package metadata for `my-package==0.0.0 @ directory+generated`",
        "Failed to deserialize cache entry",
        "array had incorrect length, expected 4",
    )
    assert chain.text == "\n".join(CAUSED_BY.splitlines()[1:])


def test_the_boxed_style_is_unwrapped_and_its_help_kept_apart():
    chain = parse(BOXED)
    assert chain is not None
    assert chain.frames[0] == (
        "Failed to build `my-package @ file:///home/user/corrupt-revision-truncated/project/generated`"
    )
    assert chain.frames[1:] == (
        "Failed to deserialize cache entry",
        "IO error while reading data: failed to fill whole buffer",
        "failed to fill whole buffer",
    )
    assert chain.hints == (
        "`my-package` was included because `billing-service` (v0.1.0) depends on `my-package`",
    )
    assert "DEBUG" not in chain.text


def test_the_ascii_box_of_a_plain_terminal_is_the_same_chain():
    ascii_ = BOXED.replace("×", "x").replace("├─▶", "|->").replace("╰─▶", "`->").replace("│", "|")
    assert parse(ascii_).frames == parse(BOXED).frames  # type: ignore[union-attr]


def test_the_newest_style_keeps_text_of_several_lines_in_its_frame():
    chain = parse(CAUSE)
    assert chain is not None
    assert chain.style == "cause"
    assert chain.frames[0] == "Failed to parse: pyproject.toml"
    assert chain.frames[1].startswith("TOML parse error at line 8, column 5 ")
    assert chain.frames[1].endswith("missing comma between array elements, expected `,`")


def test_the_first_panic_is_the_cause_of_the_others():
    chain = parse(PANIC)
    assert chain is not None
    assert chain.style == "panic"
    assert chain.frames == (
        "panicked at crates/uv-client/src/cached_client.rs:921:68",
        "range end index 18446744073709551615 out of range for slice of length 7",
    )


def test_what_a_build_backend_printed_is_detail_and_no_chain_of_its_own():
    chain = parse(BUILD)
    assert chain is not None
    assert chain.frames == (
        "Failed to build `geo-native @ file:///home/user/project/libs/geo-native`",
        "The build backend returned an error",
        "Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)",
    )
    assert chain.detail.endswith("RuntimeError: geo-sdk headers not found; set GEO_SDK_HOME")
    assert chain.hints == ("This usually indicates a problem with the package or the build environment.",)


def test_the_tree_shaped_log_of_the_first_releases_is_not_taken_for_errors():
    chain = parse(OLD_LOG)
    assert chain is not None
    assert (
        chain.frames[-1] == "expected version to start with a number, but no leading ASCII digits were found"
    )


def test_a_log_whose_times_were_taken_out_is_still_a_log():
    steadied = (
        "error: Failed to deserialize cache entry\n    <time> DEBUG uv_fs Released lock at `/x/.lock`\n"
    )
    chain = parse(steadied)
    assert chain is not None
    assert chain.frames == ("Failed to deserialize cache entry",)


def test_colours_make_no_difference():
    coloured = CAUSED_BY.replace("error", "\x1b[31m\x1b[1merror\x1b[39m\x1b[22m").replace(
        "Caused", "\x1b[31mCaused"
    )
    assert parse(coloured).frames == parse(CAUSED_BY).frames  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", ["", "Resolved 2 packages in 5ms\n", "DEBUG error: nothing\n", "some x text\n"]
)
def test_output_without_an_error_has_no_chain(text):
    assert parse(text) is None


@given(
    st.text(
        alphabet=st.sampled_from("error: ×x│├─▶╰|->` \n[stdr]Caused by:'0123thread panicked at"), max_size=300
    )
)
def test_parsing_never_raises(text):
    chain = parse(text)
    assert chain is None or chain.frames


@pytest.mark.parametrize("head", ["error: ", "  × "])
def test_an_error_after_a_spinner_on_the_same_line_is_read(head):
    spinner = "\x1b[2K⠙ Resolving dependencies...    \r\x1b[2K⠙ docopt==0.6.2".ljust(80)
    found = parse(f"{spinner}{head}Failed to build\r\n")
    assert found is not None
    assert found.frames == ("Failed to build",)


def test_a_hint_below_a_box_is_a_hint_and_the_log_behind_it_is_not():
    found = parse(
        "  × No solution found:\n  ╰─▶ Because\n\nhint: refused (401 Unauthorized)TRACE Released lock at `x`\n"
    )
    assert found is not None
    assert found.hints == ("refused (401 Unauthorized)",)
    assert "TRACE" not in found.text


def test_the_resolvers_tree_in_the_middle_of_a_message_is_log():
    tree = (
        "TRACE Resolver derivation tree before reduction\nterm root==0a0.dev0\n"
        "  root==0a0.dev0 depends on acme-build>=9\n    acme-build not found in the provided package locations\n"
    )
    found = parse(
        "  × Failed to build `svc @ file:///p`\n  ├─▶ No solution found when resolving: `acme-build>=9`\n"
        f"{tree}{tree}  ╰─▶ Because acme-build was not found in the provided package locations and\n"
        "      you require acme-build>=9, we can conclude that your requirements are\n      unsatisfiable.\n"
    )
    assert found is not None
    assert len(found.frames) == 3
    assert found.frames[1] == "No solution found when resolving: `acme-build>=9`"
    assert found.frames[2].endswith("your requirements are unsatisfiable.")


@pytest.mark.parametrize("second", [CAUSED_BY, BOXED, CAUSE, BUILD])
@pytest.mark.parametrize("first", [CAUSED_BY, BOXED, CAUSE, BUILD])
def test_of_two_outputs_in_one_file_the_last_failure_is_read(first: str, second: str):
    both, alone = parse(first + second), parse(second)
    assert both is not None
    assert alone is not None
    assert both.frames == alone.frames


def test_the_last_words_are_what_there_is_where_nothing_says_error():
    said = "DEBUG uv 0.9.30\nPython downloads are not allowed\nDEBUG Released lock at `x`\n"
    assert parse(said) is None
    found = last_words(said)
    assert found is not None
    assert found.frames == ("Python downloads are not allowed",)
    assert last_words("DEBUG uv 0.9.30\n\n") is None
