"""Wheels of build backends: what was published goes in untouched, everything else stays here."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.redact.test_funnel import snapshot
from uvreport.bundle import Member
from uvreport.redact import public
from uvreport.redact.funnel import redact
from uvreport.redact.known import Known

if TYPE_CHECKING:
    from uvreport.bundle import Bundle

# Reads like a secret, and is code.
CODE = b"auth = 'Basic ' + encode(password)\nself.next_token = Token(name)\n"


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def wheel(
    name: str, files: dict[str, bytes], *, lies: tuple[str, ...] = (), unlisted: tuple[str, ...] = ()
) -> Member:
    """A wheel as published. What is in `lies` is not as RECORD says, what is in `unlisted` not in it."""
    stem = "-".join(name.split("-")[:2])
    info = f"{stem}.dist-info"
    rows = [
        f"{path},sha256={digest(data + b'!' * (path in lies))},{len(data)}"
        for path, data in files.items()
        if path not in unlisted
    ]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for path, data in files.items():
            packed.writestr(path, data)
        packed.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,", ""]))
    return Member(path=public.FOLDER + name, data=out.getvalue())


HATCHLING = "hatchling-1.2.3-py3-none-any.whl"
FILES = {
    "hatchling/build.py": CODE,
    "hatchling/__init__.py": b"",
    "hatchling-1.2.3.dist-info/METADATA": b"Name: x\n",
}


def through(*wheels: Member, known: Known | None = None, private: tuple[str, ...] = ()) -> Bundle:
    given = snapshot(Member(path="project/note.txt", data=b"Basic questions, and auth = 1\n"))
    given = replace(given, members=(*given.members, *wheels))
    return redact(given, known or Known(), private=private)


def inside(bundle: Bundle) -> dict[str, bytes]:
    (member,) = [member for member in bundle.members if member.path.startswith(public.FOLDER)]
    with zipfile.ZipFile(io.BytesIO(member.data)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def gaps(bundle: Bundle) -> dict[str, str]:
    return {gap.what: gap.why for gap in bundle.gaps if "build requirement" in gap.what}


def test_a_published_backend_goes_in_untouched_and_teaches_redaction_nothing() -> None:
    made = through(wheel(HATCHLING, FILES))
    assert {path: data for path, data in inside(made).items() if path in FILES} == FILES
    assert (
        next(m for m in made.members if m.path == "project/note.txt").data
        == b"Basic questions, and auth = 1\n"
    )
    assert not gaps(made)


@pytest.mark.parametrize(
    "name", ["acme_build-1.0-py3-none-any.whl", "hatchling-1.2.3+acme.1-py3-none-any.whl"]
)
def test_a_backend_that_is_somebodys_own_does_not_go_in_nor_its_name(name: str) -> None:
    files = {"acme_build/x.py": b"x = 1\n"}
    made = through(wheel(name, files))
    assert not [member for member in made.members if member.path.startswith(public.FOLDER)]
    (gap,) = gaps(made)
    assert "acme" not in gap


def test_a_backend_that_is_called_private_does_not_go_in() -> None:
    made = through(wheel(HATCHLING, FILES), private=("hatch*",))
    assert not [member for member in made.members if member.path.startswith(public.FOLDER)]


def test_files_that_were_not_published_so_are_left_out_and_counted() -> None:
    files = {**FILES, "hatchling/edited.py": b"token = 'mine'", "hatchling/added.py": b"x = 1"}
    made = through(wheel(HATCHLING, files, lies=("hatchling/edited.py",), unlisted=("hatchling/added.py",)))
    assert set(inside(made)) == {*FILES, "hatchling-1.2.3.dist-info/RECORD"}
    assert list(gaps(made)) == ["2 files of the build requirement hatchling"]


def test_a_record_goes_in_with_nothing_but_its_rows() -> None:
    made = wheel(HATCHLING, FILES)
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made.data)) as old, zipfile.ZipFile(data, "w") as new:
        for name in old.namelist():
            new.writestr(
                name, old.read(name) + (b"the password is hunter2\n" if name.endswith("RECORD") else b"")
            )
    record = inside(through(replace(made, data=data.getvalue())))["hatchling-1.2.3.dist-info/RECORD"]
    assert b"hunter2" not in record
    assert record.count(b"\n") == 4


def test_a_file_with_something_in_it_that_is_known_to_be_private_is_left_out() -> None:
    files = {**FILES, "hatchling/credits.py": b"# thanks to Mira Novak\n"}
    made = through(wheel(HATCHLING, files), known=Known(full_names=("Mira Novak",)))
    assert "hatchling/credits.py" not in inside(made)
    assert "hatchling/build.py" in inside(made)


def test_a_wheel_whose_metadata_has_something_private_stays_here() -> None:
    files = {**FILES, "hatchling-1.2.3.dist-info/METADATA": b"Author: Mira Novak\n"}
    made = through(wheel(HATCHLING, files), known=Known(full_names=("Mira Novak",)))
    assert "the build requirement hatchling" in gaps(made)


def test_a_wheel_that_is_put_elsewhere_is_redacted_like_everything() -> None:
    secret = b"password = 'hunter2-Xk39dQ'\n"
    made = replace(wheel(HATCHLING, {**FILES, "hatchling/x.py": secret}), path=f"home/wheels/{HATCHLING}")
    (member,) = [m for m in through(made).members if m.path.endswith(".whl")]
    with zipfile.ZipFile(io.BytesIO(member.data)) as packed:
        assert b"hunter2" not in packed.read("hatchling/x.py")
