from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

import pytest
from msgspec.msgpack import encode
from msgspec.structs import replace

from tests.collectors.conftest import changed, fact, other_system, paths, scene_of, scene_of_state
from tests.failing_states.state import uv_does, wheel
from uvreport.bundle import Culprit
from uvreport.collectors import cache, project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.failing_states.state import Person, State
    from uvreport.bundle import Member, Uv
    from uvreport.collectors import Findings


def at_fault(path: str) -> Culprit:
    return Culprit(path=path, kind="", state="", reason="")


def fill(world: Person, *names: str, data: bytes = b"x") -> None:
    for name in names:
        path = world.cache / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_the_seeds_culprit_is_there_raw_decoded_and_attributed(failing: Callable[[str], State]) -> None:
    state = failing("seed")
    found = cache.collect(scene_of_state(state))
    (culprit,) = [entry for entry in fact(found, "cache-entries") if entry["culprit"]]
    (member,) = [m for m in found.members if m.path == f"cache/{culprit['path']}"]
    assert member.data == state.culprit().read_bytes()
    assert culprit["writers"] == "0.6.7"
    assert culprit["decoded"]["revision"]["id"]


def test_of_the_seeds_archive_only_the_metadata_is_taken(failing: Callable[[str], State]) -> None:
    found = cache.collect(scene_of_state(failing("seed")))
    names = [m.path.rpartition("/")[2] for m in found.members if "archive-v0" in m.path and m.kind == "file"]
    assert names == ["METADATA", "RECORD", "WHEEL"]
    assert not any(path.endswith(".whl") for path in paths(found, "cache"))
    assert sum(len(m.data) for m in found.members) < 10_000


def test_what_the_run_read_around_the_culprit_is_taken(world: Person) -> None:
    fill(world, "simple-v15/pypi/x.rkyv", "simple-v15/pypi/y.rkyv", "archive-v0/abc/x.py")
    found = cache.collect(scene_of(world, around=("simple-v15/pypi/x.rkyv", "archive-v0/abc/x.py")))
    assert paths(found, "cache") == ["cache/archive-v0/abc/x.py", "cache/simple-v15/pypi/x.rkyv"]


def test_a_folder_where_a_file_should_be_is_a_member(failing: Callable[[str], State]) -> None:
    state = failing("seed")
    culprit = state.culprit()
    culprit.unlink()
    culprit.mkdir()
    scene = scene_of_state(state)
    (member,) = [m for m in cache.collect(scene).members if m.path.endswith("revision.rev")]
    assert member.kind == "dir"


def test_a_folder_at_fault_is_taken_with_what_is_in_it(world: Person) -> None:
    fill(world, "archive-v0/abc/x/__init__.py", "archive-v0/abc/x-1.dist-info/METADATA")
    (world.cache / "archive-v0/abc/empty").mkdir()
    found = cache.collect(scene_of(world, culprits=(at_fault("archive-v0/abc"),)))
    assert paths(found, "cache/archive-v0") == [
        "cache/archive-v0/abc", "cache/archive-v0/abc/empty",
        "cache/archive-v0/abc/x",
        "cache/archive-v0/abc/x-1.dist-info", "cache/archive-v0/abc/x-1.dist-info/METADATA",
        "cache/archive-v0/abc/x/__init__.py",
    ]  # fmt: skip


def member_of(found: Findings, path: str) -> Member:
    (member,) = [m for m in found.members if m.path == path]
    return member


ARCHIVE = {
    "x/__init__.py": b"one = 1\n", "x/data.bin": b"\x00\x01", "x-1.dist-info/METADATA": b"Name: x\n\nLong.\n",
    "x-1.dist-info/RECORD": b"x/__init__.py,,8\nx/gone.py,,1\n",
}  # fmt: skip


