"""Every fetch here goes to an index on the loopback that serves wheels made from a real uv.

Small executables stand in for uv only where many releases or a wrong one are needed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import multiprocessing
import os
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import MACHINE
from tests.failing_states.state import served
from uvreport import releases, uv
from uvreport.bundle import Uv
from uvreport.errors import CannotWriteError, NoUsableUvError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-ins are shell scripts")

REFUSED_PORT = "http://127.0.0.1:9/simple/"  # the discard port, which nobody listens on


def script(release: str) -> bytes:
    return f'#!/bin/sh\necho "uv {release}"\n'.encode()


def write_wheel(folder: Path, release: str, executable: bytes, *, listed: bytes | None = None) -> Path:
    """A wheel of uv as its makers lay it out; `listed` is what RECORD says that the executable is."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"uv-{release}.dist-info"
    files = {
        f"uv-{release}.data/scripts/uv": executable,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: uv\nVersion: {release}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
    }
    rows = []
    for name, data in files.items():
        stated = listed if listed is not None and name.endswith("/uv") else data
        digest = base64.urlsafe_b64encode(hashlib.sha256(stated).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(stated)}\n")
    path = folder / f"uv-{release}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr(f"{info}/RECORD", "".join(rows) + f"{info}/RECORD,,\n")
    return path


def list_wheels(shelf: Path, *, wrong_hash: bool = False) -> None:
    page = shelf / "simple" / "uv"
    page.mkdir(parents=True, exist_ok=True)
    links = []
    for path in sorted(shelf.glob("*.whl")):
        digest = "0" * 64 if wrong_hash else hashlib.sha256(path.read_bytes()).hexdigest()
        links.append(f'<a href="/{path.name}#sha256={digest}">{path.name}</a>')
    (page / "index.html").write_text("<!DOCTYPE html><html><body>" + "".join(links) + "</body></html>")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "shelf"


@pytest.fixture
def index(shelf: Path) -> Iterator[str]:
    shelf.mkdir(exist_ok=True)
    with served(shelf) as url:
        yield f"{url}/simple/"


