from __future__ import annotations

import fnmatch
import hashlib
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.failing_states import CACHE_STATES
from uvreport.cache.buckets import bucket
from uvreport.cache.examine import (
    Finding,
    entry_kinds,
    examine,
    find,
    kind_at,
    neighbours,
    shard_of,
    walk,
)
from uvreport.cache.keys import candidates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cache.conftest import Machine
    from tests.failing_states.state import State

TIME = [1_700_000_000, 1]
ID21, ID16 = "TStAaiZEa-23Gr08y0Log", "QeFTOlC9NlZjNKVZ"
D = "7265655f38152283"


def put(root: Path, path: str, content: Any) -> str:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else msgspec.msgpack.encode(content))
    return path


def blamed(root: Path, release: str) -> list[Finding]:
    """What fails, or may be at fault although it decodes; not what that release repairs or never reads."""
    found = [examine(str(root), path, release) for path in walk(str(root))]
    return [finding for finding in found if finding.verdict in {"fatal", "suspicious"}]


def check_blame(found: list[Finding], culprits: list[str], missing: list[str]) -> None:
    """Each finding is a culprit itself, names one as damaged, or names something missing; and none is left over."""
    paths: list[str] = []
    for finding in found:
        paths += finding.damaged or (() if finding.missing else (finding.path,))
    absent = [path for finding in found for path in finding.missing]
    if culprits:
        assert sorted(culprits) == sorted(g for g in culprits if any(fnmatch.fnmatch(p, g) for p in paths))
        assert all(any(fnmatch.fnmatch(p, g) for g in culprits) for p in paths), paths
    if missing and not culprits:
        assert absent
        assert all(any(fnmatch.fnmatch(p, g) for g in missing) for p in absent), absent


@pytest.mark.parametrize("name", CACHE_STATES)
def test_of_a_failing_state_the_culprit_is_blamed_and_nothing_else(
    name: str, failing: Callable[[str], State]
) -> None:
    state = failing(name)
    check_blame(blamed(state.cache, state.fails), list(state.culprits), list(state.missing))


# Format skew.


def test_the_field_that_0_6_7_added_is_foreign_to_0_6_6_and_attributed_to_0_6_7(tmp_path: Path) -> None:
    path = put(
        tmp_path, f"sdists-v8/path/{D}/revision.rev", [[TIME, None, None, {}, {"src": None}], [ID21, []]]
    )
    (tmp_path / f"sdists-v8/path/{D}/{ID21}").mkdir()
    found = examine(str(tmp_path), path, "0.6.6")
    assert (found.verdict, found.state, found.innermost) == (
        "fatal",
        "foreign",
        "array had incorrect length, expected 4",
    )
    assert (
        found.reason
        == "the cache info has 5 fields; uv 0.6.6 reads at most 4 (this is how uv 0.6.7 writes it)"
    )
    assert str(found.writers) == "0.6.7"
    assert found.decoded["cache_info"]["directories"] == {"src": None}
    assert examine(str(tmp_path), path, "0.6.7").verdict == "readable"


