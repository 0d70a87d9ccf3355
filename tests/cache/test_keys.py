from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uvreport.cache import keys
from uvreport.cache.buckets import bucket

if TYPE_CHECKING:
    from tests.cache.conftest import Machine

H = "f77325e0402f815b61c88236251013edba79b980c937cab62a9cccd1296bc9e1"
R = "d5258532a8cb5b48453c3ff391b408bd3eeda5f2"
M = "f798b57710e0a0b52aff5415d146dd7dda9f9282"
LOCAL = "http://127.0.0.1:8765"
OLD, NEW = "0.5.26", "0.13.9"

# Text as written, the release, the digest. The digests were computed when the algorithm was found, and agreed with
# names that real uvs had made.
URLS = [
    (f"{LOCAL}/simple", NEW, "e2d87b9a957f792a"),
    (f"http://us%40er:pw@{LOCAL[7:]}/simple/", NEW, "e2d87b9a957f792a"),
    (f"{LOCAL}/files", NEW, "cefcfec32d8e75c4"),
    (f"{LOCAL}/files/sdurl-1.0.tar.gz", NEW, "097db6b2232d66ca"),
    (f"{LOCAL}/files/sdurl-1.0.tar.gz#sha256={H}", NEW, "a829bf32220b7e80"),
    (f"{LOCAL}/dir%20with%20sp/whurl-1.0-py3-none-any.whl", NEW, "ba66fb8e824bdd2e"),
    ("file:///home/user/fx/dist/whpath-1.0-py3-none-any.whl", NEW, "4868431b0eb6ad20"),
    (f"git+file:///home/user/fx/gitdep@{R}", NEW, "fec5dcfb650daea4"),
    (f"git+file:///home/user/fx/Mono@{M}#subdirectory=sub", NEW, "407e27b03a88449c"),
    ("git+file:///home/user/fx/Mono@master#subdirectory=sub", NEW, "f94f1f0e6222541f"),
]
PATHS = [
    ("/home/user/fx/dist/sdpath-1.0.tar.gz", NEW, "43baafed0785d15a"),
    ("/home/user/fx/dirdep", NEW, "10fdb986e13e0517"),
    ("/home/user/relp/0.6.7/dep", NEW, "f624f94d65ff6216"),
    ("/home/user/lnk/0.6.7/dep", NEW, "3f5f0326a21ade20"),
    ("/home/user/fx/odd/a b", NEW, "217816175f58cc25"),
    ("/home/user/fx/odd/é", NEW, "24eb478a61705061"),
    ("/home/user/fx/odd/a%b", NEW, "1d14f92e6e535deb"),
    ('/home/user/fx/odd/q"<x>{y}`', NEW, "d94bc2aa5c01cd5c"),
    ("/home/user/fx/odd/a'b;c=d,e!(f)*", NEW, "407d62ae42ede6fe"),
    ("/home/user/fx/odd/a.git", OLD, "33cdbd57e412c5d9"),
    ("/home/user/fx/odd/a.git", "0.5.27", "67ac688552781e05"),
    ("/home/user/fx/eddep", NEW, "d352e6b170e3b03a"),
]
P, Q = "/opt/python/3.11.7/bin/python", "/opt/python/3.11.7/bin/python3.11"


def test_seahash_gives_the_reference_value() -> None:
    assert keys.seahash(b"to be or not to be") == 0x1B99_3A82_6F4A_E575


@pytest.mark.parametrize(("url", "release", "expected"), URLS)
def test_a_url_is_filed_under_the_known_digest(url: str, release: str, expected: str) -> None:
    assert keys.digest(keys.canonical_url(url, release)) == expected


@pytest.mark.parametrize(("path", "release", "expected"), PATHS)
def test_a_path_is_filed_under_the_known_digest(path: str, release: str, expected: str) -> None:
    assert keys.digest(keys.canonical_url(keys.path_url(path), release)) == expected


@pytest.mark.parametrize(("text", "_", "expected"), URLS + PATHS)
def test_every_known_digest_is_among_the_candidates(text: str, _: str, expected: str) -> None:
    assert expected in keys.candidates(text)


def test_a_find_links_page_is_filed_as_it_is_written() -> None:
    assert keys.digest(f"{LOCAL}/files/") == "1e760af2992361a8"
    assert "1e760af2992361a8" in keys.candidates(f"{LOCAL}/files/")
    assert "1e760af2992361a8" in keys.candidates(f"{LOCAL}/files")


