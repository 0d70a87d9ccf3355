"""What goes through the funnel holds nothing private anywhere, and is put together so that uv still finds it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.redact.test_engine import spellings
from uvreport import pack
from uvreport.bundle import Bundle, Culprit, Failure, Gap, Member, Places, Relation, Run, Snapshot, Uv
from uvreport.cache.keys import digest, interpreter_file
from uvreport.errors import RedactionError
from uvreport.redact.funnel import counts, redact, redacted
from uvreport.redact.known import Known
from uvreport.redact.lastlook import search
from uvreport.redact.rule import Rule
from uvreport.redact.structured import parsed

HOME, PROJECT, CACHE = "/home/zoe.quill", "/home/zoe.quill/work/acme/proj", "/var/zq/cache"
SAMPLES = Path(__file__).resolve().parents[2] / "sample_bundles"
SECRET = "hunter2-Prod!2026"
OLD = digest("file:///home/zoe.quill/work/acme/proj/libs/dep")
NEW = digest("file:///home/user/dir1/dir2/project/libs/dep")
REVISION = msgspec.msgpack.encode(
    [[[1, 2], None, None, {"BUILD_FLAVOUR": SECRET}, {"src": None}], ["a" * 21, []]]
)
PYPROJECT = f"""[project]
name = "acme-app"
authors = [{{ name = "Zoë Quill", email = "zoe@quill.example" }}]
[tool.uv.sources]
dep = {{ path = "libs/dep" }}
[[tool.uv.index]]
url = "https://svc:{SECRET}@pypi.quill.example/simple"
"""
KNOWN = Known(users=("zoe.quill",), homes=(HOME,), domains=("quill.example",), hosts=("zq-laptop",))


def snapshot(*members: Member, **changes: Any) -> Snapshot:
    base = Snapshot(
        created="2026-11-22T00:00:00Z",
        tool="0",
        platform="linux",
        places=Places(
            home=HOME, project=PROJECT, cache=CACHE, cwd=f"{PROJECT}/libs", venv=f"{PROJECT}/.venv"
        ),
        run=Run(
            argv=(
                "uv",
                "sync",
                "--index-url",
                f"https://svc:{SECRET}@pypi.quill.example/simple",
                "--cache-dir",
                CACHE,
            ),
            examined=("uv", "sync", "-v"),
            cwd=f"{PROJECT}/libs",
            env={
                "UV_CACHE_DIR": CACHE,
                "UV_PUBLISH_TOKEN": SECRET,
                "UV_INDEX_URL": "https://pypi.quill.example/simple",
            },
            exit_code=2,
            stdout="",
            stderr=f"DEBUG Acquired lock for `{CACHE}/sdists-v9/path/{OLD}`\nerror: at {PROJECT}/libs/dep with {SECRET}\n",
            duration_s=0.1,
            uv=Uv(path=f"{HOME}/.local/bin/uv", release="0.6.8"),
        ),
        failure=Failure(
            class_="cache-corruption",
            signature="x:1",
            frames=(f"bad {PROJECT}",),
            chain=f"error: bad {PROJECT}",
        ),
        culprits=(
            Culprit(
                path=f"sdists-v9/path/{OLD}/revision.rev",
                kind="revision.rev",
                state="truncated",
                reason="cut",
                size_bytes=len(REVISION),
                sha256=hashlib.sha256(REVISION).hexdigest(),
                decoded={"env": {"BUILD_FLAVOUR": SECRET}},
            ),
        ),
        missing=(f"sdists-v9/path/{OLD}/src",),
        cure=(f"sdists-v9/path/{OLD}/revision.rev",),
        members=(
            Member(path="project/pyproject.toml", data=PYPROJECT.encode()),
            Member(path="project/libs/dep/setup.py", data=b"from setuptools import setup\nsetup()\n"),
            Member(path=f"cache/sdists-v9/path/{OLD}/revision.rev", data=REVISION),
            Member(
                path=f"cache/sdists-v9/path/{OLD}/a/dep-1-py3-none-any",
                kind="link",
                target=f"{CACHE}/archive-v0/abc",
            ),
            Member(
                path="home/.netrc",
                data=f"machine pypi.quill.example\nlogin svc\npassword {SECRET}\n".encode(),
            ),
            *members,
        ),
        gaps=(Gap(what=f"{HOME}/x", why="not there"),),
        relations=(
            Relation(entry=f"sdists-v9/path/{OLD}/revision.rev", source="libs/dep", relation="equal"),
        ),
    )
    return msgspec.structs.replace(base, **changes)


def member(bundle: Bundle, path: str) -> Member:
    return next(one for one in bundle.members if one.path == path)


def finished(bundle: Bundle) -> bytes:
    return pack.write(bundle, "issue", "<p>report</p>")


def test_a_cache_key_is_made_anew_for_the_place_where_its_source_will_be() -> None:
    bundle = redact(snapshot(), KNOWN)
    assert bundle.culprits[0].path == f"sdists-v9/path/{NEW}/revision.rev"
    assert bundle.missing == (f"sdists-v9/path/{NEW}/src",)
    assert bundle.cure == (f"sdists-v9/path/{NEW}/revision.rev",)
    assert bundle.relations[0].entry == f"sdists-v9/path/{NEW}/revision.rev"
    assert NEW in bundle.run.stderr
    assert not any(OLD in one.path for one in bundle.members)


def test_links_into_the_cache_lead_to_where_the_cache_will_be() -> None:
    bundle = redact(snapshot(), KNOWN)
    link = member(bundle, f"cache/sdists-v9/path/{NEW}/a/dep-1-py3-none-any")
    assert link.target == "/home/user/.cache/uv/archive-v0/abc"


def test_the_places_of_a_bundle_are_the_canonical_ones() -> None:
    bundle = redact(snapshot(), KNOWN)
    assert bundle.places == Places(
        home="/home/user",
        project="/home/user/dir1/dir2/project",
        cache="/home/user/.cache/uv",
        cwd="/home/user/dir1/dir2/project/libs",
        venv="/home/user/dir1/dir2/project/.venv",
    )
    assert bundle.run.cwd == bundle.places.cwd


def test_an_entry_of_the_cache_stays_decodable_and_loses_the_values_of_variables() -> None:
    bundle = redact(snapshot(), KNOWN)
    data = member(bundle, f"cache/sdists-v9/path/{NEW}/revision.rev").data
    info, _ = msgspec.msgpack.decode(data)
    assert info[3]["BUILD_FLAVOUR"] != SECRET
    assert info[:3] == [[1, 2], None, None]
    assert bundle.culprits[0].sha256 == hashlib.sha256(data).hexdigest()


def test_one_secret_has_one_placeholder_in_the_whole_bundle() -> None:
    bundle = redact(snapshot(), KNOWN)
    token = bundle.run.env["UV_PUBLISH_TOKEN"]
    assert f"svc:{token}@".encode().replace(b"svc", b"") in member(
        bundle, "project/pyproject.toml"
    ).data.replace(b"account1", b"")
    assert f"password {token}\n".encode() in member(bundle, "home/.netrc").data
    assert bundle.run.stderr.endswith(f"with {token}\n")
    assert bundle.culprits[0].decoded == {"env": {"BUILD_FLAVOUR": token}}


def test_the_finished_file_holds_nothing_of_what_is_known() -> None:
    private = snapshot()
    bundle, ledger = redacted(private, KNOWN)
    known = msgspec.structs.replace(KNOWN, secrets=(SECRET,), full_names=("Zoë Quill",))
    assert search(finished(bundle), known, private, values=ledger.values("secret")) == []


def test_the_signature_is_not_touched() -> None:
    assert redact(snapshot(), KNOWN).failure.signature == "x:1"


def test_redacting_what_was_redacted_changes_nothing() -> None:
    once = redact(snapshot(), KNOWN)
    private = Snapshot(**{name: getattr(once, name) for name in Snapshot.__struct_fields__})
    twice = redact(private, KNOWN)
    assert twice.members == once.members
    assert twice.run == once.run
    assert twice.culprits == once.culprits


def test_two_runs_on_the_same_state_give_the_same_bundle() -> None:
    assert redact(snapshot(), KNOWN) == redact(snapshot(), KNOWN)


def test_a_toml_file_still_parses_and_says_the_same_apart_from_strings() -> None:
    told = parsed("toml", member(redact(snapshot(), KNOWN), "project/pyproject.toml").data)
    assert told["project"]["name"] == "acme-app"
    assert told["project"]["authors"][0]["email"].endswith("@example.invalid")
    assert told["tool"]["uv"]["sources"]["dep"] == {"path": "libs/dep"}


def test_the_counts_are_those_of_the_redactions() -> None:
    bundle = redact(snapshot(), KNOWN)
    assert sum(counts(bundle).values()) == len(bundle.redactions)
    assert not any(SECRET in one.placeholder for one in bundle.redactions)


def wheel(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(zipfile.ZipInfo(name.replace("__", "/")), text)
    return out.getvalue()


def tarball(**files: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as packed:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            info.uname = "zoe.quill"
            packed.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(out.getvalue(), mtime=0)


@pytest.mark.parametrize(
    "nested", [wheel(a=f"key {SECRET}"), tarball(a=f"key {SECRET}"), wheel(b=wheel(a=SECRET).hex())]
)
def test_an_archive_is_opened_and_what_is_private_in_it_removed(nested: bytes) -> None:
    bundle = redact(snapshot(Member(path="project/dist/x-1.whl", data=nested)), KNOWN)
    known = msgspec.structs.replace(KNOWN, secrets=(SECRET,))
    assert search(finished(bundle), known) == []


def test_an_archive_without_anything_private_keeps_its_bytes() -> None:
    clean = wheel(a="nothing here")
    bundle = redact(snapshot(Member(path="project/dist/x-1.whl", data=clean)), KNOWN)
    assert member(bundle, "project/dist/x-1.whl").data == clean


def test_the_checksum_of_an_archive_that_changed_is_changed_where_it_stands() -> None:
    data = tarball(a=f"key {SECRET}")
    lock = f'sdist = {{ path = "dist/x-1.tar.gz", hash = "sha256:{hashlib.sha256(data).hexdigest()}" }}\n'
    bundle = redact(
        snapshot(
            Member(path="project/dist/x-1.tar.gz", data=data),
            Member(path="project/uv.lock", data=lock.encode()),
        ),
        KNOWN,
    )
    now = hashlib.sha256(member(bundle, "project/dist/x-1.tar.gz").data).hexdigest()
    assert now in member(bundle, "project/uv.lock").data.decode()


def test_a_wheel_that_changed_records_what_is_in_it_now() -> None:
    import base64

    def recorded(text: str) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()

    text = f"TOKEN = '{SECRET}'"
    record = f"a.py,sha256={recorded(text)},{len(text)}\nx-1.dist-info/RECORD,,\n"
    data = wheel(**{"a.py": text, "x-1.dist-info/RECORD": record})
    told = member(
        redact(snapshot(Member(path="project/x-1-py3-none-any.whl", data=data)), KNOWN),
        "project/x-1-py3-none-any.whl",
    ).data
    with zipfile.ZipFile(io.BytesIO(told)) as packed:
        now = packed.read("a.py").decode()
        assert f"a.py,sha256={recorded(now)},{len(now)}" in packed.read("x-1.dist-info/RECORD").decode()


OPAQUE = [
    b"7z\xbc\xaf\x27\x1c" + b"x" * 50,
    wheel(a="x").replace(b"PK\x01\x02", b"PK\x09\x09"),
    b"\x1f\x8b\x08" + b"\0" * 30,
]


@pytest.mark.parametrize("data", OPAQUE)
def test_what_cannot_be_looked_into_is_refused_or_left_out_as_a_gap(data: bytes) -> None:
    private = snapshot(Member(path="project/blob.bin", data=data))
    with pytest.raises(RedactionError) as caught:
        redact(private, KNOWN)
    assert caught.value.exit_code == 5
    bundle = redact(private, KNOWN, drop_unreadable=True)
    assert not any(one.path == "project/blob.bin" for one in bundle.members)
    assert any(gap.what == "project/blob.bin" for gap in bundle.gaps)


def test_archives_nested_too_deep_are_refused() -> None:
    data = b"x"
    for _ in range(7):
        data = gzip.compress(data, mtime=0)
    with pytest.raises(RedactionError, match="too deep"):
        redact(snapshot(Member(path="project/a.gz", data=data)), KNOWN)


def test_private_packages_are_renamed_everywhere_and_others_are_not() -> None:
    private = snapshot(
        Member(
            path="project/uv.lock",
            data=b'[[package]]\nname = "acme-core"\n\n[[package]]\nname = "acmeology"\n',
        ),
        Member(
            path="cache/wheels-v5/pypi/acme-core/acme_core-1.0-py3-none-any",
            kind="link",
            target="../../archive-v0/x",
        ),
        Member(path="project/src/acme_core/__init__.py", data=b"import acme_core\n"),
    )
    bundle = redact(private, KNOWN, private=("acme-*",))
    paths = {one.path for one in bundle.members}
    assert "cache/wheels-v5/pypi/p2-privat/p2_privat-1.0-py3-none-any" in paths
    assert member(bundle, "project/src/p2_privat/__init__.py").data == b"import p2_privat\n"
    assert (
        member(bundle, "project/uv.lock").data
        == b'[[package]]\nname = "p2-privat"\n\n[[package]]\nname = "acmeology"\n'
    )


def test_names_that_fall_together_are_refused_rather_than_lost() -> None:
    with pytest.raises(RedactionError, match="Two members"):
        redact(
            snapshot(
                Member(path="project/zoe.quill.txt", data=b"1"),
                Member(path="project/user.txt", data=b"2"),
            ),
            KNOWN,
        )


WHERE = [
    "text",
    "name",
    "link",
    "variable",
    "output",
    "argument",
    "binary",
    "utf-16",
    "json",
    "wheel",
    "frame",
    "decoded",
    "gap",
]


@given(
    st.sampled_from(WHERE),
    st.sampled_from(sorted(spellings("x"))),
    st.sampled_from(["Zv9!kQ2#mm", "zq-laptop", "zoe.quill"]),
)
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_a_value_planted_anywhere_in_any_encoding_is_nowhere_in_the_finished_bytes(
    where: str, how: str, value: str
) -> None:
    known = msgspec.structs.replace(KNOWN, secrets=("Zv9!kQ2#mm",))
    raw = spellings(value)[how]
    text = raw.decode("utf-8", "replace")
    is_name = "/" not in text and "\0" not in text and text.isprintable()
    private = snapshot()
    if where == "text":
        private = snapshot(Member(path="project/a.txt", data=b"see " + raw + b" there"))
    elif where == "name" and is_name:
        private = snapshot(Member(path=f"project/a {text} b/c.txt", data=b"x"))
    elif where == "link" and is_name:
        private = snapshot(Member(path="project/l", kind="link", target=f"a {text} b"))
    elif where == "variable":
        private = snapshot(run=msgspec.structs.replace(private.run, env={"UV_X": f"a {text} b"}))
    elif where == "output":
        private = snapshot(run=msgspec.structs.replace(private.run, stderr=f"a {text} b\n"))
    elif where == "argument":
        private = snapshot(run=msgspec.structs.replace(private.run, argv=("uv", "sync", f"a {text} b")))
    elif where == "binary":
        private = snapshot(Member(path="project/a.bin", data=b"\x00\x01\xff\xfe [" + raw + b"] \x00\xff"))
    elif where == "utf-16":
        private = snapshot(
            Member(path="project/a.log", data=b"\xff\xfe" + f"a {text} b".encode("utf-16-le", "replace"))
        )
    elif where == "json":
        private = snapshot(Member(path="facts/a.json", data=json.dumps({"a": f"x {text} y"}).encode()))
    elif where == "wheel":
        private = snapshot(Member(path="project/x.whl", data=wheel(a=f"a {text} b")))
    elif where == "frame":
        private = snapshot(failure=msgspec.structs.replace(private.failure, frames=(f"a {text} b",)))
    elif where == "decoded":
        private = snapshot(culprits=(msgspec.structs.replace(private.culprits[0], decoded=[f"a {text} b"]),))
    else:
        private = snapshot(gaps=(Gap(what=f"a {text} b", why="x"),))
    bundle = redact(private, known)
    assert search(finished(bundle), known) == []


# --- what fails, fails closed ------------------------------------------------------------------------------------


def breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule of its own that cannot cope with one word."""

    def accept(_: object) -> bool:
        raise ZeroDivisionError

    rule = Rule(
        name="breaks", what="", source="", literals=("breakme",), pattern="(?P<secret>breakme)",
        accept=accept, removes=(), keeps=(),
    )  # fmt: skip
    monkeypatch.setattr("uvreport.redact.engine.exports", lambda *_: (rule,))