def test_metadata_of_0_5_19_is_fatal_to_0_5_18_and_the_pointer_beside_it_is_not(tmp_path: Path) -> None:
    shard = f"sdists-v6/editable/{D}"
    pointer = put(tmp_path, f"{shard}/revision.rev", [[TIME, None, None], [ID21, []]])
    metadata = put(tmp_path, f"{shard}/{ID21}/metadata.msgpack", ["a", "1.0", [], None, [], False])
    assert examine(str(tmp_path), pointer, "0.5.18").verdict == "readable"
    found = examine(str(tmp_path), metadata, "0.5.18")
    assert (found.verdict, found.state, str(found.writers)) == ("fatal", "foreign", "0.5.19..0.5.25")


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (f"built-wheels-v3/path/{D}/revision.rev", [TIME, [ID21, []]], "0.1.32..0.4.7"),
        (f"built-wheels-v3/path/{D}/revision.rev", [[TIME, None], [ID21, []]], "0.4.8..0.4.12"),
        (f"sdists-v4/path/{D}/revision.rev", [[TIME, None], [ID21, []]], "0.4.13..0.4.22"),
        (f"sdists-v4/path/{D}/revision.rev", [[TIME, None, None], [ID21, []]], "0.4.23..0.4.24"),
        (f"sdists-v8/path/{D}/revision.rev", [[TIME, None, None], [ID21, []]], "0.6.0..0.6.6"),
        (f"sdists-v8/path/{D}/revision.rev", [[TIME, None, None, {"A": "b"}], [ID21, []]], "0.6.0..0.6.6"),
        (f"sdists-v9/path/{D}/revision.rev", [[TIME, None, None, {}, {}], [ID21, []]], "0.6.8..0.11.8"),
        (f"sdists-v9/path/{D}/revision.rev", [[TIME, None, None, {}, {}], [ID16, []]], "0.11.9..0.11.33"),
        (f"sdists-v9/path/{D}/revision.rev", [[TIME, None, None, {}, {}], [ID16, [], None]], "0.12.0..0.12.1"),
        (
            f"sdists-v9/path/{D}/revision.rev",
            [[TIME, None, None, {}, {}], {"id": ID16, "hashes": [], "size": None}],
            "0.12.2..0.12.24",
        ),
        (f"sdists-v10/path/{D}/revision.rev", [[TIME, None, None, {}, {}], [ID16, [], None]], "0.13.0..0.13.8"),
        (f"wheels-v5/url/{D}/a/1-py3-none-any.rev", [TIME, [ID21, [], "a-1-py3-none-any.whl", 0]], "0.6.4..0.9.30"),
        (f"wheels-v6/url/{D}/a/1-py3-none-any.rev", [TIME, [ID16, [], "a-1-py3-none-any.whl", 0]], "0.11.9..0.11.33"),
        (f"wheels-v6/url/{D}/a/1-py3-none-any.rev", [TIME, [ID16, [], "a-1-py3-none-any.whl", 0, 5]], "0.12.0..0.12.1"),
    ],
)  # fmt: skip
def test_the_shape_tells_who_wrote_it(tmp_path: Path, path: str, value: Any, expected: str) -> None:
    assert str(examine(str(tmp_path), put(tmp_path, path, value), "").writers) == expected


def test_links_tell_who_made_them_by_their_form(tmp_path: Path) -> None:
    folder = tmp_path / "wheels-v6/pypi/a"
    folder.mkdir(parents=True)
    (folder / "1-py3-none-any").symlink_to(f"../../../archive-v0/{ID16}")
    (folder / "2-py3-none-any").symlink_to(f"/home/user/.cache/uv/archive-v0/{ID16}")
    assert str(examine(str(tmp_path), "wheels-v6/pypi/a/1-py3-none-any", "").writers) == "0.11.17..0.12.24"
    assert str(examine(str(tmp_path), "wheels-v6/pypi/a/2-py3-none-any", "").writers) == "0.11.9..0.11.16"


# Damage.


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (b"", "empty"),
        (bytes(46), "zeroed"),
        (msgspec.msgpack.encode([[TIME, None, None, {}, {}], [ID21, []]])[:10], "truncated"),
        (msgspec.msgpack.encode([[TIME, None, None, {}, {}], [ID21, []]])[:-1], "truncated"),
        (bytes(range(200, 256)), "garbage"),
        (b"<html>502 Bad Gateway</html>", "garbage"),
        (msgspec.msgpack.encode([[TIME, None, None], [ID21, []], 1, 2]), "garbage"),
    ],
)
def test_kinds_of_damage_are_told_apart(tmp_path: Path, data: bytes, state: str) -> None:
    found = examine(str(tmp_path), put(tmp_path, f"sdists-v9/editable/{D}/revision.rev", data), "0.6.8")
    assert (found.state, found.verdict) == (state, "fatal")
    assert found.reason
    assert found.innermost


def test_a_directory_where_a_file_belongs_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / f"interpreter-v4/{D}/{D}.msgpack").mkdir(parents=True)
    (path,) = walk(str(tmp_path))
    assert examine(str(tmp_path), path, "0.9.30").state == "wrong-kind"


def test_a_file_of_mode_zero_is_unreadable_to_root_as_well(tmp_path: Path) -> None:
    path = put(tmp_path, "sdists-v9/.git", b"")
    (tmp_path / path).chmod(0)
    found = examine(str(tmp_path), path, "0.9.30")
    assert (found.verdict, found.state) == ("fatal", "unreadable")