def test_a_git_database_is_filed_under_the_repository() -> None:
    assert "92196cc179516ed1" in keys.candidates("git+file:///home/user/fx/gitdep@main")
    assert "d2d870a15fe2194f" in keys.candidates("/home/user/fx/Mono.git")
    assert keys.digest(keys.repository_url("file:///home/user/fx/Mono.git?x=1#y", NEW)) == "d2d870a15fe2194f"


def test_a_git_checkout_of_0_13_9_has_a_byte_more() -> None:
    assert "10c1ddfad2bf315c" in keys.candidates("git+file:///home/user/fx/gitdep")
    assert "19717ccd4954fe40" in keys.candidates("git+file:///home/user/fx/Mono.git@master")


def test_a_git_source_of_a_lockfile_gives_the_digest_of_its_locked_request() -> None:
    locked = f"file:///home/user/fx/Mono?subdirectory=sub&rev=master#{M}"
    assert {"407e27b03a88449c", "f94f1f0e6222541f"} <= set(keys.candidates(locked))


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("0.1.31", "71428f4a395f2b29"),
        ("0.4.7", "4f3f20fbab9955b0"),
        ("0.4.8", "df9ac9135a2dc79c"),
        ("0.7.17", "df9ac9135a2dc79c"),
        ("0.7.18", "363822b66cee885d"),
        ("0.12.3", "363822b66cee885d"),
        ("0.12.4", "0f48a0ff6dfd5863"),
    ],
)
def test_an_interpreter_is_filed_by_the_rule_of_its_release(release: str, expected: str) -> None:
    assert keys.interpreter_file(P, Q, release) == expected
    assert expected in keys.interpreter_candidates(P, Q)


def test_the_shard_of_an_interpreter_has_three_forms() -> None:
    given = ("x86_64", "Linux", "6.18.44-fc-v669")
    assert [keys.interpreter_shard(*given, r) for r in ("0.5.8", "0.6.3", "0.6.4")] == [
        "",
        "x86_64",
        "ee29edfd57359aa6",
    ]


def test_an_environment_is_filed_under_its_path() -> None:
    assert keys.digest_bytes(keys.path_new(Q)) == "e5dc97c5ca13af69"
    assert "e5dc97c5ca13af69" in keys.candidates(Q)


def test_long_tags_are_shortened_to_their_digest() -> None:
    assert (
        keys.digest("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_2")
        == "5a2adc379b2dc214"
    )


def test_credentials_count_up_to_0_1_31_only() -> None:
    with_user, without = "https://u:p@idx.example/simple", "https://idx.example/simple"
    assert keys.canonical_url(with_user, "0.1.31") != keys.canonical_url(without, "0.1.31")
    assert keys.canonical_url(with_user, "0.1.32") == keys.canonical_url(without, "0.1.32")


def test_a_url_is_normalised_as_the_url_crate_does() -> None:
    assert keys.canonical_url("HTTPS://Idx.Example:443/a/../b/./c d/?q='x' y#z", NEW) == (
        "https://idx.example/b/c%20d?q=%27x%27%20y#z"
    )
    assert keys.canonical_url("https://github.com/PyPA/Package.GIT", NEW) == "https://github.com/pypa/package"
    assert keys.canonical_url("git+https://x.example/A.git@v1.0", NEW) == "git+https://x.example/A@v1.0"
    assert keys.canonical_url("https://x.example/a%2Fb%2Bc%20d", NEW) == "https://x.example/a%2Fb+c%20d"


def test_windows_paths_become_file_urls() -> None:
    assert keys.path_url("C:\\Users\\José\\my proj") == "file:///C:/Users/Jos%C3%A9/my%20proj"
    assert keys.path_url("\\\\server\\share\\x") == "file://server/share/x"


def test_rekeying_maps_every_rule_to_itself() -> None:
    before = "https://u:p@corp.example/simple/"
    changed = keys.rekey([before], lambda text: text.replace("corp.example", "idx1.invalid"))
    for release in ("0.1.25", "0.4.30", "0.13.9"):
        old = keys.digest(keys.canonical_url(before, release))
        assert changed[old] == keys.digest(keys.canonical_url("https://u:p@idx1.invalid/simple/", release))


def test_rekeying_leaves_out_what_stays() -> None:
    assert keys.rekey(["https://pypi.example/simple", "/usr/lib/x"], lambda text: text) == {}


def test_what_is_neither_url_nor_absolute_path_has_no_candidates() -> None:
    for text in ("", "generated", "../x", "name==1.0", "C", "c:", "[::1", "http"):
        assert keys.candidates(text) == {}


