from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.failing_states.state import (
    Person,
    flat,
    on_path,
    one,
    person,
    put,
    sdist,
    source_tree,
    uv_does,
    wheel,
    without_venv,
    write,
)
from uvreport import relations
from uvreport.cache import keys
from uvreport.demo import person_env
from uvreport.uv import run as run_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uvreport.bundle import Relation, Uv
    from uvreport.uv import Outcome

    UvRelease = Callable[[str], Uv]

USES = '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["lib"]\n'


def entries(who: Person) -> list[str]:
    return [path.relative_to(who.cache).as_posix() for path in who.cache.rglob("*.rev")]


def told(who: Person, *sources: str) -> tuple[Relation, ...]:
    found, gaps = relations.relations(
        str(who.cache), entries(who), str(who.project), [str(who.project / source) for source in sources]
    )
    assert gaps == ()
    return found


def moved(who: Person, sources: tuple[str, ...]) -> Person:
    """A copy of everything elsewhere, each entry filed under the digest of its source's new place."""
    root = who.root.with_name("elsewhere")
    subprocess.run(["cp", "-a", who.root, root], check=True)
    new = replace(
        who,
        root=root, home=root / who.home.relative_to(who.root), project=root / who.project.relative_to(who.root),
        cache=root / who.cache.relative_to(who.root),
    )  # fmt: skip
    new.env.clear()
    new.env.update(person_env(str(root), str(new.home)))
    digests = keys.rekey(
        [str(who.project / source) for source in sources],
        lambda text: text.replace(str(who.root), str(root), 1),
    )
    for path in list(new.cache.glob("*/*/*")):
        if path.name in digests:
            path.rename(path.with_name(digests[path.name]))
    return new


def restored(who: Person, sources: tuple[str, ...]) -> Person:
    """The same elsewhere, with every entry that agreed with its source agreeing again."""
    agreed = [relation for relation in told(who, *sources) if relation.relation == "equal"]
    new = moved(who, sources)
    digests = keys.rekey(
        [str(who.project / s) for s in sources], lambda text: text.replace(str(who.root), str(new.root), 1)
    )
    for relation in agreed:
        entry = "/".join(digests.get(part, part) for part in relation.entry.split("/"))
        path = new.cache / entry
        path.write_bytes(relations.restore(path.read_bytes(), entry, str(new.project / relation.source)))
    return new


def runs(who: Person, found: Uv, *args: str) -> Outcome:
    return run_process((on_path(who, found).path, *args), cwd=str(who.project), env=who.env, timeout_s=120)


def editable(tmp_path: Path, uv_release: UvRelease) -> tuple[Person, tuple[str, ...], str]:
    who = person(tmp_path / "here", "mira", "app", source_tree("lib", "0.1", under="lib/"))
    uv_does(who, uv_release("0.5.25"), "venv")
    uv_does(who, uv_release("0.5.25"), "pip", "install", "-e", "./lib", "--no-deps")
    without_venv(who)
    uv_does(who, uv_release("0.5.18"), "venv")
    return who, ("pip", "install", "-e", "./lib", "--no-deps"), "array had incorrect length, expected 5"


def link_is_file(tmp_path: Path, uv_release: UvRelease) -> tuple[Person, tuple[str, ...], str]:
    own = f'{USES}[tool.uv]\npackage = false\n[tool.uv.sources]\nlib = {{ path = "lib" }}\n'
    files = {"pyproject.toml": own, **source_tree("lib", "0.1", under="lib/"), "lib/src/x.py": ""}
    who = person(tmp_path / "here", "mira", "app", files)
    uv_does(who, uv_release("0.9.30"), "sync")
    without_venv(who)
    put(one(who, "sdists-v9/path/*/*/lib-0.1-py3-none-any"), b"x")
    return who, ("sync",), "Not a directory (os error 20)"


