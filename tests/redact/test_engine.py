"""The engine finds known values in every spelling, keeps what is around them, and stays fast on hostile lines."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from uvreport.redact.engine import Engine, fitted
from uvreport.redact.known import Known
from uvreport.redact.ledger import Ledger, is_placeholder

KNOWN = Known(
    users=("zoë.quill", "Carol Q"),
    full_names=("Zoë Quill",),
    hosts=("zoes-box", "pypi.corp.quill.example"),
    domains=("corp.quill.example",),
    secrets=("p@ss/w0rd&1",),
    prefixes=(("/srv/zq/proj", "/home/user/project"), ("/home/zoë.quill", "/home/user")),
)


def redact(text: str | bytes, known: Known = KNOWN) -> str:
    data = text.encode() if isinstance(text, str) else text
    return Engine(known, Ledger()).redact(data)[0].decode("utf-8", "surrogateescape")


def spellings(value: str) -> dict[str, bytes]:
    """A value in every encoding that redaction promises to see through."""
    data = value.encode()
    return {
        "as it is": data,
        "upper case": value.upper().encode(),
        "lower case": value.lower().encode(),
        "percent": quote(value, safe="").encode(),
        "percent, every byte": "".join(f"%{b:02x}" for b in data).encode(),
        "percent twice": quote(quote(value, safe=""), safe="").encode(),
        "json": json.dumps(value)[1:-1].encode(),
        "json with slashes": json.dumps(value)[1:-1].replace("/", "\\/").encode(),
        "python repr": ascii(value)[1:-1].encode(),
        "python bytes": repr(data)[2:-1].encode(),
        "octal": "".join(chr(b) if b < 0x80 else f"\\{b:03o}" for b in data).encode(),
        "html": "".join(f"&#{ord(c)};" if not c.isalnum() or ord(c) > 127 else c for c in value).encode(),
        "hex": data.hex().encode(),
        "HEX": data.hex().upper().encode(),
        "base64": base64.b64encode(data),
        "base64, one byte on": base64.b64encode(b"x" + data + b"yz"),
        "base64, two bytes on": base64.b64encode(b"xy" + data + b"z"),
        "base64url": base64.urlsafe_b64encode(b">>?" + data),
        "utf-16": value.encode("utf-16-le"),
        "utf-16, big end first": value.encode("utf-16-be"),
    }


@pytest.mark.parametrize("how", spellings("x"))
@pytest.mark.parametrize("value", ["zoë.quill", "Carol Q", "p@ss/w0rd&1", "zoes-box", "Zoë Quill"])
def test_a_known_value_is_removed_in_every_spelling(value: str, how: str) -> None:
    spelled = spellings(value)[how]
    if how == "percent twice" and not value.isascii():
        pytest.skip("same as percent after one more level, covered by the ASCII values")
    got, log = Engine(KNOWN, Ledger()).redact(b"see [" + spelled + b"] there")
    assert log
    assert got.startswith(b"see [")
    assert got.endswith(b"] there")
    assert spelled not in got


def test_one_value_has_one_placeholder_in_all_its_spellings() -> None:
    text = "/home/jos%C3%A9/x /home/josé/x /home/JOSÉ/x USER=josé"
    assert redact(text, Known(users=("josé",))) == "/home/user/x /home/user/x /home/user/x USER=user"


def test_a_short_dos_name_is_the_long_one() -> None:
    assert redact(r"C:\Users\CAROLQ~1\Temp", Known(users=("Carol Q",))) == r"C:\Users\user\Temp"


def test_a_user_name_inside_of_a_word_is_another_word() -> None:
    known = Known(users=("dave",))
    assert redact("davenport and dave_venv in ~dave/venv", known) == "davenport and user_venv in ~user/venv"


def test_a_name_that_is_a_common_word_goes_only_where_an_account_name_stands() -> None:
    assert (
        redact("--max-retries /home/max/x USER=max", Known(users=("max",)))
        == "--max-retries /home/user/x USER=user"
    )


def test_generic_accounts_and_public_hosts_stay() -> None:
    known = Known(users=("root", "runner"), hosts=("localhost", "github.com"), hostname="127.0.0.1")
    text = "root==0a0 /home/runner/x https://github.com/a/b 127.0.0.1:80"
    assert redact(text, known) == text


def test_a_host_goes_with_the_names_below_its_domain_and_keeps_its_port() -> None:
    out = redact("https://pypi.corp.quill.example:8443/simple and db.corp.quill.example")
    assert out == "https://host1.invalid:8443/simple and host2.invalid"


def test_a_prefix_stands_for_the_whole_path_and_no_other() -> None:
    assert (
        redact("/srv/zq/proj/a /srv/zq/project /srv/zq/proj.")
        == "/home/user/project/a /srv/zq/project /home/user/project."
    )


def test_a_windows_prefix_is_told_in_each_of_its_spellings() -> None:
    known = Known(prefixes=(("C:\\Users\\Zo Q", "C:\\Users\\user"),))
    assert redact(r"C:\Users\Zo Q\x", known) == r"C:\Users\user\x"
    assert redact('"C:\\\\Users\\\\Zo Q\\\\x"', known) == '"C:\\\\Users\\\\user\\\\x"'
    assert redact("file:///C:/Users/Zo%20Q/x", known) == "file:///C:/Users/user/x"


def test_an_escaped_placeholder_is_escaped_like_what_it_replaces() -> None:
    assert redact("x?to=ann%40corp.quill.example") == "x?to=person1%40example.invalid"


def test_a_private_key_goes_line_by_line_and_the_lines_stay_lines() -> None:
    text = "a\n-----BEGIN PRIVATE KEY-----\nMIIabc\nMIIdef\n-----END PRIVATE KEY-----\nb\n"
    out = redact(text)
    assert out.count("\n") == text.count("\n")
    assert "MII" not in out


def test_versions_that_look_like_addresses_stay() -> None:
    text = "click-plugins>=1.1.1.2 lgpio==0.2.2.0 lgpio-0.2.2.0-py3-none-any.whl Python 3.11.0.1"
    assert redact(text) == text


@pytest.mark.parametrize("size", [1, 5, 9, 30])
def test_a_fitted_placeholder_has_the_size_of_what_it_replaces(size: int) -> None:
    assert len(fitted(b"redacted12", size)) == size


HOSTILE = {
    "dots": b"1.1.1.1." * 25_000,
    "colons": b"ab:cd:" * 33_000,
    "at": b"@" * 200_000,
    "words at": b"a@b." * 50_000,
    "schemes": b"://" * 66_000,
    "userinfo": b"a://b:c" * 28_000,
    "keys": b"token_" * 33_000,
    "assign": b"token=" * 33_000,
    "jwt": b"eyJ" * 66_000,
    "jwt parts": b"eyJaaaaaaaa." * 16_000,
    "pem": b"-----BEGIN PRIVATE KEY-----" * 7_400,
    "percent": b"%41" * 66_000,
    "percent of percent": b"%25" * 66_000,
    "backslashes": b"\\" * 200_000,
    "escapes": b"\\u0041" * 33_000,
    "entities": b"&amp;" * 40_000,
    "spaces": b" " * 200_000,
    "newlines": b"\n" * 200_000,
    "quotes": b'token="' * 28_000,
    "flags": b"--password " * 18_000,
    "netrc": b"machine x login y " * 11_000,
    "homes": b"/home/" * 33_000,
    "users": b"\\users\\" * 28_000,
    "base64": b"QUJD" * 50_000,
    "hex": b"61" * 100_000,
    "cookies": b"cookie: a=b; " * 15_000,
    "rejected": b"tokens=" * 28_000,
    "rejected queries": b"?code=" * 33_000,
    "rejected quotes": b"tokens='a" * 22_000,
    "queries": b"?token=a&" * 22_000,
    "hosts": b"a.corp.quill.example." * 9_500,
    "known": "zoë.quill ".encode() * 18_000,
    "long names": b"pwd" * 66_000,
    "base64 that says a password": b'"auth": "Y2k6cGFzc3dvcmQx" ' * 7_400,
    "base64 in another case": b"EM/DQY5XDWLSBA==" * 12_500,
    "one address": b"[10.1.2.3] " * 18_000,
    "letters": b"a" * 200_000,
    "addresses": b"".join(b"10.%d.%d.%d " % (i >> 16 & 255, i >> 8 & 255, i & 255) for i in range(15_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_of_200_kb_takes_no_longer_than_it_may(name: str) -> None:
    line = HOSTILE[name][:200_000]
    engine = Engine(KNOWN, Ledger())
    engine.redact(b"warm " + line[:2000])
    begin = time.process_time()
    engine.redact(line)
    # The aim is 0.5 s on a quiet machine; process time on a loaded one is up to twice that.
    assert time.process_time() - begin < 1.0


@given(st.text(max_size=60), st.sampled_from(sorted(spellings("x"))), st.text(max_size=60))
@settings(deadline=None, max_examples=150)
@example("%", "percent", "%")
def test_what_stands_beside_a_secret_does_not_save_it(before: str, how: str, after: str) -> None:
    value = "p@ss/w0rd&1"
    spelled = spellings(value)[how]
    if how.startswith(("base64", "hex", "HEX")):
        # A run of the same alphabet around would be another text.
        before, after = before + " ", " " + after
    text = before.encode("utf-8", "surrogatepass") + spelled + after.encode("utf-8", "surrogatepass")
    got, _ = Engine(KNOWN, Ledger()).redact(text)
    assert spelled not in got


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400))
@settings(deadline=None, max_examples=300)
@example("token=redacted1 ann@x.example /home/zoe 10.1.2.3:80")
def test_redacting_any_text_twice_changes_nothing_more(text: str) -> None:
    once, _ = Engine(KNOWN, Ledger()).redact(text.encode())
    assert Engine(KNOWN, Ledger()).redact(once)[0] == once


@given(
    st.sampled_from(["user", "host", "email", "name", "ipv4", "ipv6", "mac", "secret", "account", "org"]),
    st.integers(1, 70_000),
)
def test_every_placeholder_is_known_as_one(kind: str, number: int) -> None:
    ledger = Ledger()
    ledger._numbers[kind] = number - 1
    assert is_placeholder(ledger.place(kind, b"anything").encode())
