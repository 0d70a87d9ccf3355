"""Each way of making a bundle smaller, with judges that look at the bundle instead of running it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from uvreport.bundle import Bundle, Culprit, Member, Relation
from uvreport.cache import trailer
from uvreport.minimize import Answer, every_pass, minimize, problem
from uvreport.pack import open_bundle

SAMPLE = Path(__file__).resolve().parent.parent.parent / "sample_bundles/uv-12318/uv-12318.uvreport.zip"


@pytest.fixture(scope="module")
def sample() -> Bundle:
    return open_bundle(SAMPLE)


def bundle_of(sample: Bundle, files: dict[str, bytes], **changes: object) -> Bundle:
    members = tuple(Member(path=path, data=data) for path, data in sorted(files.items()))
    return replace(sample, **{"members": members, "culprits": (), "relations": (), **changes})


def smallest(bundle: Bundle, fails: Callable[[Bundle], bool], reads: frozenset[str] | None = None) -> Bundle:
    def judge(candidate: Bundle) -> Answer:
        return Answer(same=fails(candidate), reads=reads)

    return list(minimize(bundle, every_pass(), judge, key=problem.key, size=problem.size))[-1].best


def content(bundle: Bundle, path: str) -> str:
    return next((m.data.decode() for m in bundle.members if m.path == path), "")


def test_the_entry_at_fault_is_never_cut_and_what_is_for_reading_stays(sample: Bundle) -> None:
    best = smallest(sample, lambda _: True)
    kept = [member.path for member in best.members if member.path.startswith(problem.RESTORED)]
    assert kept == [f"cache/{culprit.path}" for culprit in sample.culprits]
    for_reading = [m for m in sample.members if m.path.startswith(("facts/", "run/"))]
    assert [m for m in best.members if m.path.startswith(("facts/", "run/"))] == for_reading


def test_what_was_not_read_goes_in_one_run(sample: Bundle) -> None:
    files = {f"cache/wheels-v5/pypi/p{n}/x.msgpack": b"x" for n in range(5_000)} | {"cache/a/b/c": b"c"}
    asked = []

    def fails(candidate: Bundle) -> bool:
        asked.append(len(candidate.members))
        return any(m.path == "cache/a/b/c" for m in candidate.members)

    bundle = bundle_of(sample, files)
    smallest(bundle, fails, frozenset({"cache/a/b/c"}))
    assert asked[:2] == [5_001, 1]


def test_a_lockfile_loses_the_packages_that_do_not_matter(sample: Bundle) -> None:
    lock = 'version = 1\n\n[[package]]\nname = "a"\n\n[[package]]\nname = "b"\nversion = "1"\n\n[package.metadata]\nx = 1\n'
    best = smallest(
        bundle_of(sample, {"project/uv.lock": lock.encode()}),
        lambda b: 'name = "b"' in content(b, "project/uv.lock"),
    )
    assert content(best, "project/uv.lock") == '\n[[package]]\nname = "b"\n'


def test_what_stays_of_a_project_file_keeps_its_formatting(sample: Bundle) -> None:
    text = (
        '[project]\nname   =  "x"  # the name\ndependencies = [\n    "a",\n    "b>=1",\n]\n\n'
        '[tool.uv.sources]\na = { path = "a", editable = true }\n'
    )

    def fails(candidate: Bundle) -> bool:
        now = content(candidate, "project/pyproject.toml")
        return "the name" in now and '"b>=1"' in now and 'path = "a"' in now

    best = smallest(bundle_of(sample, {"project/pyproject.toml": text.encode()}), fails)
    assert content(best, "project/pyproject.toml") == (
        '[project]\nname   =  "x"  # the name\ndependencies = [\n    "b>=1",\n]\n\n'
        '[tool.uv.sources]\na = { path = "a" }\n'
    )


def test_requirements_lose_their_lines_and_broken_toml_does_too(sample: Bundle) -> None:
    files = {"project/requirements.txt": b"a\nb\nc\n", "project/pyproject.toml": b"[project\nname = 1\n"}

    def fails(candidate: Bundle) -> bool:
        return (
            "b\n" in content(candidate, "project/requirements.txt")
            and "[project\n" in content(candidate, "project/pyproject.toml")
        )  # fmt: skip

    best = smallest(bundle_of(sample, files), fails)
    assert content(best, "project/requirements.txt") == "b\n"
    assert content(best, "project/pyproject.toml") == "[project\n"


def test_options_go_with_their_values_and_the_persons_program_stays(sample: Bundle) -> None:
    probe = ("python", "-c", "the stand-in", "pytest")
    run = replace(
        sample.run,
        argv=("uv", "run", "--python", "3.11", "--offline", "--group", "dev", "pytest", "-x", "--python"),
        examined=("uv", "run", "-vv", "--python", "3.11", "--offline", "--group", "dev", *probe),
    )

    def fails(candidate: Bundle) -> bool:
        words = candidate.run.examined
        return words[:2] == ("uv", "run") and "dev" in words and ("3.11" in words) == ("--python" in words)

    best = smallest(bundle_of(sample, {}, run=run), fails)
    assert best.run.argv == ("uv", "run", "dev", "pytest", "-x", "--python")
    assert best.run.examined == ("uv", "run", "-vv", "dev", *probe)


def test_variables_that_do_not_matter_go(sample: Bundle) -> None:
    run = replace(sample.run, env={"UV_A": "1", "UV_B": "2", "LANG": "C"})
    best = smallest(bundle_of(sample, {}, run=run), lambda b: b.run.env.get("UV_B") == "2")
    assert best.run.env == {"UV_B": "2"}


def test_relations_of_entries_that_are_gone_go_with_them(sample: Bundle) -> None:
    relations = tuple(Relation(entry=name, source="x", relation="equal") for name in ("a/x.rev", "b/x.rev"))
    files = {"cache/a/x.rev": b"x", "cache/b/x.rev": b"x"}
    bundle = bundle_of(sample, files, relations=relations)
    best = smallest(bundle, lambda b: any(m.path == "cache/a/x.rev" for m in b.members))
    assert best.relations == relations[:1]


@pytest.mark.parametrize("form", ["none", "old", "crc"])
def test_a_large_culprit_in_msgpack_gets_emptier_and_its_trailer_stays_sound(
    sample: Bundle, form: trailer.Form
) -> None:
    value = ["v" * 50, {"readme": "x" * 5_000, "name": "needed" * 300}, ["a" * 50, "b" * 50, "bad"]]
    raw = trailer.join(msgspec.msgpack.encode(value), b"" if form == "none" else b"policy" * 4, form)

    def decoded(bundle: Bundle) -> list[Any]:
        found: list[Any] = msgspec.msgpack.decode(trailer.split(bundle.members[0].data).data)
        return found

    def fails(candidate: Bundle) -> bool:
        now = decoded(candidate)
        return len(now) == 3 and now[2][-1:] == ["bad"] and bool(dict(now[1]).get("name"))

    culprit = Culprit(path="w/m.msgpack", kind="metadata", state="foreign", reason="")
    bundle = bundle_of(sample, {"cache/w/m.msgpack": raw}, culprits=(culprit,))
    best = smallest(bundle, fails)
    assert decoded(best) == ["", {"name": "needed" * 300}, ["bad"]]
    assert trailer.split(best.members[0].data).form == form


def test_a_small_culprit_keeps_its_bytes(sample: Bundle) -> None:
    raw = msgspec.msgpack.encode(["x" * 100, [1, 2, 3]])
    culprit = Culprit(path="w/m.msgpack", kind="metadata", state="foreign", reason="")
    bundle = bundle_of(sample, {"cache/w/m.msgpack": raw}, culprits=(culprit,))
    assert smallest(bundle, lambda _: True).members[0].data == raw
