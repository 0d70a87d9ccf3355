"""Private package names become other valid names, the same ones wherever and however they are written."""

from __future__ import annotations

import base64
import contextlib
import re
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.failing_states import STATES
from tests.failing_states.archives import _wheelhouse
from tests.failing_states.state import (
    State,
    on_path,
    one,
    person,
    put,
    served,
    uv_does,
    wheel,
    without_venv,
)
from tests.redact.test_funnel import snapshot
from tests.stories import collect
from uvreport.bundle import Uv
from uvreport.errors import CannotWriteError, RedactionError, SecretFoundError
from uvreport.pack import open_bundle
from uvreport.redact import keepmap
from uvreport.redact.known import Known
from uvreport.redact.ledger import Ledger
from uvreport.redact.packages import applied, normalised, renamed, spellings
from uvreport.report import _last_look

NAME = st.from_regex(r"acme(-[a-z]{1,9}){1,3}", fullmatch=True)
VALID = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


def texts(*names: str) -> list[bytes]:
    return ["\n".join(f'name = "{name}"' for name in names).encode()]


@given(st.sets(NAME, min_size=1, max_size=30))
def test_new_names_are_valid_distinct_as_long_and_in_the_same_order(olds: set[str]) -> None:
    pairs = renamed(texts(*olds), ["acme-*"])
    assert {old for old, _ in pairs} == olds
    news = [new for _, new in sorted(pairs)]
    assert news == sorted(set(news))
    for old, new in pairs:
        assert VALID.fullmatch(new)
        assert normalised(new) == new
        assert len(new) == len(old)
        assert "acme" not in new


def test_a_name_without_a_joint_gets_one_without_so_that_wheels_and_imports_stay_valid() -> None:
    ((_, new),) = renamed(texts("billing"), ["billing"])
    assert new.isidentifier()
    assert len(new) == len("billing")


def test_a_new_name_is_never_one_that_another_package_has() -> None:
    pairs = renamed([*texts("private-1", "acme-core"), b'acme "private-1"'], ["acme-*"])
    assert dict(pairs)["acme-core"] != "private-1"


@pytest.mark.parametrize(
    "spelled", ["acme-core-lib", "Acme_Core.Lib", "ACME.core_lib", "acme__core__lib", "acme-core_lib"]
)
def test_every_spelling_of_a_name_is_replaced(spelled: str) -> None:
    pairs = renamed(texts("acme-core-lib"), ["acme-*"])
    assert not re.search(r"(?i)acme", applied(f"see {spelled}-1.0", pairs))


@pytest.mark.parametrize(
    "text",
    [
        "acme-core==1.0\n", "acme-core\n", "acme_core-1.0-py3-none-any.whl", "acme_core-1.0.dist-info/METADATA",
        "`acme-core v1.0`", "`acme-core @ file:///x`", 'dependencies = ["Acme.Core>=1"]', "acme-core[x] >= 2\n",
        "Name: Acme_Core\n", "vendor/acme-core/pyproject.toml", "import acme_core\n",
    ],
)  # fmt: skip
def test_a_name_is_found_wherever_it_is_called_by(text: str) -> None:
    assert [old for old, _ in renamed([text.encode()], ["acme-*"])] == ["acme-core"]


def test_what_only_begins_alike_stays() -> None:
    assert renamed([b'name = "acmeology"\n', b"a pacme-core b"], ["acme-*"]) == ()


def test_the_version_of_a_file_is_no_part_of_the_name() -> None:
    lock = b'{ path = "vendor/acme_core-4.1.0.tar.gz" }\n["acme_core-4.1.0"]\n'
    assert [old for old, _ in renamed([lock], ["acme-*"])] == ["acme-core"]


def test_a_word_of_uvs_own_files_is_refused_as_a_private_name() -> None:
    with pytest.raises(RedactionError, match="The package name project"):
        renamed(texts("project"), ["project"])


def test_all_spellings_lead_to_one_normalised_name() -> None:
    pairs = renamed(texts("acme-core-lib", "acme-x"), ["acme-*"])
    news = dict(pairs)
    for old, new in spellings(pairs):
        assert normalised(new) == news[normalised(old)]


# With real releases. What is searched here is searched by the test's own means: the file, unpacked.


def laid_open(path: str) -> bytes:
    bundle = open_bundle(path)
    with zipfile.ZipFile(path) as packed:
        out = [packed.read(name) for name in packed.namelist() if not name.endswith(".zst")]
    for member in bundle.members:
        out += [member.path.encode(), member.target.encode(), member.data]
        if member.path.endswith(".whl"):
            with zipfile.ZipFile(BytesIO(member.data)) as inner:
                out += [name.encode() + inner.read(name) for name in inner.namelist()]
    return b"\0".join([*out, bundle.run.stdout.encode(), bundle.run.stderr.encode()])