def test_a_pointer_to_an_archive_that_is_gone_is_dangling(tmp_path: Path) -> None:
    path = put(
        tmp_path, f"wheels-v8/url/{D}/a/1-py3-none-any.rev", [TIME, [ID16, [], "a-1-py3-none-any.whl", 0, 1]]
    )
    found = examine(str(tmp_path), path, "0.13.9")
    assert (found.verdict, found.state, found.links_to) == ("fatal", "dangling", (f"archive-v0/{ID16}",))


def test_another_releases_bucket_is_never_read(tmp_path: Path) -> None:
    path = put(tmp_path, f"sdists-v8/path/{D}/revision.rev", b"")
    found = examine(str(tmp_path), path, "0.6.8")
    assert (found.verdict, found.state) == ("not-read", "empty")
    assert "uses sdists-v9" in found.reason


def test_an_unknown_bucket_is_unknown_not_broken(tmp_path: Path) -> None:
    for path in ("sdists-v99/path/x/revision.rev", "other-v1/x", "sdists-v9/new/thing.bin"):
        put(tmp_path, path, b"\0\1")
        assert examine(str(tmp_path), path, "0.13.9").verdict == "unknown"


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    assert examine(str(tmp_path), f"archive-v0/{ID16}", "0.13.9").state == "missing"


def _wheel(root: Path, archive: str) -> Path:
    info = root / archive / "a-1.0.dist-info"
    info.mkdir(parents=True)
    (root / archive / "a.py").write_text("x = 1\n")
    (info / "METADATA").write_text("Name: a\nVersion: 1.0\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\n")
    rows = "a.py,sha256=Mu5pcCR19hSTm_HOuzbZVoTLA_2yRQHk_gSXUX9c4Ik,6\n"
    rows += "a-1.0.dist-info/METADATA,,\na-1.0.dist-info/WHEEL,,\n"
    (info / "RECORD").write_text(rows + "a-1.0.dist-info/RECORD,,\n")
    return info


def test_an_archive_is_held_against_its_record(tmp_path: Path) -> None:
    archive = f"archive-v0/{ID16}"
    info = _wheel(tmp_path, archive)
    assert examine(str(tmp_path), archive, "0.12.24").state == "ok"
    (tmp_path / archive / "a.py").write_text("")
    assert examine(str(tmp_path), archive, "0.12.24").damaged == (f"{archive}/a.py",)
    (tmp_path / archive / "a.py").unlink()
    found = examine(str(tmp_path), archive, "0.12.24")
    assert (found.verdict, found.state, found.missing) == ("suspicious", "incomplete", (f"{archive}/a.py",))
    (info / "RECORD").unlink()
    found = examine(str(tmp_path), archive, "0.12.24")
    assert (found.verdict, found.missing) == ("fatal", (f"{archive}/a-1.0.dist-info/RECORD",))


def test_a_file_of_an_archive_is_held_against_its_hash(tmp_path: Path) -> None:
    archive = f"archive-v0/{ID16}"
    _wheel(tmp_path, archive)
    (tmp_path / archive / "a.py").write_text("x = 2\n")
    assert examine(str(tmp_path), f"{archive}/a.py", "0.12.24").state == "garbage"


# Real releases: the verdict is what they do. One release of every era, per kind of local entry.

RELEASES = ["0.4.30", "0.5.18", "0.6.8", "0.7.22", "0.9.30", "0.12.24", "0.13.9"]
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": lambda data: data[:10],
    "zeroed": lambda data: bytes(len(data)),
    "garbage": lambda data: bytes((b * 7 + 200) % 256 for b in data),
}


def _fails_as_predicted(machine: Machine, release: str, path: str, again: list[str]) -> None:
    pristine = (machine.cache / path).read_bytes()
    for name, damage in DAMAGE.items():
        (machine.cache / path).write_bytes(damage(pristine))
        found = examine(str(machine.cache), path, release)
        shutil.rmtree(machine.project / ".venv")
        outcome = machine.install(release, *again)
        assert found.state == name
        assert (found.verdict == "fatal") == (outcome.exit_code != 0), (found, outcome.stderr)
        if outcome.exit_code:
            assert found.innermost in outcome.stderr
        (machine.cache / path).write_bytes(pristine)


