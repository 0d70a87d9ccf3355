"""Rendering: the issue says what was seen and no more, and nothing of a stranger's gets out of its place."""

from __future__ import annotations

import html.parser
import os
import re
import shutil
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from tests.drafts import alike, run_draft, script_in
from tests.stories import collect
from tests.test_pack_samples import LOG, PYPROJECT, REVISION, REVISION_0_6_7, SETUP_PY, facts, seed
from uvreport import pack, render
from uvreport.bundle import Bundle, Culprit, Gap, Member, Proof, Redaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.failing_states.state import State
    from uvreport.bundle import Outcome, Uv

SEED = seed()
ROOT = Path(__file__).resolve().parent.parent

HEADINGS = ["Summary", "Platform", "Version", "Python version"]


def tokens(text: str) -> list[Any]:
    return MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)


def headings(text: str) -> list[str]:
    parsed = tokens(text)
    return [parsed[n + 1].content for n, token in enumerate(parsed) if token.type == "heading_open"]


def fences(text: str) -> list[Any]:
    return [token for token in tokens(text) if token.type == "fence"]


def inline(text: str) -> list[Any]:
    return [child for token in tokens(text) if token.type == "inline" for child in token.children]


def prose(text: str) -> str:
    """Everything that GitHub would look through for mentions, references and HTML."""
    return "\n".join(child.content for child in inline(text) if child.type != "code_inline")


OUR_HTML = re.compile(
    r"<details><summary>(?:The content of the entry at fault|The lockfile around these packages|"
    r"What could not be had \(\d+\)|The verbose log)</summary>|</details>"
)


def assert_nothing_gets_out(text: str) -> None:
    """Whatever was put in, the document is the intended one."""
    parsed = tokens(text)
    assert headings(text)[1:] == HEADINGS
    assert text.startswith("# `uv")
    for token in parsed:
        if token.type == "html_block":
            assert OUR_HTML.fullmatch(token.content.strip()), token.content
        assert token.type not in {"blockquote_open", "code_block", "table_open", "ordered_list_open"}
    kinds = {child.type for child in inline(text)}
    assert kinds <= {"text", "code_inline", "softbreak", "strong_open", "strong_close"}, kinds
    # Every fence is closed: the parser takes an open one to the end, and then the footer would be in it.
    assert fences(text)[-1].content.startswith("uvx uvreport replay ")
    said = prose(text)
    assert "@" not in said
    assert not re.search(r"#\d|GH-\d|<|>|://", said)
    for char in text:
        assert char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"}, repr(char)
        assert char not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c", repr(
            char
        )
    html = "".join(token.content for token in parsed if token.type == "html_block")
    assert html.count("<details>") == html.count("</details>")
    assert render.units(text) <= render.ISSUE_LIMIT


# --- what is said ---


def test_the_title_names_the_command_the_failure_and_both_releases() -> None:
    assert render.title(SEED) == (
        "`uv run` fails with `Failed to deserialize cache entry`: "
        "revision.rev written by 0.6.7, read by 0.6.6"
    )


def test_the_text_is_the_title_and_then_the_four_headings_of_the_form() -> None:
    text = render.issue(SEED)
    assert text.split("\n")[0] == f"# {render.title(SEED)}"
    assert headings(text) == [render.title(SEED), *HEADINGS]


def test_the_summary_comes_in_the_order_in_which_a_maintainer_reads() -> None:
    text = render.issue(SEED)
    places = [
        text.index(part)
        for part in (
            "`uv run` exits with code 2 under uv 0.6.6",
            "$ uv run python -c 'import my_package'",
            "Caused by: array had incorrect length, expected 4",
            "Replayed from the redacted bundle, offline, in an empty place under uv 0.6.6: fails the same",
            "With `--no-cache` the command passes: the cache is to blame.",
            "its CacheInfo has 5 fields",
            "How to reproduce from this text",
            "uvx uv@0.6.7 run",
            "uvx uv@0.6.6 run",
            "What matters for this kind of failure",
            "The verbose log",
            "### Platform",
        )
    ]
    assert places == sorted(places)


def test_who_else_wrote_the_bucket_at_fault_is_said() -> None:
    ranges = [{"writers": "0.6.0..0.6.6", "entries": 3}, {"writers": "0.6.7", "entries": 1}]
    mixed = facts("cache", {"mixed_buckets": [{"bucket": "sdists-v8", "ranges": ranges}]})
    others = (member for member in SEED.members if member.path != "facts/cache.json")
    text = render.issue(replace(SEED, members=(*others, mixed)))
    assert "More than one uv wrote `sdists-v8`: 3 entries by uv 0.6.0 to 0.6.6; 1 entry by uv 0.6.7" in text


