"""`uvreport redact`: the funnel for any text, file or tree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.failing_states.state import Person
from tests.stories import ROOT, uvreport

KNOWN = {"users": ["mira.novak"], "homes": ["/home/mira.novak"], "hostname": "nova-laptop"}
TEXT = "at /home/mira.novak/x on nova-laptop\nUV_PUBLISH_TOKEN=pypi-AgEIcHlwaS5vcmcCJDQ4Yz\nruff==0.4.1\n"


@pytest.fixture
def known(tmp_path: Path) -> str:
    path = tmp_path / "known.json"
    path.write_text(json.dumps(KNOWN))
    return str(path)


def test_standard_input_comes_out_without_what_is_private_line_by_line(world: Person, known: str) -> None:
    done = uvreport("redact", "--known", known, "-", env=world.env, cwd=world.project, stdin=TEXT)
    assert done.returncode == 0, done.stderr
    assert "mira" not in done.stdout
    assert "nova" not in done.stdout
    assert "AgEIcHlwaS5vcmcCJDQ4Yz" not in done.stdout
    assert done.stdout.count("\n") == 3
    assert done.stdout.endswith("\nruff==0.4.1\n")


def test_a_file_goes_to_the_place_that_is_named(world: Person, known: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(TEXT)
    done = uvreport(
        "redact", "--known", known, str(tmp_path / "a.log"), "-o", str(tmp_path / "b.log"), "--json",
        env=world.env, cwd=world.project,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "mira" not in (tmp_path / "b.log").read_text()
    assert sum(json.loads(done.stderr).values()) >= 3


def test_a_tree_is_redacted_names_and_links_too(world: Person, known: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "home" / "mira.novak").mkdir(parents=True)
    (tree / "home" / "mira.novak" / "a.log").write_text(TEXT)
    (tree / "link").symlink_to("/home/mira.novak/a.log")
    done = uvreport(
        "redact", "--known", known, str(tree), "-o", str(tmp_path / "out"), env=world.env, cwd=world.project
    )
    assert done.returncode == 0, done.stderr
    names = [str(p) for p in (tmp_path / "out").rglob("*")]
    assert len(names) == 4
    assert not any("mira" in name for name in names)
    assert "mira" not in str((tmp_path / "out" / "link").readlink())


def test_the_table_of_what_was_replaced_is_kept_for_oneself_alone(
    world: Person, known: str, tmp_path: Path
) -> None:
    table = tmp_path / "table.json"

    def keep() -> subprocess.CompletedProcess[str]:
        words = ["redact", "--known", known, "--keep-map", str(table), "-"]
        return uvreport(*words, env=world.env, cwd=world.project, stdin=TEXT)

    done = keep()
    assert done.returncode == 0, done.stderr
    rows = json.loads(table.read_text())["replaced"]
    assert rows
    assert all(row["value"] in TEXT and row["placeholder"] in done.stdout for row in rows)
    assert table.stat().st_mode & 0o777 == 0o600
    again = keep()
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert again.stdout == ""


def test_what_cannot_be_searched_stops_it_or_is_left_out(world: Person, known: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "good.txt").write_text(TEXT)
    (tree / "bad.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(range(256)))
    words = ["redact", "--known", known, str(tree), "-o", str(tmp_path / "out")]
    refused = uvreport(*words, env=world.env, cwd=world.project)
    assert refused.returncode == 5
    assert "--drop-unreadable" in refused.stderr
    assert not (tmp_path / "out").exists()
    done = uvreport(*words, "--drop-unreadable", env=world.env, cwd=world.project)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.txt"]
    assert "bad.7z" in done.stderr


def test_without_known_values_this_machine_is_asked(world: Person) -> None:
    done = uvreport("redact", "-", env=world.env, cwd=world.project, stdin=f"x {world.home}/y\n")
    assert done.returncode == 0, done.stderr
    assert world.home.name not in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no-such-file"], "There is no no-such-file"),
        (["."], "needs a place to go"),
        (["--known", "no-such", "-"], "no-such cannot be read"),
    ],
)
def test_bad_input_is_one_sentence(world: Person, words: list[str], said: str) -> None:
    done = uvreport("redact", *words, env=world.env, cwd=world.project)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(
    not (ROOT.parent / "shared" / "redaction").is_dir(), reason="the planted values are not here"
)
@pytest.mark.parametrize("seed", [1, 7, 20])
def test_of_the_planted_values_none_leaks_and_what_only_looks_alike_stays(
    world: Person, tmp_path: Path, seed: int
) -> None:
    import subprocess
    import sys

    kit = ROOT.parent / "shared" / "redaction"
    subprocess.run(
        [sys.executable, kit / "plant.py", "--seed", str(seed), "--out", tmp_path],
        check=True,
        capture_output=True,
    )
    planted = json.loads((tmp_path / "planted.json").read_text(encoding="utf-8"))
    (tmp_path / "known.json").write_text(json.dumps(planted["known"]))
    for name in ("dirty", "clean"):
        done = uvreport(
            "redact", "--known", str(tmp_path / "known.json"), str(tmp_path / f"{name}.log"),
            "-o", str(tmp_path / f"{name}.out"), env=world.env, cwd=world.project,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    scored = subprocess.run(
        [
            sys.executable, kit / "score.py", tmp_path / "planted.json", tmp_path / "dirty.out", "--json",
            "--input", tmp_path / "dirty.log", "--keep", tmp_path / "keep.json",
            "--clean", tmp_path / "clean.log", tmp_path / "clean.out",
        ],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    result = json.loads(scored.stdout)
    assert (result["leaked"], result["partial"], result["clean_lines_changed"]) == (0, 0, 0)
    assert result["keep_lost"] <= result["keep_total"] // 100