@pytest.mark.parametrize("release", RELEASES)
def test_a_damaged_pointer_of_a_directory_fares_as_predicted(machine: Machine, release: str) -> None:
    # Through a wheel that requires it: newer releases do not look at the entry of a directory that is asked for.
    top = machine.wheel("top", "1.0", f"dep @ {machine.tree('dep').as_uri()}")
    machine.install(release, str(top))
    path = machine.one(f"{bucket('sdists', release)}/path/*/revision.rev")
    assert examine(str(machine.cache), path, release).state == "ok"
    _fails_as_predicted(machine, release, path, [str(top)])


@pytest.mark.parametrize("release", RELEASES)
def test_a_damaged_pointer_of_a_source_archive_fares_as_predicted(machine: Machine, release: str) -> None:
    archive = machine.sdist("dep")
    machine.install(release, f"dep @ {archive.as_uri()}")
    path = machine.one(f"{bucket('sdists', release)}/path/*/revision.rev")
    assert examine(str(machine.cache), path, release).state == "ok"
    _fails_as_predicted(machine, release, path, [f"dep @ {archive.as_uri()}"])


@pytest.mark.parametrize("release", RELEASES)
def test_a_damaged_pointer_of_a_wheel_file_fares_as_predicted(machine: Machine, release: str) -> None:
    wheel = machine.wheel("dep")
    machine.install(release, f"dep @ {wheel.as_uri()}")
    path = machine.one(f"{bucket('wheels', release)}/url/*/dep/*.rev")
    assert examine(str(machine.cache), path, release).state == "ok"
    _fails_as_predicted(machine, release, path, [f"dep @ {wheel.as_uri()}"])


def test_a_link_that_a_release_does_not_see_is_what_is_wrong_with_the_pointer(machine: Machine) -> None:
    archive = machine.sdist("dep")
    machine.install("0.5.18", f"dep @ {archive.as_uri()}")
    pointer = machine.one("sdists-v6/path/*/revision.rev")
    link = machine.one("sdists-v6/path/*/*/dep-1.0-py3-none-any")
    target = (machine.cache / link).resolve()
    root = str(machine.cache)
    assert examine(root, pointer, "0.5.18").verdict == "readable"
    (machine.cache / link).unlink()
    found = examine(root, pointer, "0.5.18")
    assert (found.verdict, found.missing, found.damaged) == ("fatal", (link,), ())
    shutil.copytree(target, machine.cache / link)
    found = examine(root, pointer, "0.5.18")
    assert (found.verdict, found.missing, found.damaged) == ("fatal", (), (link,))
    shutil.rmtree(machine.cache / link)
    (machine.cache / link).symlink_to(target)
    shutil.rmtree(target)
    gone = target.relative_to(machine.cache).as_posix()
    assert examine(root, pointer, "0.5.18").missing == (gone,)


def test_a_hash_that_none_can_be_is_fatal_where_a_lockfile_asks_for_it(machine: Machine) -> None:
    wheel = machine.wheel("dep")
    (machine.project / "reqs.txt").write_text(
        f"dep @ {wheel.as_uri()} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
    )
    asked = ("--require-hashes", "-r", "reqs.txt")
    assert machine.install("0.11.33", *asked).exit_code == 0
    path = machine.one("wheels-v6/url/*/dep/*.rev")
    data = (machine.cache / path).read_bytes()
    changed = re.sub(rb"([0-9a-f]{30})[0-9a-f]([0-9a-f]{33})", rb"\1g\2", data)
    assert changed != data
    (machine.cache / path).write_bytes(changed)
    found = examine(str(machine.cache), path, "0.11.33")
    shutil.rmtree(machine.project / ".venv")
    outcome = machine.install("0.11.33", *asked)
    assert (found.verdict, outcome.exit_code != 0) == ("fatal", True)
    assert found.innermost in outcome.stderr