def test_the_whole_chain_is_there_as_text() -> None:
    console = next(fence for fence in fences(render.issue(SEED)) if fence.info == "console")
    assert console.content == "$ uv run python -c 'import my_package'\n" + SEED.failure.chain


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("REPRODUCED", "fails the same way"), ("DIFFERENT", "fails in another way"), ("CLEAN", "passes"),
     ("UNTESTED", "is not known")],
)  # fmt: skip
def test_each_verdict_has_its_own_sentence(verdict: Outcome, said: str) -> None:
    text = render.proven(replace(SEED, proof=Proof(verdict=verdict, uv="0.6.6", reason="because")))
    assert said in text
    assert ("fails the same way" in text) == (verdict == "REPRODUCED")
    assert text.startswith("Replayed") == (verdict != "UNTESTED")


def test_without_a_proof_nothing_is_claimed() -> None:
    bare = replace(SEED, proof=None)
    assert render.proven(bare).startswith("Not replayed")
    assert "fails the same way" not in render.issue(bare)
    assert "fails the same way" not in render.report_html(bare)
    assert not any("fails the same way" in line for line in render.summary(bare))


def test_the_script_is_said_not_to_have_been_run() -> None:
    assert "has not been run" in render.issue(SEED)


def test_the_exact_bytes_of_a_small_entry_are_there() -> None:
    import base64

    encoded = "".join(
        fence.content for fence in fences(render.issue(SEED)) if "base64" not in fence.info
    ).replace("\n", "")
    assert base64.b64encode(REVISION_0_6_7).decode() in encoded


def test_version_platform_and_python_stand_under_their_headings() -> None:
    text = render.issue(SEED)
    assert "### Platform\n\n`Linux 6.18.5 x86_64 GNU/Linux, Debian 12`\n" in text
    assert "### Version\n\n`uv 0.6.6 (c1a0bb85e 2025-03-12)`\n" in text
    assert "### Python version\n\n`CPython 3.11.7`\n" in text


def test_the_footer_says_how_to_replay_this_file() -> None:
    assert "uvx uvreport replay billing.uvreport.zip\n" in render.issue(
        SEED, file_name="a/b/billing.uvreport.zip"
    )


def test_a_missing_fact_is_shown_as_missing() -> None:
    run = replace(SEED.run, env={}, uv=replace(SEED.run.uv, release=""))
    bare = replace(SEED, members=(), run=run)
    text = render.issue(bare)
    assert "not gathered" in text
    assert_nothing_gets_out(text)
    assert "No facts were gathered" in render.report_html(bare)


@pytest.mark.parametrize(
    "data", [b"", b"[", b"\xff", b"3", b"[]", b'"x"', b'{"platform_line": {"a": [1]}}', b"[" * 5000]
)
def test_a_fact_of_any_shape_is_no_crash(data: bytes) -> None:
    topics = (
        "system",
        "uv",
        "python",
        "settings",
        "sources",
        "lockfile",
        "cache",
        "cache-entries",
        "git",
        "build",
    )
    odd = replace(SEED, members=tuple(Member(path=f"facts/{topic}.json", data=data) for topic in topics))
    for class_ in (
        "cache-format-skew",
        "resolution",
        "git",
        "interpreter",
        "hang",
        "unknown",
        "never heard of",
    ):
        assert_nothing_gets_out(render.issue(replace(odd, failure=replace(SEED.failure, class_=class_))))
    render.report_html(odd)
    render.summary(odd)


def test_the_summary_for_the_terminal_is_plain_lines() -> None:
    lines = render.summary(SEED)
    assert lines[0] == "uv run python -c 'import my_package' exits with code 2 under uv 0.6.6."
    assert any(line.startswith(f"At fault: {REVISION}") for line in lines)
    assert len(lines) <= 10
    assert all(line.isprintable() for line in lines)


def told(bundle: Bundle) -> str:
    """What a reader sees first: everything that is not folded."""
    return re.sub(r"<details>.*?</details>", "", render.issue(bundle), flags=re.DOTALL)


def test_the_seed_s_case_is_read_in_two_minutes() -> None:
    summary = told(SEED).partition("**What matters")[0]
    assert summary.count("\n") <= 60


def test_that_the_command_passes_without_the_culprit_is_said_once() -> None:
    confirmed = replace(SEED.culprits[0], confirmed=f"without `{REVISION}` the command passes")
    text = told(replace(SEED, culprits=(confirmed,)))
    assert text.count("Without it the command passes") == 1
    assert text.count("the command passes") == 2  # and what --no-cache did


def test_a_cure_of_several_paths_is_said_to_be_needed_together() -> None:
    text = told(replace(SEED, cure=(REVISION, "archive-v0/x")))
    assert f"This failure is gone once `{REVISION}` and `archive-v0/x` are removed together." in text


def test_what_the_cache_lost_is_said_with_what_still_points_there() -> None:
    entries = [{"path": "wheels-v5/x.rev", "missing": ["archive-v0/x"], "reason": "its archive is not there"}]
    text = told(
        replace(
            SEED, culprits=(), cure=(), missing=("archive-v0/x",),
            members=(*SEED.members, facts("cache-entries", entries)),
        )
    )  # fmt: skip
    assert (
        "**Missing:** `archive-v0/x` is gone from the cache. "
        "`wheels-v5/x.rev` still points there: its archive is not there." in text
    )