def archive_removed(tmp_path: Path, uv_release: UvRelease) -> tuple[Person, tuple[str, ...], str]:
    who = person(tmp_path / "here", "mira", "app", {})
    name = wheel(who.project / "lib", "rpds-py", "0.27.1").name
    (who.project / "lib" / name).rename(who.project / name)
    uv_does(who, uv_release("0.13.9"), "venv")
    uv_does(who, uv_release("0.13.9"), "pip", "install", f"./{name}")
    uv_does(who, uv_release("0.13.9"), "pip", "uninstall", "rpds-py")
    subprocess.run(["rm", "-rf", who.cache / "archive-v0"], check=True)
    return who, ("pip", "install", f"./{name}"), "failed to read directory"


STALE = {
    "0.5.18": (editable, "lib"),
    "0.9.30": (link_is_file, "lib"),
    "0.13.9": (archive_removed, "rpds_py-0.27.1-py3-none-any.whl"),
}


@pytest.mark.parametrize("release", STALE)
def test_a_failure_that_a_copy_loses_is_back_when_the_times_agree_again(
    release: str, tmp_path: Path, uv_release: UvRelease
) -> None:
    build, source = STALE[release]
    who, argv, leaf = build(tmp_path, uv_release)
    new = restored(who, (source,))
    outcome = runs(new, uv_release(release), *argv)
    assert outcome.exit_code != 0
    assert leaf in flat(outcome.stderr)


@pytest.mark.parametrize("release", STALE)
def test_without_that_the_copy_passes(release: str, tmp_path: Path, uv_release: UvRelease) -> None:
    build, source = STALE[release]
    who, argv, _ = build(tmp_path, uv_release)
    outcome = runs(moved(who, (source,)), uv_release(release), *argv)
    assert outcome.exit_code == 0, outcome.stderr


@pytest.mark.parametrize("release", ["0.4.24", "0.5.25", "0.6.8", "0.9.30", "0.12.24", "0.13.9"])
def test_what_uv_has_just_written_agrees_with_its_sources(
    release: str, tmp_path: Path, uv_release: UvRelease
) -> None:
    who = person(tmp_path / "here", "mira", "app", source_tree("lib", "0.1", under="lib/"))
    write(who.project, {"lib/src/x.py": ""})
    packed = sdist(who.project, source_tree("packed", "0.1"), tmp_path / "scratch").name
    ready = wheel(who.project, "ready", "1.0").name
    uv_does(who, uv_release(release), "venv")
    uv_does(who, uv_release(release), "pip", "install", "./lib", f"./{packed}", f"./{ready}")
    found = told(who, "lib", packed, ready)
    assert sorted((one.source, one.relation) for one in found) == [
        ("lib", "equal"), (packed, "equal"), (ready, "equal")
    ]  # fmt: skip
    # So restoring them changes nothing: every field is where it is taken to be.
    for relation in found:
        data = (who.cache / relation.entry).read_bytes()
        assert relations.restore(data, relation.entry, str(who.project / relation.source)) == data


def test_the_wheel_in_a_folder_of_find_links_is_the_source_of_its_entry(
    tmp_path: Path, uv_release: UvRelease
) -> None:
    links = '[tool.uv]\npackage = false\nno-index = true\nfind-links = ["links"]\n'
    who = person(tmp_path / "here", "mira", "app", {"pyproject.toml": USES + links})
    wheel(who.project / "links", "lib", "1.0")
    wheel(who.project / "links", "lib", "0.9")
    uv_does(who, uv_release("0.9.30"), "sync")
    assert [(one.source, one.relation) for one in told(who, "links")] == [
        ("links/lib-1.0-py3-none-any.whl", "equal")
    ]


def built(tmp_path: Path, uv_release: UvRelease, files: dict[str, str] | None = None) -> Person:
    who = person(tmp_path / "here", "mira", "app", source_tree("lib", "0.1", under="lib/"))
    write(who.project, files or {})
    uv_does(who, uv_release("0.9.30"), "venv")
    uv_does(who, uv_release("0.9.30"), "pip", "install", "./lib")
    return who


def test_a_source_that_was_changed_since_is_newer(tmp_path: Path, uv_release: UvRelease) -> None:
    who = built(tmp_path, uv_release)
    time.sleep(0.02)
    os.chmod(who.project / "lib" / "pyproject.toml", 0o600)
    assert [one.relation for one in told(who, "lib")] == ["older"]