@pytest.mark.parametrize("release", RELEASES)
def test_damaged_metadata_fares_as_predicted(machine: Machine, release: str) -> None:
    top = machine.wheel("top", "1.0", f"dep @ {machine.tree('dep').as_uri()}")
    machine.install(release, str(top))
    path = machine.one(f"{bucket('sdists', release)}/path/*/*/metadata.msgpack")
    assert examine(str(machine.cache), path, release).state == "ok"
    _fails_as_predicted(machine, release, path, [str(top)])


@pytest.mark.parametrize("release", RELEASES)
def test_everything_that_a_release_just_wrote_is_readable_to_it(machine: Machine, release: str) -> None:
    wanted = [str(machine.tree("dep")), str(machine.sdist("arc")), str(machine.wheel("whl"))]
    assert machine.install(release, *wanted).exit_code == 0
    found = [examine(str(machine.cache), path, release) for path in walk(str(machine.cache))]
    assert {finding.kind for finding in found} >= {
        "revision pointer, local",
        "archive pointer, local",
        "interpreter",
    }
    assert [f for f in found if f.verdict != "readable" or f.state != "ok"] == []
    assert all(release in f.writers for f in found if f.writers)


# Finding one's way.


@pytest.mark.parametrize("release", ["0.4.30", "0.13.9"])
def test_a_shard_is_found_by_digest_and_by_name(machine: Machine, release: str) -> None:
    machine.install(release, str(machine.tree("dep-one")), str(machine.wheel("whl-two")))
    root = str(machine.cache)
    pointer = machine.one(f"{bucket('sdists', release)}/path/*/revision.rev")
    shard = shard_of(pointer)
    assert pointer in find(root, digests=[shard.rpartition("/")[2]])
    assert pointer in find(root, packages=["dep-one"])
    wheel = machine.one(f"{bucket('wheels', release)}/url/*/whl-two/*.rev")
    assert wheel in find(root, packages=["Whl_Two"])
    assert find(root, packages=["nothing"], digests=["0" * 16]) == ()
    assert set(find(root, packages=["dep-one", "whl-two"])) <= set(walk(root))


def test_neighbours_are_what_a_reader_looks_at_together(machine: Machine) -> None:
    machine.install("0.13.9", str(machine.tree("dep")), str(machine.wheel("other")))
    root = str(machine.cache)
    pointer = machine.one("sdists-v11/path/*/revision.rev")
    beside = neighbours(root, pointer)
    assert pointer not in beside
    assert any(path.endswith("/metadata.msgpack") for path in beside)
    assert any(path.startswith("archive-v0/") for path in beside)
    assert all("other" not in path for path in beside)
    wheel = machine.one("wheels-v8/url/*/other/*.rev")
    assert {path.partition("/")[0] for path in neighbours(root, wheel)} == {"wheels-v8", "archive-v0"}


def test_package_and_version_are_known_even_where_the_path_does_not_say(machine: Machine) -> None:
    machine.install("0.12.24", str(machine.tree("dep", "2.5")))
    found = examine(str(machine.cache), machine.one("sdists-v9/path/*/revision.rev"), "0.12.24")
    assert (found.package, found.version) == ("dep", "2.5")


def test_the_url_that_was_fetched_files_the_entry(tmp_path: Path, failing: Callable[[str], State]) -> None:
    state = failing("pruned_subdirectory")
    (path,) = (p for p in walk(str(state.cache)) if p.endswith("/revision.http"))
    found = examine(str(state.cache), path, state.fails)
    assert found.url.startswith("http://")
    assert shard_of(path).rpartition("/")[2] in candidates(found.url)


# Garbage.