def test_for_a_failure_that_is_not_the_cache_s_one_clause_is_about_the_cache() -> None:
    other = replace(
        SEED, culprits=(), cure=(), failure=replace(SEED.failure, class_="resolution"),
        triage="With `--no-cache` the command fails the same way: the cache is not to blame.",
        members=(*SEED.members, facts("cache", {"writable": True, "filesystem": {"type": "ext4"}})),
    )  # fmt: skip
    text = told(other).partition("How to reproduce")
    assert text[0].count("to blame") == 1
    assert "At fault" not in text[0]
    assert "ext4" not in text[2]


def test_the_facts_that_decide_are_short_sentences_not_nested_lists() -> None:
    python = {"venv": {"exists": True, "made_by_uv": "0.6.7", "base_exists": False}}
    found = [
        {
            "name": "uv",
            "release": "0.6.6",
            "ran": True,
            "installed": {"method": "pip in a virtual environment"},
        },
        {"name": "uv", "release": "0.6.7", "path": "/home/user/.local/bin/uv", "ran": False},
    ]
    members = [member for member in SEED.members if member.path != "facts/uv.json"]
    text = render.issue(
        replace(SEED, members=(*members, facts("python", python), facts("uv", {"found": found})))
    )
    lines = text.partition("**What matters")[2].partition("<details>")[0].strip().split("\n")[2:]
    assert all(line.startswith("- ") for line in lines)
    assert len(lines) <= 16
    assert (
        "- uv: 0.6.6, installed with pip in a virtual environment; "
        "also on PATH: 0.6.7 at `/home/user/.local/bin/uv`" in lines
    )
    assert "- Virtual environment: made by uv 0.6.7, **its base is gone**" in lines


# --- the script ---


def script_of(bundle: Bundle) -> str:
    return script_in(render.issue(bundle))