@pytest.fixture
def env(tmp_path: Path, index: str) -> dict[str, str]:
    """A machine with an empty home, no uv, and pip and uv set to the loopback index."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index,
        "UV_INDEX_URL": index,
        "UV_HTTP_RETRIES": "0",
    }


def fill(shelf: Path, *names: str) -> None:
    for release in names:
        write_wheel(shelf, release, script(release))
    list_wheels(shelf)


# --- which there are ------------------------------------------------------------------------------


def test_known_releases_are_in_order_and_reach_from_the_first_to_the_newest(env: dict[str, str]) -> None:
    known = releases.known(env)
    assert list(known) == sorted(known, key=releases.order)
    assert known[-1] == releases.newest(env)
    assert releases.order("0.10.0") > releases.order("0.9.30")
    assert {"0.1.3", "0.6.6", "0.6.7", "0.9.30", "0.10.0", "0.13.9"} <= set(known)


def test_a_release_that_is_only_on_disk_is_known(env: dict[str, str], shelf: Path) -> None:
    fill(shelf, "99.0.1")
    releases.obtain("99.0.1", environ=env)
    assert releases.newest(env) == "99.0.1"


# --- where one is taken from ----------------------------------------------------------------------


def test_a_real_release_is_fetched_by_pip_checked_and_runs(
    env: dict[str, str], shelf: Path, uv_release: Callable[[str], Uv]
) -> None:
    real = Path(os.path.realpath(uv_release("0.6.6").path)).read_bytes()
    write_wheel(shelf, "0.6.6", real)
    list_wheels(shelf)
    found = releases.obtain("0.6.6", environ=env)
    assert (found.release, found.version_text) == ("0.6.6", "uv 0.6.6")
    assert found.path == os.path.join(env["HOME"], ".cache", "uvreport", "releases", "0.6.6", "uv")
    assert Path(found.path).read_bytes() == real
    assert uv.identify(found.path).release == "0.6.6"


def test_a_uv_on_path_fetches_through_the_index_that_uv_is_set_to(
    env: dict[str, str], shelf: Path, uv_release: Callable[[str], Uv]
) -> None:
    fill(shelf, "99.0.1")
    env |= {"PATH": os.path.dirname(uv_release("0.9.30").path), "PIP_INDEX_URL": REFUSED_PORT}
    found = releases.obtain("99.0.1", environ=env)
    assert json.loads(Path(found.path).with_name("record.json").read_text())["source"] == "uv 0.9.30"


def test_pip_is_asked_where_the_uv_on_path_cannot_reach_its_index(
    env: dict[str, str], shelf: Path, uv_release: Callable[[str], Uv]
) -> None:
    fill(shelf, "99.0.1")
    env |= {"PATH": os.path.dirname(uv_release("0.9.30").path), "UV_INDEX_URL": REFUSED_PORT}
    found = releases.obtain("99.0.1", environ=env)
    assert json.loads(Path(found.path).with_name("record.json").read_text())["source"] == "pip"


def test_the_caches_of_uv_and_pip_are_left_alone(
    env: dict[str, str], shelf: Path, uv_release: Callable[[str], Uv]
) -> None:
    fill(shelf, "99.0.1", "99.0.2")
    releases.obtain("99.0.1", environ=env)
    releases.obtain("99.0.2", environ=env | {"PATH": os.path.dirname(uv_release("0.9.30").path)})
    assert os.listdir(os.path.join(env["HOME"], ".cache")) == ["uvreport"]
    assert os.listdir(env["HOME"]) == [".cache"]


def test_settings_in_the_folder_that_one_stands_in_are_not_asked(
    env: dict[str, str],
    shelf: Path,
    tmp_path: Path,
    uv_release: Callable[[str], Uv],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # That folder may be a stranger's project.
    fill(shelf, "99.0.1")
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "uv.toml").write_text('no-index = true\nfind-links = ["."]\n')
    write_wheel(strange, "99.0.1", b"#!/bin/sh\necho uv 99.0.1; touch owned\n")
    monkeypatch.chdir(strange)
    found = releases.obtain("99.0.1", environ=env | {"PATH": os.path.dirname(uv_release("0.9.30").path)})
    assert Path(found.path).read_bytes() == script("99.0.1")


def test_what_a_person_set_for_their_own_installs_does_not_hinder(env: dict[str, str], shelf: Path) -> None:
    fill(shelf, "99.0.1")
    env |= {
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_TARGET": "/nowhere",
        "PIP_NO_BINARY": ":all:",
        "PIP_USER": "1",
    }
    assert releases.obtain("99.0.1", environ=env).release == "99.0.1"


def test_an_environment_without_pip_makes_itself_one(
    env: dict[str, str], shelf: Path, tmp_path: Path
) -> None:
    fill(shelf, "99.0.1")
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    ours = os.pathsep.join(
        path for path in sys.path if path and "site-packages" not in path and "/lib/" not in path
    )
    import msgspec

    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "msgspec").symlink_to(os.path.dirname(msgspec.__file__))
    (linked / "uvreport").symlink_to(os.path.dirname(releases.__file__))
    code = "import importlib.util as i; assert i.find_spec('pip') is None\n"
    code += "from uvreport import releases; print(releases.obtain('99.0.1').release)"
    said = subprocess.run(
        [bare / "bin" / "python", "-c", code],
        env=env | {"PYTHONPATH": f"{linked}{os.pathsep}{ours}"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout == "99.0.1\n"


def test_a_uv_on_path_that_is_the_release_is_taken(
    env: dict[str, str], uv_release: Callable[[str], Uv]
) -> None:
    there = uv_release("0.9.30")
    found = releases.obtain("0.9.30", offline=True, environ=env | {"PATH": os.path.dirname(there.path)})
    assert found.path == there.path
    assert not os.path.exists(releases.store(env))


def test_a_broken_uv_on_path_is_passed_over(env: dict[str, str], shelf: Path, tmp_path: Path) -> None:
    fill(shelf, "99.0.1")
    broken = tmp_path / "broken" / "uv"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    found = releases.obtain("99.0.1", environ=env | {"PATH": f"{broken.parent}:{env['PATH']}"})
    assert found.release == "99.0.1"


@pytest.mark.parametrize("inner", ["bin/uv", "uv"])
def test_a_folder_of_releases_can_be_named(env: dict[str, str], tmp_path: Path, inner: str) -> None:
    path = tmp_path / "uvs" / "99.0.1" / inner
    path.parent.mkdir(parents=True)
    path.write_bytes(script("99.0.1"))
    path.chmod(0o755)
    env["UVREPORT_UVS"] = os.pathsep.join(("/nowhere", str(tmp_path / "uvs")))
    assert releases.obtain("99.0.1", offline=True, environ=env).path == str(path)
    assert "99.0.1" in releases.known(env)


# --- checked --------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_uv", [False, True])
def test_an_executable_that_is_not_the_one_in_record_is_refused(
    env: dict[str, str], shelf: Path, uv_release: Callable[[str], Uv], with_uv: bool
) -> None:
    write_wheel(shelf, "99.0.1", script("99.0.1"), listed=b"another")
    list_wheels(shelf)
    if with_uv:
        env["PATH"] = os.path.dirname(uv_release("0.9.30").path)
    with pytest.raises(NoUsableUvError, match="not the one that its RECORD lists"):
        releases.obtain("99.0.1", environ=env)
    assert os.listdir(releases.store(env)) == [".locks"]


@pytest.mark.parametrize("with_uv", [False, True])
def test_a_wheel_that_is_not_the_one_that_the_index_announced_is_refused(
    env: dict[str, str], shelf: Path, uv_release: Callable[[str], Uv], with_uv: bool
) -> None:
    write_wheel(shelf, "99.0.1", script("99.0.1"))
    list_wheels(shelf, wrong_hash=True)
    if with_uv:
        env["PATH"] = os.path.dirname(uv_release("0.9.30").path)
    with pytest.raises(NoUsableUvError, match="could not be fetched"):
        releases.obtain("99.0.1", environ=env)
    assert os.listdir(releases.store(env)) == [".locks"]


def test_a_wheel_whose_executable_is_another_release_is_refused(env: dict[str, str], shelf: Path) -> None:
    write_wheel(shelf, "99.0.1", script("99.0.2"))
    list_wheels(shelf)
    with pytest.raises(NoUsableUvError, match=r"says that it is 99\.0\.2"):
        releases.obtain("99.0.1", environ=env)


def test_a_stored_executable_that_was_changed_is_fetched_again(env: dict[str, str], shelf: Path) -> None:
    fill(shelf, "99.0.1")
    path = Path(releases.obtain("99.0.1", environ=env).path)
    path.write_bytes(script("99.0.1") + b"# tampered with\n")
    with pytest.raises(NoUsableUvError, match="was changed since"):
        releases.obtain("99.0.1", offline=True, environ=env)
    assert Path(releases.obtain("99.0.1", environ=env).path).read_bytes() == script("99.0.1")


def test_a_stored_executable_that_was_only_touched_is_taken(env: dict[str, str], shelf: Path) -> None:
    fill(shelf, "99.0.1")
    path = releases.obtain("99.0.1", environ=env).path
    os.utime(path, (1, 1))
    assert releases.obtain("99.0.1", offline=True, environ=env).path == path


def test_a_release_from_the_store_costs_less_than_a_process(env: dict[str, str], shelf: Path) -> None:
    fill(shelf, "99.0.1")
    releases.obtain("99.0.1", environ=env)
    begin = time.perf_counter()
    for _ in range(100):
        releases.obtain("99.0.1", offline=True, environ=env)
    assert (time.perf_counter() - begin) / 100 < 0.001


# --- several at once, and cut short ---------------------------------------------------------------


def _obtain(env: dict[str, str], told: multiprocessing.Queue[str]) -> None:
    fetched: list[str] = []
    releases.obtain("99.0.1", environ=env, progress=fetched.append)
    told.put(",".join(fetched))


def test_of_several_processes_one_fetches_and_all_have_it(env: dict[str, str], shelf: Path) -> None:
    fill(shelf, "99.0.1")
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_obtain, args=(env, told)) for _ in range(3)]
    for process in processes:
        process.start()
    answers = sorted(told.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert answers == ["", "", "fetching uv 99.0.1"]
    assert sorted(os.listdir(releases.store(env))) == [".locks", "99.0.1"]


def test_what_a_killed_fetch_left_behind_does_not_hinder_the_next(env: dict[str, str], shelf: Path) -> None:
    fill(shelf, "99.0.1", "99.0.2")
    root = Path(releases.store(env))
    (root / "99.0.1").mkdir(parents=True)
    (root / "99.0.1" / "uv").write_bytes(b"half")
    left = root / ".staging-of-the-killed"
    left.mkdir()
    os.utime(left, (1, 1))
    assert releases.obtain("99.0.1", environ=env).release == "99.0.1"
    assert not left.exists()


# --- kept within bounds ---------------------------------------------------------------------------


def _age(env: dict[str, str], release: str, seconds: float) -> None:
    note = os.path.join(releases.store(env), release, "record.json")
    then = time.time() - seconds
    os.utime(note, (then, then))


def _forget_what_was_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "_handed_out", set())  # as in the next process


def test_the_least_recently_used_goes_when_the_store_is_full(
    env: dict[str, str], shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        write_wheel(shelf, f"99.0.{number}", script(f"99.0.{number}") + b"#" * 700_000)
    list_wheels(shelf)
    env["UVREPORT_RELEASES_MB"] = "2"
    releases.obtain("99.0.1", environ=env)
    releases.obtain("99.0.2", environ=env)
    _forget_what_was_handed_out(monkeypatch)
    _age(env, "99.0.1", 5000)
    _age(env, "99.0.2", 9000)
    releases.obtain("99.0.3", environ=env)
    assert sorted(os.listdir(releases.store(env))) == [".locks", "99.0.1", "99.0.3"]


def test_what_this_process_uses_stays_however_old(env: dict[str, str], shelf: Path) -> None:
    fill(shelf, "99.0.1", "99.0.2")
    env["UVREPORT_RELEASES_MB"] = "0"
    used = releases.obtain("99.0.1", environ=env)
    _age(env, "99.0.1", 9000)
    releases.obtain("99.0.2", environ=env)
    assert os.path.exists(used.path)


def test_what_another_process_was_given_a_moment_ago_stays(
    env: dict[str, str], shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(shelf, "99.0.1", "99.0.2")
    env["UVREPORT_RELEASES_MB"] = "0"
    used = releases.obtain("99.0.1", environ=env)
    _forget_what_was_handed_out(monkeypatch)
    _age(env, "99.0.1", 30)
    releases.obtain("99.0.2", environ=env)
    assert os.path.exists(used.path)


def test_what_this_process_fetched_and_let_go_may_make_room(
    env: dict[str, str], shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(shelf, "99.0.1", "99.0.2")
    env["UVREPORT_RELEASES_MB"] = "0"
    here_before = releases.obtain("99.0.1", environ=env)
    _forget_what_was_handed_out(monkeypatch)
    monkeypatch.setattr(releases, "_fetched", set())
    fetched = releases.obtain("99.0.2", environ=env)
    releases.let_go(here_before, environ=env)
    assert os.path.exists(here_before.path)
    assert os.path.exists(fetched.path)
    releases.let_go(fetched, environ=env)
    assert not os.path.exists(fetched.path)


def test_a_release_is_written_as_three_numbers() -> None:
    assert releases.is_release("0.6.6")
    assert not any(map(releases.is_release, ("v0.6.6", "0.6", "latest", "")))


def test_a_size_that_is_no_number_is_said_so(env: dict[str, str], shelf: Path) -> None:
    fill(shelf, "99.0.1")
    with pytest.raises(UsageError, match="UVREPORT_RELEASES_MB is '3 GB'"):
        releases.obtain("99.0.1", environ=env | {"UVREPORT_RELEASES_MB": "3 GB"})


# --- what cannot be done --------------------------------------------------------------------------


def test_offline_nothing_is_fetched(env: dict[str, str], shelf: Path) -> None:
    fill(shelf, "99.0.1")
    with pytest.raises(NoUsableUvError, match="not on this machine, and the network was not to be used"):
        releases.obtain("99.0.1", offline=True, environ=env)
    assert not os.path.exists(releases.store(env))


@pytest.mark.parametrize("with_uv", [False, True])
@pytest.mark.parametrize(
    ("release", "words"), [("99.0.2", "There is no uv 99.0.2"), ("0.6.6", "has no uv 0.6.6 for this machine")]
)
def test_a_release_that_the_index_does_not_have_is_told_from_one_that_nobody_has(
    env: dict[str, str], shelf: Path, uv_release: Callable[[str], Uv], release: str, words: str, with_uv: bool
) -> None:
    fill(shelf, "99.0.1")
    if with_uv:
        env["PATH"] = os.path.dirname(uv_release("0.9.30").path)
    with pytest.raises(NoUsableUvError, match=words):
        releases.obtain(release, environ=env)


@pytest.mark.parametrize("with_uv", [False, True])
def test_an_index_that_cannot_be_reached_is_said_so(
    env: dict[str, str], uv_release: Callable[[str], Uv], with_uv: bool
) -> None:
    env |= {"PIP_INDEX_URL": REFUSED_PORT, "UV_INDEX_URL": REFUSED_PORT}
    if with_uv:
        env["PATH"] = os.path.dirname(uv_release("0.9.30").path)
    with pytest.raises(NoUsableUvError, match="the package index cannot be reached"):
        releases.obtain("0.6.6", environ=env)


def test_credentials_of_the_index_are_not_in_the_message(
    env: dict[str, str], shelf: Path, index: str
) -> None:
    write_wheel(shelf, "99.0.1", script("99.0.1"))
    list_wheels(shelf, wrong_hash=True)
    env["PIP_INDEX_URL"] = index.replace("http://", "http://reader:Kq9-reader-token@")
    with pytest.raises(NoUsableUvError) as caught:
        releases.obtain("99.0.1", environ=env)
    assert "Kq9" not in caught.value.message + caught.value.hint


def test_a_store_that_cannot_be_written_is_said_so(env: dict[str, str], shelf: Path, tmp_path: Path) -> None:
    fill(shelf, "99.0.1")
    (tmp_path / "file").write_bytes(b"")
    env["UVREPORT_CACHE_DIR"] = str(tmp_path / "file")
    with pytest.raises(CannotWriteError, match="cannot be kept in"):
        releases.obtain("99.0.1", environ=env)


# --- what `--uv TEXT` means -----------------------------------------------------------------------


def test_a_path_is_asked_which_release_it_is(env: dict[str, str], uv_release: Callable[[str], Uv]) -> None:
    path = uv_release("0.6.7").path
    assert releases.resolve(path, environ=env) == Uv(path=path, release="0.6.7", version_text="uv 0.6.7")


@pytest.mark.parametrize("with_uv", [False, True])
def test_the_latest_is_what_the_index_says(
    env: dict[str, str], shelf: Path, uv_release: Callable[[str], Uv], with_uv: bool
) -> None:
    fill(shelf, "99.0.9", "99.0.10")
    if with_uv:
        env["PATH"] = os.path.dirname(uv_release("0.9.30").path)
    assert releases.resolve("latest", environ=env).release == "99.0.10"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("latest", "cannot be asked without the network"), ("0.6", "neither a uv release nor a file"),
        ("/nowhere/uv", "neither a uv release nor a file"), ("/", "is a directory"),
    ],
)  # fmt: skip
def test_what_is_no_uv_is_said_so(env: dict[str, str], text: str, words: str) -> None:
    with pytest.raises(NoUsableUvError, match=words) as caught:
        releases.resolve(text, offline=True, environ=env)
    assert caught.value.hint
    assert caught.value.exit_code == 6


def test_the_store_follows_its_variables(env: dict[str, str]) -> None:
    linux = sys.platform not in ("win32", "darwin")
    if linux:
        assert releases.store({"HOME": "/h"}) == "/h/.cache/uvreport/releases"
        assert releases.store({"HOME": "/h", "XDG_CACHE_HOME": "relative"}) == "/h/.cache/uvreport/releases"
    assert releases.store({"HOME": "/h", "XDG_CACHE_HOME": "/x"}) == "/x/uvreport/releases"
    assert releases.store({"HOME": "/h", "UVREPORT_CACHE_DIR": "/u"}) == "/u/releases"


def test_the_store_is_for_its_owner_only(env: dict[str, str], shelf: Path) -> None:
    fill(shelf, "99.0.1")
    path = releases.obtain("99.0.1", environ=env).path
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o755
    assert MACHINE is not env
