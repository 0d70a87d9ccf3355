"""A secret planted anywhere, in any encoding, is nowhere in the packed bytes; what is around it stays as it was."""

from __future__ import annotations

import base64
import email.parser
import html
import json
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.test_planted_collect import Planted, World, left_in
from uvreport import pack
from uvreport.bundle import Failure, Gap, Member, Places, Run, Snapshot, Uv
from uvreport.redact.engine import Engine
from uvreport.redact.funnel import redact
from uvreport.redact.known import Known
from uvreport.redact.lastlook import search
from uvreport.redact.ledger import Ledger

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable

HOME, PROJECT = "/home/zoe.quill", "/home/zoe.quill/work/proj"
B62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
QUICK = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # making a failing example smaller takes minutes
)

# What makes a value a secret: in the text around it, or in its own shape.
CONTEXTS = (
    "password={}",
    "UV_PUBLISH_TOKEN={}",
    "https://deploy-7:{}@example.com/simple/",
    "https://example.com/x.whl?token={}&a=1",
    "Authorization: Bearer {}",
    "machine example.com login bot password {}",
    "--password {} dist",
    '"clientSecret": "{}"',
    "key ghp_{} rejected",
    "got glpat-{} back",
)


def tokens(least: int = 36, most: int = 44) -> st.SearchStrategy[str]:
    return st.text(B62, min_size=least, max_size=most).filter(
        lambda text: any(c.isdigit() for c in text) and any(c.isalpha() for c in text) and len(set(text)) > 12
    )


def _each(text: str, spell: Callable[[int], str]) -> str:
    return "".join(spell(ord(c)) for c in text)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "percent all": lambda text: _each(text, lambda n: f"%{n:02X}"),
    "json": json.dumps,
    "json all": lambda text: _each(text, lambda n: f"\\u{n:04x}"),
    "python": lambda text: _each(text, lambda n: f"\\x{n:02x}"),
    "html": lambda text: html.escape(text).replace("=", "&#61;").replace(":", "&#x3a;"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 at 1": lambda text: base64.b64encode(b"; " + text.encode()).decode(),
    "base64 at 2": lambda text: base64.b64encode(b"{}\n;" + text.encode() + b"\n").decode(),
    "base64 url": lambda text: base64.urlsafe_b64encode(f"?>{text}".encode()).decode().rstrip("="),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "hex": lambda text: text.encode().hex(),
    "base64 in json in percent": lambda text: quote(
        json.dumps({"a": base64.b64encode(text.encode()).decode()}), safe=""
    ),
}


def snapshot(*members: Member, **changes: Any) -> Snapshot:
    run: dict[str, Any] = {
        "argv": ("uv", "sync"),
        "examined": ("uv", "sync"),
        "cwd": PROJECT,
        "env": {},
        "exit_code": 2,
        "stdout": "",
        "stderr": "",
        "duration_s": 0.1,
        "uv": Uv(path="/usr/bin/uv", release="0.6.8"),
    }
    run.update({key: value for key, value in changes.items() if key in run})
    rest = {key: value for key, value in changes.items() if key not in run}
    return Snapshot(
        created="2026-11-22T00:00:00Z",
        tool="0",
        platform="linux",
        places=Places(home=HOME, project=PROJECT, cache=f"{HOME}/.cache/uv", cwd=PROJECT),
        run=Run(**run),
        failure=Failure(class_="x", signature="x", frames=(), chain=""),
        members=members,
        **rest,
    )


def planted_in(place: str, text: str) -> Snapshot:
    data = text.encode()
    line = f"before\n{text}\nafter\n".encode()
    match place:
        case "log":
            return snapshot(stderr=f"error: x\n{text}\n")
        case "variable":
            return snapshot(env={"SOMETHING": text})
        case "argument":
            return snapshot(argv=("uv", "run", "x", text))
        case "gap":
            return snapshot(gaps=(Gap(what="a file", why=text),))
        case "toml":
            return snapshot(
                Member(path="project/pyproject.toml", data=f"[tool.x]\ny = {json.dumps(text)}\n".encode())
            )
        case "comment":
            return snapshot(
                Member(path="project/uv.lock", data=b"# " + data.replace(b"\n", b" ") + b"\nversion = 1\n")
            )
        case "json":
            return snapshot(Member(path="facts/x.json", data=json.dumps({"x": [text]}).encode()))
        case "utf-16":
            return snapshot(
                Member(path="project/x.txt", data=b"\xff\xfe" + line.decode().encode("utf-16-le"))
            )
        case "msgpack":
            return snapshot(
                Member(path="cache/wheels-v9/x/y.msgpack", data=msgspec.msgpack.encode({"a": [1, text]}))
            )
        case _:
            return snapshot(Member(path=place, data=line))