def test_the_script_is_shell() -> None:
    for bundle in (
        SEED,
        torn(),
        replace(SEED, culprits=(), failure=replace(SEED.failure, class_="resolution")),
    ):
        done = subprocess.run(
            ["/bin/sh", "-n"], input=script_of(bundle), text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def torn() -> Bundle:
    """A revision pointer of which only ten bytes were written."""
    member = Member(path="cache/" + REVISION.replace("v8", "v9"), data=REVISION_0_6_7[:10])
    return replace(
        SEED,
        run=replace(SEED.run, uv=replace(SEED.run.uv, release="0.6.8")),
        failure=replace(SEED.failure, class_="cache-corruption"),
        culprits=(
            Culprit(
                path=REVISION.replace("v8", "v9"), kind="revision.rev", state="truncated",
                reason="it ends after 10 bytes", writers="0.6.8..0.12.24", size_bytes=10,
            ),
        ),
        members=tuple(sorted((member, *SEED.members[1:]), key=lambda each: each.path)),
    )  # fmt: skip


# A build that needs nothing from an index, so that these tests need no network.
BACKEND = b"""\
import os, zipfile
INFO = "my_package-0.0.0.dist-info/"
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "my_package-0.0.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as w:
        w.writestr("my_package.py", "")
        w.writestr(INFO + "METADATA", "Metadata-Version: 2.1\\nName: my-package\\nVersion: 0.0.0\\n")
        w.writestr(INFO + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        w.writestr(INFO + "RECORD", "")
    return name
"""
BACKEND_PROJECT = b"""\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "my-package"
dynamic = ["version"]
"""


def offline(bundle: Bundle) -> Bundle:
    kept = [member for member in bundle.members if not member.path.startswith("project/generated")]
    own = [
        Member(path="project/generated/backend.py", data=BACKEND),
        Member(path="project/generated/pyproject.toml", data=BACKEND_PROJECT),
    ]
    return replace(bundle, members=tuple(sorted([*kept, *own], key=lambda member: member.path)))


def test_the_script_for_a_foreign_entry_fails_with_the_same_causes(
    tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    ran = run_draft(render.issue(offline(SEED)), tmp_path, uv_release, shell="sh")
    assert ran.exit_code == 2, ran.output
    # The outermost frame depends on the build backend, which is another one here.
    assert SEED.failure.chain.partition("\n")[2] in ran.last


def test_the_script_for_a_torn_entry_fails_as_that_one_does(
    tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    ran = run_draft(render.issue(offline(torn())), tmp_path, uv_release, shell="sh")
    assert ran.exit_code == 1, ran.output
    assert "failed to fill whole buffer" in ran.last


def test_without_the_damage_the_same_script_passes(tmp_path: Path, uv_release: Callable[[str], Uv]) -> None:
    whole = "\n".join(
        line for line in render.issue(offline(torn())).split("\n") if not line.startswith("for entry")
    )
    assert run_draft(whole, tmp_path, uv_release).exit_code == 0


# As macOS had it before 13: another letter, and the input unread when it is the wrong one.
OLD_MACOS_BASE64 = """\
#!/bin/sh
if [ "$1" = -D ]; then exec /usr/bin/base64 -d; fi
echo "base64: invalid option -- d" >&2
exit 64
"""


@pytest.mark.parametrize("tools", [{}, {"base64": OLD_MACOS_BASE64}], ids=["coreutils", "old macOS"])
def test_the_second_sample_is_reproduced_by_its_text_alone(
    tools: dict[str, str], tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    sample = pack.open_bundle(
        str(ROOT / "sample_bundles/uv-cut-sdist-pointer/uv-cut-sdist-pointer.uvreport.zip")
    )
    text = render.issue(sample)
    assert "/vendor/acme_parser-4.1.0.tar.gz\n" in script_in(text)
    assert "only in the attached bundle" not in text
    ran = run_draft(text, tmp_path, uv_release, tools=tools)
    assert alike(sample, ran), ran.output
    assert "failed to fill whole buffer" in ran.last


@pytest.mark.parametrize("name", ["interpreter_is_directory", "missing_module"])
def test_what_collect_writes_is_reproduced_by_its_text_alone(
    name: str, failing: Callable[[str], State], tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    _, said, error = collect(failing(name), tmp_path / "out")
    assert said, error
    ran = run_draft(Path(said["issue"]).read_text(encoding="utf-8"), tmp_path / "draft", uv_release)
    assert alike(pack.open_bundle(said["bundle"]), ran), ran.output


def test_a_pointer_into_nothing_is_made_by_taking_away_what_it_points_at() -> None:
    # Its own bytes would not do: they name the time of a file on another machine.
    pointer = {"archive": {"id": "awmmQ2MJJOp9kTBg", "filename": "rpds_py-0.27.1-py3-none-any.whl"}}
    path = "wheels-v8/url/a0942a7ed7ca8849/rpds-py/0.27.1-py3-none-any.rev"
    culprit = Culprit(
        path=path,
        kind="archive pointer, local",
        state="dangling",
        reason="it names what is not there",
        decoded=pointer,
    )
    text = script_of(
        replace(SEED, culprits=(culprit,), members=(*SEED.members, Member(path=f"cache/{path}", data=b"x")))
    )
    assert (
        'for entry in "$W"/cache/archive-v*/*/rpds_py-0.27.1.dist-info; do rm -rf "${entry%/*}"; done' in text
    )


def test_an_environment_that_the_command_names_is_made_under_that_name() -> None:
    run = replace(SEED.run, argv=("uv", "pip", "install", "docopt", "--python", "venv-2"))
    places = replace(SEED.places, venv=f"{SEED.places.cwd}/venv-2")
    text = script_of(replace(torn(), run=run, places=places))
    assert text.count(' venv --cache-dir "$W/cache" "$W"/project/venv-2\n') == 2
    assert 'rm -rf "$W"/project/venv-2\n' in text
    assert ".venv" not in text


def test_an_entry_that_is_put_back_may_be_stale_by_now_and_so_is_read_offline() -> None:
    path = "simple-v21/index/3d53b413c0ccb7e0/acme.rkyv"
    bundle = replace(
        SEED, cure=(path,), culprits=(replace(SEED.culprits[0], path=path, state="garbage"),),
        run=replace(SEED.run, env={"UV_INDEX_URL": "http://127.0.0.1:31193/simple/"}),
        members=(
            *(member for member in SEED.members if not member.path.startswith("cache/")),
            Member(path=f"cache/{path}", data=b"\xff" * 30),
        ),
    )  # fmt: skip
    assert " --offline " in script_of(bundle).splitlines()[-1]
    assert "--offline" not in script_of(SEED)


def test_small_files_that_are_no_text_are_in_the_script_up_to_a_sum() -> None:
    import random

    noise = random.Random(7)
    large, *small = (
        Member(path=f"project/{n}.bin", data=noise.randbytes(n)) for n in (4_001, 3_000, 3_001, 3_002)
    )
    text = render.issue(replace(SEED, members=(*SEED.members, large, *small)))
    assert "2 files of the project are too large for this text and only in the attached bundle" in text
    assert 'unbase64 > "$W"/project/3000.bin' in text
    assert 'unbase64 > "$W"/project/3001.bin' in text
    assert "`project/3002.bin`" in text
    assert "`project/4001.bin`" in text


def test_bytes_that_the_script_has_are_not_shown_again() -> None:
    import base64

    text = render.issue(torn())
    assert text.count(base64.b64encode(REVISION_0_6_7[:10]).decode()) == 1


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (
            ("Failed to parse `uv.lock`", "TOML parse error at line 5 | 5 | [[package]] | ^^^ missing field `version`"),
            "Failed to parse uv.lock: missing field version",
        ),
        (
            ("TOML parse error at line 5 | 5 |   'rich', |   ^ missing comma between array elements, expected `,`",),
            "TOML parse error: missing comma between array elements, expected ,",
        ),
        (("Hash mismatch for `acme-sdk==1.2.0` Expected: sha256:07fc Computed: sha256:b454",), "Hash mismatch for …"),
        (("Failed to spawn: `pytest-nope`", "No such file or directory (os error 2)"), "Failed to spawn: pytest-nope"),
    ],
)  # fmt: skip
def test_a_title_says_what_is_wrong_and_not_on_which_line(frames: tuple[str, ...], said: str) -> None:
    failure = replace(SEED.failure, class_="command", frames=frames)
    assert f"fails with `{said}`" in render.title(replace(SEED, culprits=(), cure=(), failure=failure))


@pytest.mark.parametrize(
    ("class_", "frames", "said"),
    [
        (
            "network",
            ("Request failed after 3 retries", "Failed to fetch: `https://a.example/x/`", "client error (Connect)",
             "tcp connect error", "Connection refused (os error 111)"),
            "Connection refused",
        ),
        (
            "index",
            ("Request failed after 1 retry", "Failed to fetch: `http://a.example/simple/x/`",
             "HTTP status server error (500 Internal Server Error) for url (http://a.example/simple/x/)"),
            "HTTP status server error (500 Internal Server Error)",
        ),
        (
            "git",
            ("Failed to download and build `a @ git+file:///r`", "Git operation failed",
             "failed to clone into: /c/git-v0/db/1",
             "failed to fetch tag `v9`", "process didn't exit successfully: `/usr/bin/git fetch`"),
            "failed to fetch tag v9",
        ),
        (
            "config",
            ("failed to open file `/etc/corp/uv.toml`: No such file or directory (os error 2)",),
            "failed to open file uv.toml: No such file or directory",
        ),
        (
            "project",
            ("Failed to read `--find-links` directory: /home/user/w", "No such file or directory (os error 2)"),
            "Failed to read --find-links directory: …",
        ),
    ],
)  # fmt: skip
def test_a_title_says_what_happened_and_not_that_something_was_asked_for(
    class_: str, frames: tuple[str, ...], said: str
) -> None:
    failure = replace(SEED.failure, class_=class_, frames=frames)
    assert f"fails with `{said}`" in render.title(replace(SEED, culprits=(), cure=(), failure=failure))


def test_a_title_of_a_failed_build_has_the_exception() -> None:
    chain = (
        "  x Failed to build `a @ file:///p`\n  |-> The build backend returned an error\n"
        "  `-> Call to `b.build_wheel` failed (exit status: 1)\n\n      [stderr]\n      Traceback (most recent call last):\n"
        "      RuntimeError: geo.h not found\n"
    )
    frames = ("Failed to build `a`", "The build backend returned an error", "Call to `b.build_wheel` failed")
    failure = replace(SEED.failure, class_="build", frames=frames, chain=chain)
    assert "fails with `RuntimeError: geo.h not found`" in render.title(
        replace(SEED, culprits=(), cure=(), failure=failure)
    )


def test_a_title_names_what_the_cache_lost() -> None:
    gone = replace(SEED, culprits=(), cure=(), missing=("archive-v0/JOJoMVp7C4sdYFht/acme/RECORD",))
    assert render.title(gone).endswith(": the cache lost `RECORD` (uv 0.6.6)")
    whole = replace(gone, missing=("archive-v0/JOJoMVp7C4sdYFht",))
    assert render.title(whole).endswith(": the cache lost an unpacked wheel (uv 0.6.6)")


def test_what_is_not_known_of_the_installation_is_not_said() -> None:
    found = [{"name": "uv", "release": "0.6.6", "ran": True, "installed": {"method": "unknown"}}]
    members = [member for member in SEED.members if member.path != "facts/uv.json"]
    text = render.issue(replace(SEED, members=(*members, facts("uv", {"found": found}))))
    assert "- uv: 0.6.6, the only uv on PATH" in text


def test_a_size_is_said_once() -> None:
    assert told(torn()).count("10 bytes") == 1


def test_a_success_that_is_none_is_told_as_such() -> None:
    silent = replace(
        SEED,
        run=replace(SEED.run, exit_code=0),
        triage="With `--no-cache` the command passes: the cache is to blame.",
    )
    assert "goes wrong the same way. With `--no-cache` what it installs is whole: the cache" in told(silent)


def test_the_files_that_the_script_writes_are_the_members(tmp_path: Path) -> None:
    odd = (
        Member(path="project/a b.txt", data=b"it's $HOME `x` \\ EOF\nEOF\nEOF_0\n"),
        Member(path="project/bin.dat", data=bytes(range(256))),
        Member(path="project/mostly zeros.tar", data=b"\xff" + bytes(10_000)),
        Member(path="project/crlf.txt", data=b"a\r\nb\r\n"),
        Member(path="project/empty.txt"),
        Member(path="project/no newline", data=b"x"),
        Member(path="project/pyproject.toml", data=PYPROJECT),
        Member(path="project/s/setup.py", data=SETUP_PY),
        Member(path="project/s/ticks.md", data=b"```\n````\n"),
        Member(path="project/s/\u202egnp", data=b"x"),
    )
    text = script_of(replace(SEED, members=odd))
    files = text[: text.index('\ncd "$W"')] + '\necho "$W"\n'
    done = subprocess.run(["/bin/sh"], input=files, text=True, capture_output=True, check=True)
    place = Path(done.stdout.strip())
    try:
        for member in odd[:-1]:
            assert (place / member.path).read_bytes() == member.data, member.path
    finally:
        shutil.rmtree(place)


def test_a_wheel_that_is_there_by_name_only_is_made_up_with_what_it_required(
    tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    project = b"""\
[project]
name = "platform"
version = "1"
requires-python = ">=3.9"
dependencies = ["acme-api", "acme-worker"]
[tool.uv]
package = false
no-index = true
find-links = ["wheelhouse"]
"""
    names = ("acme_api-2.0", "acme_worker-3.1", "acme_core-1.9", "acme_core-2.3")
    wheels = [f"project/wheelhouse/{name}-py3-none-any.whl" for name in names]
    log = (
        "DEBUG Adding transitive dependency for acme-api==2.0: acme-core>=1.dev0, <2.dev0\n"
        "DEBUG Adding transitive dependency for acme-worker==3.1: acme-core>=2\n"
    )
    unsolvable = replace(
        SEED, culprits=(), cure=(),
        failure=replace(SEED.failure, class_="resolution"),
        run=replace(SEED.run, argv=("uv", "lock"), exit_code=1, stderr=log),
        members=(
            Member(path="project/pyproject.toml", data=project),
            *(Member(path=path) for path in wheels),
            facts("project", {"stand_ins": wheels}),
        ),
    )  # fmt: skip
    text = render.issue(unsolvable)
    assert "Beside uv it needs python3." in text
    ran = run_draft(text, tmp_path, uv_release, shell="sh")
    assert ran.exit_code == 1, ran.output
    said = " ".join(ran.last.replace("╰─▶", " ").split())
    assert "acme-worker" in said
    assert "acme-core" in said
    assert "unsatisfiable" in said


def test_an_entry_of_a_private_index_is_put_back_itself() -> None:
    path = "simple-v21/index/3d53b413c0ccb7e0/acme.rkyv"
    bundle = replace(
        SEED, cure=(path,), culprits=(replace(SEED.culprits[0], path=path, state="garbage"),),
        run=replace(SEED.run, env={"UV_INDEX_URL": "http://account1:redacted2@127.0.0.1:31193/simple/"}),
        members=(
            *(member for member in SEED.members if not member.path.startswith("cache/")),
            Member(path=f"cache/{path}", data=b"\xff" * 30),
        ),
    )  # fmt: skip
    text = script_of(bundle)
    assert f'unbase64 > "$W"/cache/{path} <<' in text
    assert text.count("uvx uv@") == 1
    # As a variable it would also be where uvx looks for uv.
    assert "export UV_INDEX_URL" not in text
    assert "--index-url http://account1:redacted2@127.0.0.1:31193/simple/" in text


def test_an_index_that_nobody_else_reaches_is_said_to_be_no_part_of_the_text() -> None:
    indexes = [{"url": "https://<9 characters: lower>:<5 characters: lower>@pypi.corp.example/simple/"}]
    text = render.issue(
        replace(
            SEED, culprits=(), cure=(), failure=replace(SEED.failure, class_="index"),
            members=(*SEED.members, facts("sources", {"indexes": indexes})),
        )
    )  # fmt: skip
    assert "It needs `https://pypi.corp.example/simple/`, which is no part of this text" in text
    assert "should end with" not in text
    assert "`https://***@pypi.corp.example/simple/`" in text


def test_the_script_puts_its_own_home_in_the_place_of_the_person_s(tmp_path: Path) -> None:
    named = PYPROJECT.replace(b'"generated"', b'"/home/user/project/generated"')
    members = (Member(path="project/pyproject.toml", data=named),)
    text = script_of(replace(SEED, members=members, culprits=(), cure=()))
    files = text[: text.index('\ncd "$W"')] + '\necho "$W"\n'
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(["/bin/sh"], input=files, text=True, capture_output=True, check=True, env=env)
    place = done.stdout.strip()
    assert f'path = "{place}/project/generated"' in (Path(place) / "project/pyproject.toml").read_text()


def test_a_lockfile_is_in_the_script_only_where_the_command_needs_it() -> None:
    members = (
        *SEED.members,
        Member(path="project/uv.lock", data=b"version = 1\n"),
        facts("lockfile", {"source_kinds": {"directory": 1}}),
    )
    plain = replace(SEED, members=members)
    frozen = replace(plain, run=replace(SEED.run, argv=("uv", "sync", "--frozen")))
    assert "uv.lock" not in script_of(plain)
    assert "uv.lock" in script_of(frozen)


def test_what_is_too_large_for_the_script_is_named() -> None:
    big = Member(path="project/big.py", data=b"x = 1\n" * 5_000)
    text = render.issue(replace(SEED, members=(*SEED.members, big)))
    assert "too large for this text and only in the attached bundle: `project/big.py`" in text


# --- nothing gets out ---

EVIL = [
    "```\n# out\n@octocat fixes #1 GH-1 org/repo#2 <script>alert(1)</script>\n```", "````````````````````",
    "~~~\n</details>\n### Platform\n", "<details><summary>x</summary>", "<!-- ", "`", "``", "` `` ```",
    "@octocat", "fixes #1", "closes astral-sh/uv#1", "https://evil.example/@x",
    "![x](https://evil.example/x.png)", "[x]: https://evil.example", "| a | b |\n|---|---|\n| 1 | 2 |",
    "> quote", "1. one", "    code", "***", "- [ ] x",
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07", "\u202eevil\u202c",
    "\u2066x\u2069", "\x00\x07\x08", "a\rb\r\nc", "&#64;octocat &lt;b&gt;", "\\", "\\`", "$(rm -rf /)",
    "'; rm -rf /; '", "EOF\nrm -rf /\n", "\u2028# x", "😀" * 50, "\ud800",
]  # fmt: skip


def poisoned(text: str, base: Bundle = SEED) -> Bundle:
    """The seed with `text` everywhere that a stranger can write."""
    data = text.encode("utf-8", "surrogatepass")
    encodable = text.encode("utf-8", "replace").decode()
    return replace(
        base,
        created=text,
        tool=text,
        platform=text,
        triage=text,
        missing=(text,),
        cure=(text,),
        run=replace(
            base.run,
            argv=("uv", "run", text), env={"UV_X": text, text: text}, stderr=LOG + text, stdout=text,
            uv=replace(base.run.uv, release=text, version_text=text), cwd=text,
        ),
        failure=replace(base.failure, class_=text, chain=text, frames=(text, "x " + text), packages=(text,)),
        culprits=(
            replace(
                base.culprits[0], path=text, kind=text, state=text, reason=text, writers=text, confirmed=text,
                decoded={text: [text]},
            ),
            replace(base.culprits[0], path=REVISION, reason=text, decoded=text),
        ),
        gaps=(Gap(what=text, why=text),),
        redactions=(Redaction(member=text, offset=0, rule=text, placeholder=text),),
        proof=Proof(verdict="DIFFERENT", uv=text, reason=text),
        members=(
            *base.members,
            Member(path=f"project/{text}", data=data),
            Member(path="project/evil.txt", data=data),
            Member(path="project/link", kind="link", target=text),
            facts("settings", {encodable: encodable, "list": [encodable, {encodable: encodable}]}),
            facts("lockfile", {"excerpt": encodable}),
            facts("cache-entries", [encodable]),
            facts("python", {"chosen": {"version": encodable}}),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_text_stays_where_it_is_put(evil: str) -> None:
    bundle = poisoned(evil)
    assert_nothing_gets_out(render.issue(bundle, file_name=f"x{evil}y.uvreport.zip".replace("/", "")))
    title = render.title(bundle)
    assert render.units(title) <= render.TITLE_LIMIT
    assert "\n" not in title
    assert title.isprintable()
    for line in render.summary(bundle):
        assert line.isprintable() or "\ufffd" in line, repr(line)


HOSTILE = st.lists(
    st.sampled_from(EVIL) | st.text(max_size=30) | st.text(alphabet="`~#<>@|-*\n \\$'\"(){}[]!", max_size=40),
    max_size=8,
).map("".join)


@given(HOSTILE)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_document_is_the_intended_one_for_any_text(text: str) -> None:
    assert_nothing_gets_out(render.issue(poisoned(text)))
    assert render.units(render.title(poisoned(text))) <= render.TITLE_LIMIT


@given(HOSTILE)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_script_stays_shell_for_any_text(text: str) -> None:
    bundle = replace(
        SEED,
        run=replace(SEED.run, argv=("uv", "run", "x", text)),
        members=(*SEED.members, Member(path="project/evil.txt", data=text.encode("utf-8", "surrogatepass"))),
    )
    script = render.script(bundle, 14_000).text
    if "\x00" in text or "\ud800" in script:
        return
    done = subprocess.run(["/bin/sh", "-n"], input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "x" * 300_000,
        "`" * 200_000,
        "```\n" * 60_000,
        "😀" * 100_000,
        "line\n" * 300_000,
        "a b\n\n" * 100_000,
        "\x1b" * 50_000,
    ],
    ids=["one line", "ticks", "fences", "astral", "lines", "blanks", "escapes"],
)
def test_the_body_never_exceeds_the_limit(text: str) -> None:
    body = render.issue(poisoned(text))
    assert render.units(body) <= render.ISSUE_LIMIT
    assert_nothing_gets_out(body)


def test_hundreds_of_everything_stay_below_the_limit() -> None:
    many = replace(
        SEED,
        culprits=SEED.culprits * 300,
        missing=("a/" * 400,) * 300,
        cure=("b/" * 400,) * 300,
        gaps=tuple(Gap(what=f"thing {n}", why="it was not there " * 20) for n in range(500)),
        redactions=tuple(
            Redaction(member="m", offset=n, rule=f"rule-{n}", placeholder="x") for n in range(500)
        ),
        run=replace(SEED.run, env={f"UV_A{n}": "1" for n in range(500)}, stderr=LOG * 1000),
        members=(
            *(Member(path=f"project/f{n:04}.py", data=b"x = 1\n" * 50) for n in range(500)),
            facts("cache", {f"k{n}": "v" * 300 for n in range(500)}),
            facts("settings", {f"k{n}": "v" * 300 for n in range(500)}),
            facts("lockfile", {"excerpt": "x = 1\n" * 5000}),
        ),
    )
    body = render.issue(many)
    assert_nothing_gets_out(body)
    assert render.units(body) > 40_000


def test_a_long_log_is_cut_in_its_middle_and_says_so() -> None:
    log = "".join(f"DEBUG line {n}\n" for n in range(20_000)) + SEED.failure.chain
    body = render.issue(replace(SEED, run=replace(SEED.run, stderr=log)))
    assert "DEBUG line 0\n" in body
    assert body.count("array had incorrect length") == 2
    assert re.search(r"\[\.\.\. \d+ lines left out here \.\.\.\]", body)
    assert render.units(body) > 50_000


# --- the page ---


class Page(html.parser.HTMLParser):
    """What is in a page: its elements, their attributes, its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "div", "p", "h1", "h2", "h3", "nav", "a", "main",
    "section", "code", "pre", "span", "br", "ol", "li", "details", "summary", "table", "thead", "tbody", "tr", "th",
    "td", "footer",
}  # fmt: skip


@pytest.mark.parametrize(
    "bundle", [SEED, torn(), replace(SEED, culprits=(), members=(), proof=None), *map(poisoned, EVIL)]
)
def test_the_page_needs_nothing_and_runs_nothing(bundle: Bundle) -> None:
    text = render.report_html(bundle)
    page = Page(text)
    assert page.open == []
    for tag, attributes in page.elements:
        assert tag in ALLOWED, tag
        for name, value in attributes.items():
            assert name in {
                "lang",
                "charset",
                "http-equiv",
                "content",
                "name",
                "class",
                "id",
                "href",
                "open",
                "colspan",
                "tabindex",
                "scope",
                "aria-label",
            }
            assert name != "href" or (value or "").startswith("#")
    assert (
        "meta",
        {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"},
    ) in page.elements
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert not any(unicodedata.category(char) == "Cc" and char not in "\n\t" for char in text)


def test_what_is_quoted_is_code_on_the_page_and_nothing_else_is_markup() -> None:
    reason = "it says `<b>x</b>` & `y`"
    text = render.report_html(replace(SEED, culprits=(replace(SEED.culprits[0], reason=reason),)))
    assert (
        "<h1><code>uv run</code> fails with <code>Failed to deserialize cache entry</code>: revision.rev"
        in text
    )
    assert "it says <code>&lt;b&gt;x&lt;/b&gt;</code> &amp; <code>y</code>" in text
    assert "&lt;code&gt;" not in text


def test_every_heading_of_a_table_says_what_it_is_of() -> None:
    page = Page(render.report_html(SEED))
    assert all("scope" in attributes for tag, attributes in page.elements if tag == "th")


def test_the_page_links_only_to_what_it_has() -> None:
    page = Page(render.report_html(SEED))
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = {attributes["href"] for _, attributes in page.elements if "href" in attributes}
    assert links == {f"#{name}" for name in ids}


def test_the_page_has_failure_proof_culprit_cure_members_and_marked_errors() -> None:
    text = render.report_html(SEED)
    page = Page(text)
    for part in ("REPRODUCED", "array had incorrect length, expected 4", REVISION,
                 "can have been written by uv 0.6.7",
                 "git is not on PATH", "facts/system.json", "92 95 92 ce"):  # fmt: skip
        assert part in page.text
    import hashlib

    for member in SEED.members:
        assert member.kind != "file" or hashlib.sha256(member.data).hexdigest() in page.text
    assert '<span class="error">error: Failed to generate package metadata' in text


def test_a_page_with_a_huge_log_stays_small_enough_to_send() -> None:
    log = "".join(f"TRACE line {n} of a very long log\n" for n in range(400_000))
    text = render.report_html(replace(SEED, run=replace(SEED.run, stderr=log)))
    assert len(text) < 2_000_000
    assert "left out here" in text


# --- templates ---


def test_the_templates_are_found_in_a_checkout_and_in_a_wheel(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "LICENSE", "src", "templates"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)
    (tree / "README.md").write_text("uvreport\n")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=tree, check=True, capture_output=True)
    wheel = next((tmp_path / "dist").glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    shutil.rmtree(tree / "dist", ignore_errors=True)
    program = (
        "import sys; from uvreport import pack, render; b = pack.open_bundle(sys.argv[1]);"
        "print(render.__file__); print(render.issue(b)); render.report_html(b)"
    )
    bundle = tmp_path / "x.zip"
    bundle.write_bytes(pack.write(SEED, "", ""))
    others = [path for path in sys.path if path and not path.startswith(str(ROOT))]
    for place in (tree / "src", tmp_path / "installed"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(bundle)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(place), *others])},
            cwd=tmp_path, text=True, capture_output=True, check=True,
        )  # fmt: skip
        where, _, text = done.stdout.partition("\n")
        assert where == str(place / "uvreport" / "render" / "__init__.py")
        assert text.strip() == render.issue(SEED).strip()


def test_importing_render_does_not_import_jinja2() -> None:
    program = (
        "import sys, uvreport.render, uvreport.pack;"
        "print([name for name in ('jinja2', 'zstandard') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
