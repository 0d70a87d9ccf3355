from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import uvreport
from uvreport.cache import buckets
from uvreport.cache.buckets import ReleaseRange


def test_the_bucket_of_a_release_is_the_one_that_its_source_names() -> None:
    assert buckets.bucket("sdists", "0.6.6") == buckets.bucket("sdists", "0.6.7") == "sdists-v8"
    assert buckets.bucket("sdists", "0.6.8") == "sdists-v9"
    assert buckets.bucket("simple", "0.11.30") == "simple-v24"
    assert buckets.bucket("git", "0.13.9") == "git-v2"


def test_sdists_were_built_wheels_before_0_4_13() -> None:
    assert buckets.bucket("sdists", "0.4.12") == "built-wheels-v3"
    assert buckets.kind_of("built-wheels-v3") == buckets.kind_of("sdists-v4") == "sdists"


def test_a_kind_that_a_release_does_not_have_yet_is_none() -> None:
    assert buckets.bucket("python", "0.6.6") is None


def test_a_bucket_of_a_future_version_is_known_by_its_kind_only() -> None:
    assert buckets.kind_of("sdists-v99") == "sdists"
    assert buckets.releases_of("sdists-v99") is None
    assert buckets.kind_of("somebody-elses") is None


def test_a_release_newer_than_the_table_uses_the_newest_buckets_and_is_said_to_be_unknown() -> None:
    assert buckets.bucket("sdists", "0.99.0") == buckets.bucket("sdists", buckets.NEWEST)
    assert not buckets.is_known("0.99.0")
    assert buckets.is_known(buckets.NEWEST)


def test_releases_are_ordered_as_numbers_and_none_is_missing() -> None:
    known = buckets.releases()
    assert list(known) == sorted(known, key=buckets.version_key)
    assert known.index("0.9.19") + 1 == known.index("0.9.20")
    assert known.index("0.1.9") < known.index("0.1.10")


def test_every_release_is_in_exactly_one_bucket_of_a_kind() -> None:
    for release in buckets.releases():
        held = [name for name in _names("wheels") if release in (buckets.releases_of(name) or ())]
        assert held == [buckets.bucket("wheels", release)]


def _names(kind: str) -> list[str]:
    return sorted({str(buckets.bucket(kind, release)) for release in buckets.releases()})


def test_a_range_is_printed_as_it_is_said() -> None:
    assert str(ReleaseRange("0.6.7", "0.6.7")) == "0.6.7"
    assert str(ReleaseRange("0.6.0", "0.6.6")) == "0.6.0..0.6.6"


def test_ranges_intersect_by_number_not_by_letter() -> None:
    assert ReleaseRange("0.6.8", "0.12.24").intersect(ReleaseRange("0.6.7", "0.11.8")) == ReleaseRange(
        "0.6.8", "0.11.8"
    )
    assert ReleaseRange("0.1.0", "0.1.9").intersect(ReleaseRange("0.1.10", "0.2.0")) is None
    assert "0.12.5" in ReleaseRange("0.9.0", "0.12.24")
    assert "0.6.8" not in ReleaseRange("0.6.0", "0.6.7")


def test_a_range_that_ends_with_the_newest_release_holds_what_comes_after() -> None:
    assert "0.99.0" in buckets.since("0.13.0")
    assert "0.99.0" not in ReleaseRange("0.13.0", "0.13.8")


def test_what_is_no_release_is_refused() -> None:
    with pytest.raises(ValueError, match="not a uv release"):
        buckets.version_key("")


def test_loading_the_table_takes_under_five_milliseconds() -> None:
    code = (
        "import time, msgspec; a = time.process_time(); from uvreport.cache import buckets; "
        "buckets.bucket('sdists', '0.6.6'); print(time.process_time() - a)"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(uvreport.__file__).parent.parent)}
    took = min(float(subprocess.check_output([sys.executable, "-c", code], env=env)) for _ in range(5))
    assert took < 0.005


def test_a_look_up_does_not_scan_anew() -> None:
    buckets.bucket("sdists", "0.6.6")
    begin = time.process_time()
    for _ in range(10_000):
        buckets.bucket("sdists", "0.6.6")
    assert time.process_time() - begin < 0.1