PLACES = (
    "log", "variable", "argument", "gap", "toml", "comment", "json", "utf-16", "msgpack", "project/setup.py",
    "project/README.md", "facts/notes.txt", "cache/sdists-v9/x/metadata.msgpack.txt", "home/.config/uv/uv.toml",
)  # fmt: skip


def packed(source: Snapshot, known: Known) -> bytes:
    return pack.write(redact(source, known), "", "")


@QUICK
@given(tokens(), st.sampled_from(CONTEXTS), st.sampled_from(sorted(ENCODINGS)), st.sampled_from(PLACES))
def test_what_only_its_context_gives_away_is_in_no_encoding_in_no_place(
    secret: str, context: str, how: str, place: str
) -> None:
    text = ENCODINGS[how](context.replace("{}", secret))
    data = packed(planted_in(place, text), Known())
    assert left_in(data, World((Planted("secret", "", secret),), (), ())) == set()


def telling(text: str) -> bool:
    return (
        any(c.isdigit() for c in text) and len(set(text)) > 6 and text.isprintable() and text == text.strip()
    )


LETTERS = st.characters(min_codepoint=0x21, max_codepoint=0x24F, exclude_characters="\\%\x7f")
KNOWN_VALUES = st.one_of(tokens(8, 30), st.text(LETTERS, min_size=10, max_size=30).filter(telling))
ONCE = ("plain", "percent", "json all", "base64", "base64 at 1", "base64 at 2", "hex", "html")


@QUICK
@given(KNOWN_VALUES, st.sampled_from(ONCE), st.sampled_from(PLACES))
def test_what_the_machine_knows_is_in_no_encoding_in_no_place_without_any_context(
    secret: str, how: str, place: str
) -> None:
    data = packed(planted_in(place, f"see {ENCODINGS[how](secret)} there"), Known(secrets=(secret,)))
    assert left_in(data, World((Planted("secret", "", secret),), (), ())) == set()
    assert search(data, Known(secrets=(secret,))) == []


@QUICK
@given(tokens(36, 36), st.sampled_from(["plain", "percent", "base64"]))
def test_a_secret_in_a_name_or_a_link_is_gone_from_it(secret: str, how: str) -> None:
    said = ENCODINGS[how](f"ghp_{secret}").replace("/", "_").rstrip("=")
    source = snapshot(
        Member(path=f"project/a/{said}.txt", data=b"x"),
        Member(path=f"project/{said}/b.txt", data=b"x"),
        Member(path="project/link", kind="link", target=f"{said}/x"),
    )
    data = packed(source, Known())
    assert left_in(data, World((Planted("secret", "", secret),), (), ())) == set()


@QUICK
@given(
    st.lists(
        st.tuples(st.sampled_from(CONTEXTS), tokens(), st.sampled_from(sorted(ENCODINGS))),
        min_size=1,
        max_size=6,
    )
)
def test_redacting_again_changes_nothing(parts: list[tuple[str, str, str]]) -> None:
    text = "\n".join(ENCODINGS[how](context.replace("{}", secret)) for context, secret, how in parts).encode()
    once, _ = Engine(Known(), Ledger()).redact(text)
    assert Engine(Known(), Ledger()).redact(once) == (once, [])
    assert once.count(b"\n") == text.count(b"\n")


# --- what is around it ---------------------------------------------------------------------------------------------

PLAIN = st.text(st.sampled_from("abcdefghij klmno\"'\\#[]{}=,.\n\té"), max_size=30)


def redacted_member(path: str, data: bytes) -> bytes:
    (member,) = (m for m in redact(snapshot(Member(path=path, data=data)), Known()).members if m.path == path)
    return member.data


