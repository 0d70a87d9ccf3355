"""Who wrote an entry: real releases write, and each is asked for among the releases that can have written it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cache.written import Sources, sources, write_entries
from tests.failing_states.state import served
from tests.stories import uvreport
from uvreport.cache import trailer
from uvreport.cache.buckets import ReleaseRange, bucket, releases, releases_of, version_key
from uvreport.cache.examine import Finding, examine, walk
from uvreport.cache.mixture import mixed, mixed_around

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from uvreport.bundle import Uv

WRITERS = ("0.4.11", "0.5.18", "0.6.6", "0.6.7", "0.7.22", "0.9.30", "0.12.3", "0.12.24", "0.13.9")
STEPS = ("venv", "tree", "sdist file", "wheel file", "wheel of an index", "with")


@pytest.fixture(scope="session")
def served_sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    folder = tmp_path_factory.mktemp("sources").resolve()
    sources(folder)
    with served(folder) as url:
        yield Sources(folder=folder, url=url)


@pytest.fixture(scope="session")
def written(
    tmp_path_factory: pytest.TempPathFactory, served_sources: Sources, uv_release: Callable[[str], Uv]
) -> Callable[[str], Path]:
    """Gives the cache that one release filled, as `written("0.6.7")`."""
    caches: dict[str, Path] = {}

    def write(release: str) -> Path:
        if release not in caches:
            root = tmp_path_factory.mktemp("written").resolve()
            caches[release], failed = write_entries(root, uv_release(release), served_sources, STEPS)
            assert failed == {}
        return caches[release]

    return write


def entries(cache: Path) -> list[Finding]:
    return [examine(str(cache), path, "") for path in walk(str(cache))]


@pytest.mark.parametrize("release", WRITERS)
def test_the_true_writer_is_in_the_range_of_every_entry(release: str, written: Callable[[str], Path]) -> None:
    found = [entry for entry in entries(written(release)) if entry.writers]
    assert {"revision pointer, local", "archive pointer, local", "archive pointer, http", "interpreter"} <= {
        entry.kind for entry in found
    }
    assert [entry.path for entry in found if entry.writers and release not in entry.writers] == []


@pytest.mark.parametrize("release", ["0.6.7", "0.12.24"])
def test_no_range_leaves_the_releases_of_the_bucket(release: str, written: Callable[[str], Path]) -> None:
    for entry in entries(written(release)):
        span = releases_of(entry.path.partition("/")[0])
        if span and entry.writers:
            assert entry.writers.intersect(span) == entry.writers


def test_a_revision_with_five_fields_in_sdists_v8_is_by_one_release_exactly(
    written: Callable[[str], Path],
) -> None:
    found = [e for e in entries(written("0.6.7")) if e.path.endswith("revision.rev")]
    assert {str(entry.writers) for entry in found} == {"0.6.7"}


@pytest.mark.parametrize("release", ["0.6.7", "0.12.24"])
def test_an_environment_names_the_release_that_made_it(release: str, written: Callable[[str], Path]) -> None:
    found = entries(written(release))
    links = [e for e in found if e.path.startswith("environments-") and e.kind == "link to an archive"]
    environments = [e for e in found if e.decoded == {"environment": True}]
    assert links
    assert environments
    assert {str(entry.writers) for entry in (*links, *environments)} == {release}


@pytest.mark.parametrize(
    ("release", "expected"),
    [("0.4.11", "0.4.8..0.4.30"), ("0.6.7", "0.6.4..0.7.17"), ("0.7.22", "0.7.18..0.8.6"), ("0.12.3", "0.11.17..0.12.3")],
)  # fmt: skip
def test_the_digest_that_an_interpreter_is_filed_under_narrows_its_range(
    release: str, expected: str, written: Callable[[str], Path]
) -> None:
    found = [e for e in entries(written(release)) if e.kind == "interpreter"]
    assert {str(entry.writers) for entry in found} == {expected}


def test_an_interpreter_that_names_an_impossible_path_is_attributed_by_what_else_it_shows(
    written: Callable[[str], Path], tmp_path: Path
) -> None:
    cache = written("0.7.22")
    (path, *_) = (e.path for e in entries(cache) if e.kind == "interpreter")
    entry = msgspec.msgpack.decode((cache / path).read_bytes())
    for executable in ("/a\0b", "/" + "x" * 100_000, "relative"):
        entry[1][9] = executable
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(msgspec.msgpack.encode(entry))
        assert str(examine(str(tmp_path), path, "").writers) == "0.6.4..0.8.6"


def made(root: Path, path: str, data: bytes = b"") -> Finding:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data)
    return examine(str(root), path, "")


def test_a_lock_of_one_wheel_is_by_a_release_that_makes_such_locks(tmp_path: Path) -> None:
    assert str(made(tmp_path, "wheels-v6/pypi/a/1-py3-none-any.lock").writers) == "0.12.8..0.12.24"
    assert str(made(tmp_path, "sdists-v9/pypi/a/1/.lock").writers) == "0.6.8..0.12.24"


def test_a_fetched_wheel_without_a_hash_is_by_a_release_that_does_not_always_hash(
    written: Callable[[str], Path], tmp_path: Path
) -> None:
    cache = written("0.12.24")
    (whole,) = (e.path for e in entries(cache) if e.kind == "archive pointer, http")
    policy = trailer.split((cache / whole).read_bytes()).policy
    value: list[Any] = ["0123456789abcdef", [], "a-1-py3-none-any.whl", 0]
    path = "wheels-v6/pypi/a/1-py3-none-any.http"
    bare = made(tmp_path, path, trailer.join(msgspec.msgpack.encode(value), policy, "old"))
    assert str(bare.writers) == "0.11.9..0.11.18"
    value[1] = [["Sha256", "00"]]
    hashed = made(tmp_path, path, trailer.join(msgspec.msgpack.encode(value), policy, "old"))
    assert str(hashed.writers) == "0.11.9..0.11.33"


# Mixtures.


@pytest.mark.parametrize("release", WRITERS)
def test_what_one_release_wrote_is_no_mixture(release: str, written: Callable[[str], Path]) -> None:
    assert mixed((entry.path, entry.writers) for entry in entries(written(release))) == ()


def test_a_bucket_that_two_releases_wrote_is_told_with_both(
    tmp_path: Path, served_sources: Sources, uv_release: Callable[[str], Uv]
) -> None:
    first, _ = write_entries(tmp_path, uv_release("0.6.6"), served_sources, ("venv", "tree"))
    cache, _ = write_entries(tmp_path, uv_release("0.6.7"), served_sources, ("venv", "editable"))
    assert first == cache
    (newer,) = (e.path for e in entries(cache) if str(e.writers) == "0.6.7" and "revision" in e.path)
    (mixture,) = mixed_around(str(cache), [newer])
    assert mixture.bucket == "sdists-v8"
    assert [str(one.writers) for one in mixture.writings] == ["0.6.0..0.6.6", "0.6.7"]
    assert mixture.writings[1].example == newer

    words = ("check", "--cache-dir", str(cache), "--uv", "0.6.6")
    told = uvreport(*words, "--json", env=dict(os.environ), cwd=tmp_path)
    assert told.returncode == 1, told.stderr
    (ranges,) = (one["ranges"] for one in json.loads(told.stdout)["mixed"])
    assert [one["writers"] for one in ranges] == ["0.6.0..0.6.6", "0.6.7"]
    said = uvreport(*words, env=dict(os.environ), cwd=tmp_path).stdout
    assert "sdists-v8 was written by more than one release: " in said


SPANS = (
    st.tuples(*2 * [st.sampled_from(releases())])
    .map(lambda pair: sorted(pair, key=version_key))
    .map(lambda pair: ReleaseRange(*pair))
)


@given(st.lists(SPANS, max_size=12), st.sampled_from(releases()))
def test_ranges_that_share_a_release_are_never_a_mixture(spans: list[ReleaseRange], shared: str) -> None:
    meeting = [span for span in spans if shared in span]
    name = bucket("sdists", "0.6.7")
    assert mixed((f"{name}/path/{n}", span) for n, span in enumerate(meeting)) == ()


@given(st.lists(SPANS, min_size=1, max_size=12))
def test_the_writings_of_a_mixture_do_not_meet_and_explain_every_entry(spans: list[ReleaseRange]) -> None:
    for mixture in mixed((f"sdists-v8/path/{n}", span) for n, span in enumerate(spans)):
        ranges = [one.writers for one in mixture.writings]
        assert all(a.intersect(b) is None for a in ranges for b in ranges if a != b)
        assert all(any(span.intersect(one) == one for one in ranges) for span in spans)
        assert sum(one.entries for one in mixture.writings) == len(spans)