def test_a_folder_src_that_was_made_anew_is_told(tmp_path: Path, uv_release: UvRelease) -> None:
    who = built(tmp_path, uv_release, {"lib/src/x.py": ""})
    src = who.project / "lib" / "src"
    src.rename(src.with_name("old"))
    time.sleep(0.02)
    src.mkdir()
    assert [one.relation for one in told(who, "lib")] == ["older"]


def test_a_source_that_is_gone_is_missing(tmp_path: Path, uv_release: UvRelease) -> None:
    who = built(tmp_path, uv_release)
    (who.project / "lib").rename(who.project / "gone")
    assert [one.relation for one in told(who, "lib")] == ["missing"]


def test_a_source_outside_the_project_is_named_by_its_whole_path(
    tmp_path: Path, uv_release: UvRelease
) -> None:
    who = built(tmp_path, uv_release)
    found, _ = relations.relations(
        str(who.cache), entries(who), str(who.project / "lib" / "deep"), [str(who.project / "lib")]
    )
    assert [one.source for one in found] == [str(who.project / "lib")]


def test_what_follows_the_time_in_an_entry_need_not_be_known_here(
    tmp_path: Path, uv_release: UvRelease
) -> None:
    who = person(tmp_path / "here", "mira", "app", {})
    name = wheel(who.project, "ready", "1.0").name
    uv_does(who, uv_release("0.9.30"), "venv")
    uv_does(who, uv_release("0.9.30"), "pip", "install", f"./{name}")
    pointer = one(who, "wheels-v5/url/*/ready/*.rev")
    put(pointer, pointer.read_bytes()[:12] + b"\xd4\x01\x01")
    assert [(one.source, one.relation) for one in told(who, name)] == [(name, "equal")]


def test_an_entry_that_nobody_can_decode_has_no_relation(tmp_path: Path, uv_release: UvRelease) -> None:
    who = built(tmp_path, uv_release)
    pointer = one(who, "sdists-v9/path/*/revision.rev")
    put(pointer, pointer.read_bytes()[:10])
    assert told(who, "lib") == ()
    entry = pointer.relative_to(who.cache).as_posix()
    assert relations.restore(b"\x92", entry, str(who.project / "lib")) == b"\x92"


@pytest.mark.parametrize(
    ("own", "simple"),
    [
        ('[{ file = "VERSION" }, { dir = "lib" }]', True), ('["VERSION", "setup.py"]', True),
        ('[{ file = "**/*.py" }]', False), ('["VERSION", { git = true }]', False),
        ('["VERSION", { env = "CI" }]', False),
    ],
)  # fmt: skip
def test_cache_keys_of_the_source_are_honoured_or_said_to_be_too_much(
    own: str, simple: bool, tmp_path: Path, uv_release: UvRelease
) -> None:
    stated = source_tree("lib", "0.1")["pyproject.toml"]
    who = built(tmp_path, uv_release, {"lib/pyproject.toml": f"{stated}\n[tool.uv]\ncache-keys = {own}\n"})
    found, gaps = relations.relations(
        str(who.cache), entries(who), str(who.project), [str(who.project / "lib")]
    )
    assert [one.relation for one in found] == (["equal"] if simple else [])
    assert len(gaps) == (not simple)


def test_a_directory_by_its_inode_is_known_again(tmp_path: Path, uv_release: UvRelease) -> None:
    # As uv writes it where the filesystem does not say when a directory was made.
    who = built(tmp_path, uv_release, {"lib/src/x.py": ""})
    path = one(who, "sdists-v9/path/*/revision.rev")
    data, born = path.read_bytes(), relations.made(str(who.project / "lib" / "src"))
    assert isinstance(born, tuple)
    packed = b"\x92\xce" + born[0].to_bytes(4, "big")
    start = data.rindex(packed)
    end = start + 6 + {0xCE: 5, 0xCD: 3, 0xCC: 2}.get(data[start + 6], 1)
    inode = os.stat(who.project / "lib" / "src").st_ino
    put(path, data[:start] + b"\xcf" + inode.to_bytes(8, "big") + data[end:])
    assert [one.relation for one in told(who, "lib")] == ["equal"]
    entry = path.relative_to(who.cache).as_posix()
    assert relations.restore(path.read_bytes(), entry, str(who.project / "lib")) == data