@QUICK
@given(st.dictionaries(st.text("abcdefgh", min_size=1, max_size=8), PLAIN, max_size=6), tokens())
def test_toml_and_json_say_the_same_but_for_the_secret(table: dict[str, str], secret: str) -> None:
    full = {**table, "zpassword": secret, "znote": f"https://deploy-7:{secret}@example.com/x"}
    told = "".join(f"{key} = {json.dumps(value)}\n" for key, value in full.items())
    after = tomllib.loads(redacted_member("project/x.toml", told.encode()).decode())
    assert {key: after[key] for key in table} == table
    assert list(after) == list(full)
    after = json.loads(redacted_member("facts/y.json", json.dumps(full, indent=1).encode()))
    assert {key: after[key] for key in table} == table
    assert after["znote"].startswith("https://")
    assert after["znote"].endswith("@example.com/x")


@QUICK
@given(st.lists(st.one_of(PLAIN, st.integers(), st.none(), st.binary(max_size=8)), max_size=5), tokens())
def test_msgpack_says_the_same_but_for_the_secret(items: list[Any], secret: str) -> None:
    source = {"items": items, "url": f"https://deploy-7:{secret}@example.com/x"}
    after = msgspec.msgpack.decode(
        redacted_member("cache/wheels-v9/x/y.msgpack", msgspec.msgpack.encode(source))
    )
    assert after["items"] == items
    assert secret not in after["url"]


@QUICK
@given(tokens(), st.lists(st.text("abc xyz", min_size=1, max_size=20), max_size=4))
def test_metadata_and_netrc_say_the_same_but_for_the_secret(secret: str, lines: list[str]) -> None:
    text = f"Metadata-Version: 2.1\nName: x\nVersion: 1.0\nProject-URL: a, https://u-7:{secret}@example.com/x\n\n"
    text += "\n".join(lines)
    before = email.parser.Parser().parsestr(text)
    after = email.parser.Parser().parsestr(
        redacted_member("project/x-1.0.dist-info/METADATA", text.encode()).decode()
    )
    assert after.keys() == before.keys()
    assert (after["Name"], after["Version"], after.get_payload()) == ("x", "1.0", before.get_payload())
    netrc = redacted_member("home/.netrc", f"machine a.example\n  login bot\n  password {secret}\n".encode())
    assert netrc.split()[:4] == [b"machine", b"a.example", b"login", b"account1"]
    assert len(netrc.split()) == 6


@pytest.mark.parametrize("how", ["base64", "hex", "base64 twice"])
@pytest.mark.parametrize(
    "text",
    ["a harmless text of some length, 2026", "numpy==1.26.4 --hash=sha256:x", "https://example.com/simple"],
)
def test_an_encoded_text_without_a_secret_stays(how: str, text: str) -> None:
    encoded = ENCODINGS[how](text).encode()
    assert Engine(Known(), Ledger()).redact(b"data " + encoded + b" end")[0] == b"data " + encoded + b" end"


def test_the_rest_of_a_line_after_its_last_escape_is_read_with_it() -> None:
    text = b"login\\u0020bot password\\u003d Zk39pq9xAA\nsee\\u0020there\n"
    assert b"Zk39pq9xAA" not in Engine(Known(), Ledger()).redact(text)[0]


def test_a_url_whose_every_character_is_escaped_stays_a_url() -> None:
    told = ENCODINGS["json all"]("https://deploy-7:Zk39pq9xAA@example.com/x").encode()
    out = Engine(Known(), Ledger()).redact(told)[0].decode()
    assert json.loads(f'"{out}"') == "https://account1:redacted1@example.com/x"


def test_the_quote_after_an_escaped_value_stays_escaped() -> None:
    data = json.dumps({"x": json.dumps("UV_PUBLISH_TOKEN=Zk39pq9xAA")}).encode()
    assert json.loads(redacted_member("facts/y.json", data)) == {"x": '"UV_PUBLISH_TOKEN=redacted1"'}


def test_a_private_key_in_base64_is_gone() -> None:
    body = base64.b64encode(bytes(range(7, 200))).decode()
    key = f"-----BEGIN PRIVATE KEY-----\\n{body[:64]}\\n{body[64:]}\\n-----END PRIVATE KEY-----\\n"
    told = f"client-key: {base64.b64encode(key.encode()).decode()} end".encode()
    assert Engine(Known(), Ledger()).redact(told)[0] == b"client-key: redacted1 end"