@given(st.text(max_size=200))
def test_no_text_makes_the_candidates_fail(text: str) -> None:
    for given_text in (
        text,
        "/" + text,
        "https://" + text,
        "git+ssh://git@h/" + text,
        "file:" + text,
        "C:\\" + text,
    ):
        assert all(len(key) == 16 for key in keys.candidates(given_text))


@given(
    st.text(
        alphabet=st.characters(exclude_characters="/\0\\", exclude_categories=["Cs"]), min_size=1, max_size=20
    )
)
def test_a_path_url_never_holds_what_ends_a_path(name: str) -> None:
    url = keys.path_url(f"/home/{name}/x")
    assert "?" not in url
    assert "#" not in url
    assert " " not in url


@pytest.mark.parametrize("release", ["0.4.30", "0.5.25", "0.6.8", "0.12.24", "0.13.9"])
@pytest.mark.parametrize("name", ["plain", "a b", "p%q", "é", "x.git", "q{y}^|'"])
def test_real_releases_file_a_directory_where_it_is_looked_for(
    machine: Machine, release: str, name: str
) -> None:
    parent = machine.project / name
    parent.mkdir()
    tree = machine.tree("dep").rename(parent / "dep.d")
    assert machine.install(release, f"dep @ file://{quote(str(tree))}").exit_code == 0
    shard = machine.one(f"{bucket('sdists', release)}/path/*").rpartition("/")[2]
    assert shard in keys.candidates(str(tree))
    assert shard == keys.digest(keys.canonical_url(keys.path_url(str(tree)), release))


@pytest.mark.parametrize(
    "release", ["0.1.25", "0.4.11", "0.5.25", "0.6.8", "0.7.22", "0.12.3", "0.12.24", "0.13.9"]
)
def test_real_releases_file_an_interpreter_where_it_is_looked_for(machine: Machine, release: str) -> None:
    link = machine.base / "py" / "python3"
    link.parent.mkdir()
    link.symlink_to(sys.executable)
    machine.uv(release, "venv", "--python", str(link), ".venv")
    host = os.uname()
    shard = keys.interpreter_shard(host.machine, host.sysname, host.release, release)
    name = keys.interpreter_file(str(link), os.path.realpath(link), release)
    made = "/".join(filter(None, (bucket("interpreter", release), shard, name + ".msgpack")))
    assert (machine.cache / made).exists()


# Names that real uvs made: given as `-C foo=bar -C l=a -C l=b`, and as `-C z=1` with two extra build variables.
TWICE: dict[str, str | list[str]] = {"foo": "bar", "l": ["a", "b"]}
VARIABLES = {"B": "x y", "A": "1"}


@pytest.mark.parametrize(
    ("release", "settings", "variables", "expected"),
    [
        ("0.4.11", TWICE, {}, "9f63af77195d34e0"),
        ("0.8.3", TWICE, {}, "9f63af77195d34e0"),
        ("0.8.4", TWICE, {}, "06b47113b950069c"),
        ("0.8.6", TWICE, {}, "f6c3e5f1cd9b50f8"),
        ("0.13.9", TWICE, {}, "f6c3e5f1cd9b50f8"),
        ("0.8.11", {"z": "1"}, VARIABLES, "27e32c71cd161b44"),
        ("0.8.12", {"z": "1"}, VARIABLES, "9c0335cfbcc76525"),
        ("0.13.9", {}, {"A": ""}, "4452527a230be2f6"),
        ("0.8.5", {}, {"A": ""}, ""),
        ("0.13.9", {}, {}, ""),
    ],
)
def test_build_settings_are_filed_as_the_release_does(
    release: str, settings: dict[str, str | list[str]], variables: dict[str, str], expected: str
) -> None:
    assert keys.build_settings(settings, release, variables=variables) == expected


@pytest.mark.parametrize("release", ["0.6.7", "0.13.9"])
def test_real_releases_build_with_settings_where_it_is_looked_for(machine: Machine, release: str) -> None:
    tree = machine.tree("dep")
    flags = ("--config-setting", "b=2", "--config-setting", "a=1", "--config-setting", "b=3")
    assert machine.install(release, *flags, f"dep @ file://{tree}").exit_code == 0
    shard = keys.build_settings({"a": "1", "b": ["2", "3"]}, release)
    assert machine.one(f"{bucket('sdists', release)}/path/*/*/{shard}")