def proves(state: State, out: Path, *patterns: str, private: str) -> None:
    options = [word for pattern in patterns for word in ("--private", pattern)]
    code, said, error = collect(state, out, *options)
    assert code == 0, error
    assert said["proof"]["verdict"] == "REPRODUCED", said["proof"]
    assert said["renamed"]
    assert re.search(private.encode(), laid_open(said["bundle"]), re.IGNORECASE) is None
    assert re.search(private, Path(said["issue"]).read_text(), re.IGNORECASE) is None


@pytest.mark.parametrize(
    ("name", "patterns", "private"),
    [
        ("seed", ("my-package", "billing-*"), r"my[-_.]package|billing[-_.]service"),
        ("planner", ("acme-*",), "acme"),
        ("cut_sdist_pointer", ("acme-*",), "acme"),
        ("emptied_metadata", ("acme-*",), "acme"),
    ],
)
def test_a_failure_is_still_the_same_when_its_packages_have_other_names(
    name: str, patterns: tuple[str, ...], private: str, uv_release: Callable[[str], Uv], tmp_path: Path
) -> None:
    proves(STATES[name](tmp_path / name, uv_release), tmp_path / "out", *patterns, private=private)


def _failing(who: object, uv: Uv) -> State:
    return State(
        person=who, argv=("uv", "sync"), uv=uv, exit_code=2, lines=(), class_="cache-corruption"  # type: ignore[arg-type]  # a Person
    )  # fmt: skip


def test_a_cut_pointer_to_a_private_wheel_still_fails_the_same_way(
    uv_release: Callable[[str], Uv], tmp_path: Path
) -> None:
    who = _wheelhouse(tmp_path / "state", "harald.p", "servo", "acme-gpio", "0.2.2")
    uv_does(who, uv_release("0.9.30"), "sync")
    without_venv(who)
    pointer = one(who, "wheels-v*/index/*/acme-gpio/*.rev")
    put(pointer, pointer.read_bytes()[:10])
    proves(_failing(who, on_path(who, uv_release("0.9.30"))), tmp_path / "out", "acme-*", private="acme")


def test_a_private_wheel_from_an_index_is_found_again_under_its_new_url(
    uv_release: Callable[[str], Uv], tmp_path: Path
) -> None:
    text = (
        '[project]\nname = "servo"\nversion = "0.1.0"\nrequires-python = ">=3.10"\ndependencies = ["acme-gpio"]\n'
        '[tool.uv]\npackage = false\n[[tool.uv.index]]\ndefault = true\nurl = "{}/"\n'
    )
    who = person(tmp_path / "state", "harald.p", "servo", {})
    wheel(who.root / "index" / "acme-gpio", "acme-gpio", "0.2.2")
    with served(who.root / "index") as url:
        (who.project / "pyproject.toml").write_text(text.format(url))
        uv_does(who, uv_release("0.9.30"), "sync")
    without_venv(who)
    put(one(who, "archive-v0/*/acme_gpio-0.2.2.dist-info/METADATA"), b"")
    proves(_failing(who, on_path(who, uv_release("0.9.30"))), tmp_path / "out", "acme-*", private="acme")


def test_the_last_look_finds_a_private_name_that_is_left_in_any_encoding() -> None:
    ledger = Ledger()
    ledger.fix("package", b"acme-core", "private-1")
    for left in (b"a Acme_Core b", b"acme%2Dcore", base64.b64encode(b"see acme.core there"), b"nothing"):
        out = BytesIO()
        with zipfile.ZipFile(out, "w") as packed:
            packed.writestr("a.txt", left)
        refused = contextlib.nullcontext() if left == b"nothing" else pytest.raises(SecretFoundError)
        with refused:
            _last_look(out.getvalue(), Known(), snapshot(), ledger)


def test_a_map_is_written_through_no_link_and_over_no_file(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.place("secret", b"hunter2-Prod!2026")
    aim, link = tmp_path / "aim.json", tmp_path / "link.json"
    link.symlink_to(aim)
    for path in (link, tmp_path / "nowhere" / "map.json"):
        with pytest.raises(CannotWriteError):
            keepmap.can_write(str(path))
        with pytest.raises(CannotWriteError):
            keepmap.write(str(path), ledger)
    assert not aim.exists()
    keepmap.write(str(aim), ledger)
    assert aim.stat().st_mode & 0o777 == 0o600