PATHS = [
    "CACHEDIR.TAG", "sdists-v9", "sdists-v9/.git", f"sdists-v9/path/{D}/revision.rev", f"sdists-v9/url/{D}/revision.http",
    "built-wheels-v2/pypi/a/1.0/manifest.msgpack", f"sdists-v9/pypi/a/1.0/{ID21}/metadata.msgpack",
    f"sdists-v9/git/{D}/{D}/hashes.msgpack", f"sdists-v9/path/{D}/{ID21}/a-1.0-py3-none-any",
    f"sdists-v9/path/{D}/{ID21}/a-1.0-py3-none-any.whl", "wheels-v0/pypi/a/a-1-py3-none-any.http",
    "wheels-v5/pypi/a/1-py3-none-any.http", "wheels-v8/pypi/a/1-py3-none-any.http",
    f"wheels-v5/url/{D}/a/1-py3-none-any.rev", "wheels-v5/pypi/a/1-py3-none-any.msgpack",
    f"simple-v15/index/{D}/a.rkyv", "simple-v28/pypi/a.rkyv", f"flat-index-v2/html/{D}.msgpack",
    f"interpreter-v4/{D}/{D}.msgpack", f"interpreter-v5/{D}/{D}.msgpack", f"interpreter-v0/{D}.msgpack",
    f"archive-v0/{ID16}", f"archive-v0/{ID16}/a-1.0.dist-info/RECORD", f"git-v0/db/{D}",
    f"git-v0/checkouts/{D}/abcdef0", f"environments-v2/{D}/{D}", f"environments-v2/script-{D}",
    f"python-v0/downloads-json/{D}.msgpack", "osv-v0/vulnerability/X-1.msgpack", "builds-v0/.tmpX",
]  # fmt: skip


def test_every_kind_of_entry_has_an_example_here() -> None:
    seen = {kind.name for path in PATHS if (kind := kind_at(path))}
    assert seen >= {kind.name for kind in entry_kinds()} - {"unpacked source"}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=400),
    st.sampled_from(["0.1.25", "0.4.7", "0.5.18", "0.6.6", "0.9.30", "0.12.24", "0.13.9", "1.0.0"]),
)
def test_nothing_that_stands_in_a_cache_makes_examining_it_fail(
    tmp_path: Path, data: bytes, release: str
) -> None:
    for path in PATHS:
        file = tmp_path / path
        if file.is_dir():
            continue
        put(tmp_path, path, data)
        found = examine(str(tmp_path), path, release)
        assert found.path == path
        msgspec.json.encode(found)
        file.unlink()


@given(st.lists(st.text(alphabet="ab.-/\\\0é~v09", max_size=12), max_size=6))
def test_no_path_makes_examining_it_fail(parts: list[str]) -> None:
    path = "/".join(parts)
    for prefix in (
        "",
        "sdists-v9/",
        "wheels-v5/",
        "archive-v0/",
        "git-v0/",
        "simple-v15/",
        "interpreter-v4/",
    ):
        assert examine("/nonexistent", prefix + path, "0.9.30").verdict in {"ignored", "unknown", "not-read"}


# Speed. Loose bounds: they catch a change of order, the figures are printed by benchmarks.


def test_a_thousand_entries_are_examined_in_a_second(tmp_path: Path) -> None:
    value = [[TIME, None, None, {}, {"src": None}], [ID21, []]]
    paths = [put(tmp_path, f"sdists-v9/path/{n:016x}/revision.rev", value) for n in range(1000)]
    begin = time.process_time()
    for path in paths:
        examine(str(tmp_path), path, "0.9.30")
    assert time.process_time() - begin < 1


def test_walking_does_not_go_into_archives_and_sources(tmp_path: Path) -> None:
    put(tmp_path, f"archive-v0/{ID16}/a/b/c.py", b"")
    put(tmp_path, f"sdists-v9/url/{D}/{ID21}/src/a/b.py", b"")
    put(tmp_path, f"git-v0/checkouts/{D}/abc/x/y", b"")
    assert set(walk(str(tmp_path))) == {
        f"archive-v0/{ID16}", f"sdists-v9/url/{D}/{ID21}/src", f"git-v0/checkouts/{D}/abc"
    }  # fmt: skip


def test_an_empty_directory_in_place_of_a_link_is_told_from_a_copied_wheel(tmp_path: Path) -> None:
    """What a tool that follows links makes of one is read by uv as well; an empty directory is not (0.9.30)."""
    link = "sdists-v9/path/0123456789abcdef/AAAAAAAAAAAAAAAAAAAAA/acme-1.0-py3-none-any"
    (tmp_path / link).mkdir(parents=True)
    empty = examine(str(tmp_path), link, "0.9.30")
    assert (empty.verdict, empty.state) == ("fatal", "wrong-kind")
    (tmp_path / link / "acme-1.0.dist-info").mkdir()
    assert examine(str(tmp_path), link, "0.9.30").verdict == "readable"