def test_a_rule_that_raises_is_said_with_the_member_or_costs_only_that_member(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaking(monkeypatch)
    private = snapshot(Member(path="project/odd.txt", data=b"a breakme b"))
    with pytest.raises(RedactionError, match=r"project/odd\.txt could not be redacted: .*breaks") as caught:
        redact(private, KNOWN)
    assert caught.value.exit_code == 5
    assert "--drop-unreadable" in caught.value.hint
    bundle = redact(private, KNOWN, drop_unreadable=True)
    assert [gap.what for gap in bundle.gaps if "left out" in gap.why] == ["project/odd.txt"]
    assert not any(b"breakme" in one.data for one in bundle.members)


def test_a_rule_that_raises_on_the_output_lets_nothing_through_whatever_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaking(monkeypatch)
    private = snapshot()
    private = msgspec.structs.replace(
        private, run=msgspec.structs.replace(private.run, stderr="error: breakme")
    )
    with pytest.raises(RedactionError):
        redact(private, KNOWN, drop_unreadable=True)


# --- what has to stay true of files that belong together ---------------------------------------------------------


def test_the_size_of_an_archive_that_changed_is_changed_beside_its_checksum() -> None:
    data = tarball(a=f"key {SECRET}")
    sha = hashlib.sha256(data).hexdigest()
    lock = (
        f'sdist = {{ path = "dist/x-1.tar.gz", hash = "sha256:{sha}", size = {len(data)} }}\n'
        f'other = {{ hash = "sha256:{"0" * 64}", size = {len(data)} }}\n'
        f'wrong = {{ hash = "sha256:{sha}", size = 7 }}\n'
    )
    bundle = redact(
        snapshot(
            Member(path="project/dist/x-1.tar.gz", data=data),
            Member(path="project/uv.lock", data=lock.encode()),
        ),
        KNOWN,
    )
    told = parsed("toml", member(bundle, "project/uv.lock").data)
    assert told["sdist"]["size"] == len(member(bundle, "project/dist/x-1.tar.gz").data)
    assert told["sdist"]["size"] != len(data)
    assert told["other"]["size"] == len(data)
    assert told["wrong"]["size"] == 7  # what was wrong stays wrong: it is evidence


@pytest.mark.parametrize("release", ["0.9.30", "0.13.9"])
def test_the_entry_of_an_interpreter_that_is_a_link_is_filed_anew(release: str) -> None:
    link, real = f"{PROJECT}/.venv/bin/python3", f"{HOME}/.pythons/3.12/bin/python3.12"
    old = interpreter_file(link, real, release)
    facts = json.dumps({"links": [link, real]}).encode()
    bundle = redact(
        snapshot(
            Member(path=f"cache/interpreter-v4/0011223344556677/{old}.msgpack", data=b"\xc0"),
            Member(path="facts/python.json", data=facts),
        ),
        KNOWN,
    )
    told = json.loads(member(bundle, "facts/python.json").data)["links"]
    new = interpreter_file(told[0], told[1], release)
    assert new != old
    assert f"cache/interpreter-v4/0011223344556677/{new}.msgpack" in {one.path for one in bundle.members}


def test_the_settings_tell_a_credential_by_the_placeholder_that_it_has_elsewhere() -> None:
    shape = {"length": 17, "characters": ["lower"]}
    masked = "https://<3 characters: lower>:<17 characters: lower, digits>@pypi.quill.example/simple"
    facts = {
        "variables": {"UV_PUBLISH_TOKEN": {"shape": shape}},
        "flags": {"--index-url": masked},
        "files": [{"path": f"{PROJECT}/pyproject.toml", "document": {"index": [{"url": masked}]}}],
    }
    bundle = redact(snapshot(Member(path="facts/settings.json", data=json.dumps(facts).encode())), KNOWN)
    told = json.loads(member(bundle, "facts/settings.json").data)
    url = parsed("toml", member(bundle, "project/pyproject.toml").data)["tool"]["uv"]["index"][0]["url"]
    assert "redacted" in url
    assert told["variables"]["UV_PUBLISH_TOKEN"] == {
        "shape": shape,
        "placeholder": bundle.run.env["UV_PUBLISH_TOKEN"],
    }
    assert told["files"][0]["document"]["index"][0]["url"] == url
    assert told["flags"]["--index-url"] == url


RICH = [
    Member(path="project/dist/x-1.tar.gz", data=tarball(a=f"key {SECRET}")),
    Member(path="project/x-1-py3-none-any.whl", data=wheel(a=f"zoe.quill {SECRET}")),
    Member(path="project/zoe.quill/notes.txt", data=f"zoe.quill at zq-laptop, {HOME}, 10.1.2.3".encode()),
    Member(path="project/log.txt", data=f"\xff\xfe{HOME}".encode("latin-1")),
    Member(path="project/wide.txt", data=b"\xff\xfe" + f"{HOME} {SECRET}".encode("utf-16-le")),
    Member(path="project/acme-core/pyproject.toml", data=b'[project]\nname = "acme-core"\n'),
    Member(path="cache/simple-v15/pypi/acme-core.rkyv", data=b"\0\1acme-core-1.0\0" + HOME.encode() + b"\0"),
    Member(path="facts/x.json", data=json.dumps({"token": SECRET, "host": "zq-laptop"}).encode()),
]


@given(st.sets(st.sampled_from(range(len(RICH)))), st.booleans())
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_redacting_again_changes_nothing_whatever_is_in_the_bundle(which: set[int], names: bool) -> None:
    private = ("acme-*",) if names else ()
    known = msgspec.structs.replace(KNOWN, secrets=(SECRET,))
    once = redact(snapshot(*(RICH[i] for i in sorted(which))), known, private=private)
    again = Snapshot(**{name: getattr(once, name) for name in Snapshot.__struct_fields__})
    twice = redact(again, known, private=private)
    for name in Snapshot.__struct_fields__:
        assert getattr(twice, name) == getattr(once, name), name


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/*.uvreport.zip")), ids=lambda path: path.parent.name)
def test_a_finished_bundle_redacted_again_is_the_same(path: Path) -> None:
    opened = pack.open_bundle(str(path))
    again = Snapshot(**{name: getattr(opened, name) for name in Snapshot.__struct_fields__})
    twice = redact(again, Known())
    for name in Snapshot.__struct_fields__:
        assert getattr(twice, name) == getattr(opened, name), name
    assert twice.redactions == ()