def fill_archive(world: Person, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        fill(world, f"archive-v0/abc/{name}", data=data)


@pytest.mark.parametrize("by", ["culprit", "missing"])
def test_an_archive_at_fault_is_taken_whole_with_what_is_not_text_by_name(world: Person, by: str) -> None:
    fill_archive(world, ARCHIVE)
    scene = (
        scene_of(world, culprits=(at_fault("archive-v0/abc/x-1.dist-info/METADATA"),))
        if by == "culprit"
        else scene_of(world, missing=("archive-v0/abc/x/gone.py",))
    )
    found = cache.collect(scene)
    taken = {m.path.removeprefix("cache/archive-v0/abc/"): m.data for m in found.members if m.kind == "file"}
    assert {name: taken.get(name) for name in ARCHIVE} == {**ARCHIVE, "x/data.bin": b""}
    assert "x/gone.py" not in taken
    (about,) = fact(found, "cache")["archives"]
    assert (about["path"], about["by_name_only"]) == ("archive-v0/abc", ["archive-v0/abc/x/data.bin"])


@pytest.mark.parametrize(
    "more", [{"x/big.py": b"x" * 1_000_001}, {f"x/m{n}.py": b"x" for n in range(501)}], ids=["bytes", "files"]
)
def test_of_a_large_archive_at_fault_the_metadata_and_all_names_are_taken(
    world: Person, more: dict[str, bytes]
) -> None:
    fill_archive(world, {**ARCHIVE, **more})
    found = cache.collect(scene_of(world, missing=("archive-v0/abc/x/gone.py",)))
    taken = {m.path.removeprefix("cache/archive-v0/abc/"): m.data for m in found.members if m.kind == "file"}
    assert {name for name in taken if not name.startswith(("cache", "facts"))} >= {*ARCHIVE, *more}
    assert [name for name in (*ARCHIVE, *more) if taken[name]] == [n for n in ARCHIVE if "dist-info" in n]
    assert taken["x-1.dist-info/RECORD"] == ARCHIVE["x-1.dist-info/RECORD"]
    assert fact(found, "cache")["archives"][0]["taken"] == "in part"


def test_more_names_than_a_bundle_can_hold_are_cut_and_counted(
    world: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_NAMES_IN_ARCHIVE", 10)
    fill_archive(world, {**ARCHIVE, **{f"x/m{n}.py": b"x" for n in range(30)}})
    found = cache.collect(scene_of(world, missing=("archive-v0/abc/x/gone.py",)))
    (about,) = fact(found, "cache")["archives"]
    assert about["left_out"] > 20
    assert member_of(found, "cache/archive-v0/abc/x-1.dist-info/RECORD").data


def test_an_archive_that_an_entry_leads_to_is_hollow_and_whole_by_its_own_record(world: Person) -> None:
    fill_archive(world, ARCHIVE)
    link = world.cache / "wheels-v5" / "pypi" / "x" / "1-py3-none-any"
    link.parent.mkdir(parents=True)
    os.symlink(world.cache / "archive-v0" / "abc", link)
    found = cache.collect(scene_of(world, culprits=(at_fault("wheels-v5/pypi/x/1-py3-none-any"),)))
    start = "cache/archive-v0/abc"
    assert paths(found, start) == [start, *(f"{start}/x-1.dist-info/{n}" for n in ("METADATA", "RECORD"))]
    assert member_of(found, f"{start}/x-1.dist-info/METADATA").data == b"Name: x\n\n"
    rows = member_of(found, f"{start}/x-1.dist-info/RECORD").data.decode().splitlines()
    assert [row.split(",")[0] for row in rows] == [f"x-1.dist-info/{n}" for n in ("METADATA", "RECORD")]


def test_an_entry_that_holds_the_digest_of_a_local_archive_holds_that_of_the_hollow_one(
    world: Person, uv_release: Callable[[str], Uv]
) -> None:
    path = wheel(world.project, "x", "1.0")
    own = (
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["x"]\n'
        f'[tool.uv]\npackage = false\n[tool.uv.sources]\nx = {{ path = "{path.name}" }}\n'
    )
    (world.project / "pyproject.toml").write_text(own)
    uv_does(world, uv_release("0.13.9"), "sync")
    (pointer,) = (p.relative_to(world.cache).as_posix() for p in world.cache.rglob("*.rev"))
    original = hashlib.sha256(path.read_bytes()).hexdigest()
    assert original.encode() in (world.cache / pointer).read_bytes()
    scene = scene_of(world, culprits=(at_fault(pointer),))
    found = cache.collect(scene)
    hollow = fact(project.collect(scene), "project")["hollow"][0]["sha256"]
    assert hollow.encode() in member_of(found, f"cache/{pointer}").data
    assert original.encode() not in member_of(found, f"cache/{pointer}").data
    assert fact(found, "cache")["hashes_changed"] == [
        {"member": f"cache/{pointer}", "from": original, "to": hollow}
    ]


def test_how_the_entries_that_were_taken_agree_with_their_sources_is_told(
    failing: Callable[[str], State],
) -> None:
    scene = scene_of_state(failing("link_is_file"))
    found, gaps = cache.relations(scene, cache.collect(scene).members)
    assert [(one.source, one.relation) for one in found] == [("libs/solver", "equal")]
    assert gaps == ()


def test_a_bucket_at_fault_does_not_bring_everything_in_it(world: Person) -> None:
    fill(world, "sdists-v9/path/0123456789abcdef/revision.rev", "sdists-v9/.git")
    os.chmod(world.cache / "sdists-v9", 0o555)
    found = cache.collect(scene_of(world, culprits=(at_fault("sdists-v9"),)))
    os.chmod(world.cache / "sdists-v9", 0o755)
    assert paths(found, "cache") == ["cache/sdists-v9", "cache/sdists-v9/.git"]
    assert [stat.filemode(m.mode) for m in found.members if m.path == "cache/sdists-v9"] == ["?r-xr-xr-x"]


def test_a_link_keeps_its_text_and_what_it_led_to_is_there_as_a_folder(world: Person) -> None:
    fill(world, "archive-v0/abc/x.py")
    link = world.cache / "wheels-v5" / "pypi" / "x" / "1-py3-none-any"
    link.parent.mkdir(parents=True)
    os.symlink(world.cache / "archive-v0" / "abc", link)
    found = cache.collect(scene_of(world, culprits=(at_fault("wheels-v5/pypi/x/1-py3-none-any"),)))
    kinds = {m.path: (m.kind, m.target) for m in found.members if m.path.startswith("cache/")}
    assert kinds["cache/wheels-v5/pypi/x/1-py3-none-any"] == ("link", str(world.cache / "archive-v0" / "abc"))
    assert kinds["cache/archive-v0/abc"] == ("dir", "")


def test_a_link_that_led_nowhere_still_leads_nowhere(world: Person) -> None:
    link = world.cache / "wheels-v5" / "x"
    link.parent.mkdir(parents=True)
    os.symlink("../archive-v0/gone", link)
    found = cache.collect(scene_of(world, culprits=(at_fault("wheels-v5/x"),)))
    assert paths(found, "cache") == ["cache/wheels-v5/x"]


def test_an_unreadable_file_goes_in_with_its_mode_and_its_content_is_a_gap(world: Person) -> None:
    fill(world, "sdists-v9/x")
    os.chmod(world.cache / "sdists-v9/x", 0)
    if os.access(world.cache / "sdists-v9/x", os.R_OK):
        pytest.skip("root reads everything")
    found = cache.collect(scene_of(world, culprits=(at_fault("sdists-v9/x"),)))
    assert [(m.mode, m.data) for m in found.members if m.path == "cache/sdists-v9/x"] == [(0, b"")]
    assert [gap.what for gap in found.gaps] == ["the content of cache/sdists-v9/x"]


def test_the_mode_of_a_file_that_owners_may_not_read_is_kept(world: Person) -> None:
    fill(world, "sdists-v9/x")
    os.chmod(world.cache / "sdists-v9/x", 0)
    found = cache.collect(scene_of(world, culprits=(at_fault("sdists-v9/x"),)))
    assert [m.mode for m in found.members if m.path == "cache/sdists-v9/x"] == [0]


def test_a_culprit_that_is_missing_is_a_gap(world: Person) -> None:
    world.cache.mkdir(parents=True)
    found = cache.collect(scene_of(world, culprits=(at_fault("archive-v0/abc/x-1.dist-info/RECORD"),)))
    assert ("cache/archive-v0/abc/x-1.dist-info/RECORD", "it is not there") in [
        (g.what, g.why) for g in found.gaps
    ]


def test_more_than_the_cap_is_left_out_and_counted(world: Person) -> None:
    names = [f"archive-v0/abc/{n}.bin" for n in range(7)]
    fill(world, "sdists-v9/small", *names, data=b"x" * 1_000_000)
    found = cache.collect(scene_of(world, culprits=(at_fault("sdists-v9/small"),), around=tuple(names)))
    assert sum(len(m.data) for m in found.members if m.path.startswith("cache/")) == cache.LIMIT_BYTES
    assert [gap.what for gap in found.gaps] == ["3 cache entries"]


def test_buckets_of_other_releases_and_generations_side_by_side_are_told(
    world: Person, uv_release: Callable[[str], Uv]
) -> None:
    fill(world, "sdists-v8/.git", "sdists-v9/.git", "wheels-v5/x", "notes.txt")
    found = fact(cache.collect(scene_of(world, uv=uv_release("0.6.6"))), "cache")
    assert found["mixed_writers"] == {
        "generations": ["sdists-v8", "sdists-v9"],
        "of_other_releases": ["sdists-v9"],
    }
    assert [b["releases"] for b in found["buckets"]] == ["0.6.0..0.6.7", "0.6.8..0.12.24", "0.6.4..0.9.30"]
    assert found["other_entries"] == ["notes.txt"]


def test_the_writers_of_a_culprits_bucket_are_told_when_no_one_release_can_be_all_of_them(
    world: Person,
) -> None:
    time, revision = [1, 2], ["a" * 21, []]
    fill(world, "sdists-v8/path/a/revision.rev", data=encode([[time, None, None], revision]))
    fill(world, "sdists-v8/path/b/revision.rev", data=encode([[time, None, None, {}, {}], revision]))
    culprits = (at_fault("sdists-v8/path/b/revision.rev"),)
    assert fact(cache.collect(scene_of(world, culprits=culprits)), "cache")["mixed_buckets"] == [
        {
            "bucket": "sdists-v8",
            "ranges": [{"writers": "0.6.0..0.6.6", "entries": 1}, {"writers": "0.6.7", "entries": 1}],
        }
    ]


@pytest.mark.parametrize(("kind", "why"), [("nothing", "there is none"), ("file", "it is not a folder")])
def test_a_cache_that_is_not_there_or_a_file_is_a_gap(world: Person, kind: str, why: str) -> None:
    if kind == "file":
        world.cache.parent.mkdir(parents=True, exist_ok=True)
        world.cache.write_text("")
    found = cache.collect(scene_of(world))
    assert ("cache", why) in [(gap.what, gap.why) for gap in found.gaps]


@pytest.mark.parametrize(
    ("argv", "environ", "said"),
    [
        (("uv", "sync"), {}, "default"),
        (("uv", "--cache-dir", "c", "sync"), {"UV_CACHE_DIR": "/x"}, "flag --cache-dir"),
        (("uv", "sync"), {"UV_CACHE_DIR": "/x"}, "variable UV_CACHE_DIR"),
        (("uv", "sync", "-n"), {}, "no cache was to be used"),
        (("uv", "sync"), {"UV_NO_CACHE": "1"}, "no cache was to be used"),
    ],
)
def test_how_the_cache_was_chosen(
    world: Person, argv: tuple[str, ...], environ: dict[str, str], said: str
) -> None:
    bare = {k: v for k, v in world.env.items() if k != "UV_CACHE_DIR"}
    person = replace(world, env=bare)
    assert cache.chosen_by(scene_of(person, argv=argv, environ=environ)) == said


def test_settings_can_choose_the_cache(world: Person) -> None:
    (world.project / "uv.toml").write_text('cache-dir = "/x"\n')
    bare = {k: v for k, v in world.env.items() if k != "UV_CACHE_DIR"}
    assert cache.chosen_by(scene_of(replace(world, env=bare))) == f"project file {world.project}/uv.toml"


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 22 0:40 / /home rw,nosuid - nfs4 server:/export rw,vers=4.2
31 30 0:41 / /home/mira/with\\040space rw - overlay overlay rw,lowerdir=/secret/a,upperdir=/secret/b,workdir=/secret/c
32 22 0:42 / /homework rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/mira/c", "nfs4"),
        ("/homework/c", "tmpfs"),
        ("/var", "ext4"),
        ("/home/mira/with space/c", "overlay"),
    ],
)
def test_the_filesystem_is_the_innermost_mount(tmp_path: Path, path: str, kind: str) -> None:
    mount = cache.mount_of(other_system(tmp_path, "linux", {"/proc/self/mountinfo": MOUNTS}), path)
    assert mount is not None
    assert mount.type == kind
    assert "secret" not in mount.options


