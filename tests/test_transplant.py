"""Moving the entry at fault to where another release would look for it."""

from __future__ import annotations

from msgspec.structs import replace

from tests.test_sandbox import PLACES, bundle, file
from uvreport.bundle import Bundle, Member, Relation
from uvreport.transplant import Move, at_fault, moves, transplant

POINTER = "sdists-v9/path/0123456789abcdef/revision.rev"
BUILT = "sdists-v9/path/0123456789abcdef/abc/metadata.msgpack"
OTHER = "sdists-v9/path/fedcba9876543210/revision.rev"


def made(*more: Member, culprits: tuple[str, ...] = (POINTER,)) -> Bundle:
    return bundle(
        *(file(f"cache/{path}", path) for path in (POINTER, BUILT, OTHER)), *more, culprits=culprits,
        relations=(Relation(entry=POINTER, source="a.tar.gz", relation="equal"),),
    )  # fmt: skip


def paths(of: Bundle) -> set[str]:
    return {member.path.removeprefix("cache/") for member in of.members}


def test_the_entry_moves_with_what_is_filed_beside_it_and_nothing_else_does() -> None:
    moved = transplant(made(), "0.13.9")
    assert paths(moved) == {POINTER.replace("-v9", "-v11"), BUILT.replace("-v9", "-v11"), OTHER}
    assert at_fault(moved) == (POINTER.replace("-v9", "-v11"),)
    assert moved.relations[0].entry == POINTER.replace("-v9", "-v11")


def test_moved_the_release_looks_there() -> None:
    assert moves(made(), "0.13.9") == (Move("sdists-v9", "sdists-v11"),)
    assert moves(transplant(made(), "0.13.9"), "0.13.9") == ()
    assert moves(made(), "0.12.24") == ()


def test_where_nothing_has_to_move_the_bundle_is_the_same() -> None:
    before = made()
    assert transplant(before, "0.9.30") is before


def test_what_the_releases_own_bucket_has_there_gives_way() -> None:
    own = file("cache/" + POINTER.replace("-v9", "-v11"), "sound")
    (there,) = (m for m in transplant(made(own), "0.13.9").members if m.path == own.path)
    assert there.data == POINTER.encode()


def test_links_into_what_moved_are_led_there() -> None:
    link = Member(path="cache/wheels-v5/link", kind="link", target=f"{PLACES.cache}/{BUILT}")
    moved = transplant(made(link), "0.13.9")
    (there,) = (m for m in moved.members if m.kind == "link")
    assert there.target == f"{PLACES.cache}/{BUILT}".replace("-v9", "-v11")


def test_a_whole_bucket_at_fault_moves_as_a_whole() -> None:
    whole = replace(made(culprits=()), cure=("sdists-v9",))
    assert paths(transplant(whole, "0.13.0")) == {p.replace("-v9", "-v10") for p in (POINTER, BUILT, OTHER)}
    assert transplant(whole, "0.13.0").cure == ("sdists-v10",)


def test_a_release_without_such_a_bucket_cannot_be_asked() -> None:
    guilty = made(file("cache/binaries-v0/ruff/x", "x"), culprits=("binaries-v0/ruff/x",))
    assert moves(guilty, "0.5.0") == ()