def test_a_cache_on_a_network_filesystem_is_said_so(tmp_path: Path) -> None:
    files = {"/proc/self/mountinfo": MOUNTS, "/home/mira/uv-cache/CACHEDIR.TAG": ""}
    found = fact(cache.collect(other_system(tmp_path, "linux", files)), "cache")
    assert found["network"] is True
    assert found["filesystem"]["point"] == "/home"


def test_macos_says_its_mounts_in_its_own_way() -> None:
    said = "/dev/disk3s1s1 on / (apfs, sealed, local, journaled)\n//m@nas/home on /Volumes/my home (smbfs, nodev)\n"
    found = cache.mounts_macos(said)
    assert [(m.type, m.point) for m in found] == [("apfs", "/"), ("smbfs", "/Volumes/my home")]


def test_whether_names_differ_by_case_is_seen_without_writing(world: Person) -> None:
    fill(world, "CACHEDIR.TAG")
    scene = scene_of(world)
    expected = not os.path.exists(world.cache / "cachedir.tag")
    assert fact(cache.collect(scene), "cache")["case_sensitive"] is expected
    os.link(world.cache / "CACHEDIR.TAG", world.cache / "cachedir.tag") if expected else None
    assert fact(cache.collect(scene), "cache")["case_sensitive"] is False


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [
        (0, "less than 1 MB"),
        (3_900_000, "at least 2 MB"),
        (1_500_000_000, "at least 1 GB"),
        (79 * 10**9, "at least 64 GB"),
    ],
)
def test_sizes_are_said_in_coarse_steps(size_bytes: int, said: str) -> None:
    assert cache.step(size_bytes) == said


def test_a_cache_that_another_device_holds_cannot_be_linked_from(world: Person) -> None:
    world.cache.mkdir(parents=True)
    scene = scene_of(world)
    elsewhere = changed(scene, places=replace(scene.places, venv="/proc/self/.venv"))
    assert fact(cache.collect(elsewhere), "cache")["same_device_as"] == {
        "home": True,
        "project": True,
        "venv": False,
    }
