"""What the machine knows is found without any collector, and public things stay public."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from uvreport.bundle import Failure, Places, Run, Snapshot, Uv
from uvreport.errors import UsageError
from uvreport.redact.known import Known, discover, discover_here, from_json
from uvreport.redact.names import is_nothing, is_secret_variable, says_secret

if TYPE_CHECKING:
    from pathlib import Path


def snapshot(home: Path, project: Path) -> Snapshot:
    return Snapshot(
        created="2026-11-22T00:00:00Z",
        tool="0",
        platform="linux",
        places=Places(home=str(home), project=str(project), cache=str(home / ".cache/uv"), cwd=str(project)),
        run=Run(
            argv=(),
            examined=(),
            cwd=str(project),
            env={},
            exit_code=1,
            stdout="",
            stderr="",
            duration_s=0.0,
            uv=Uv(path="uv", release=""),
        ),
        failure=Failure(class_="x", signature="x", frames=(), chain=""),
    )  # fmt: skip


@pytest.fixture
def known(tmp_path: Path) -> Known:
    home, project = tmp_path / "home" / "zoe.quill", tmp_path / "proj"
    (home / ".config/uv").mkdir(parents=True)
    (home / ".config/pip").mkdir(parents=True)
    (home / ".local/share/uv/credentials").mkdir(parents=True)
    project.mkdir()
    (home / ".gitconfig").write_text(
        '[user]\n\tname = Zoë Quill\n\temail = zoe@quill.example\n[url "https://tok3n-abcdef@git.quill.example/"]\n'
    )
    (home / ".netrc").write_text("machine nexus.quill.example login bot password n3trc-pass\n")
    (home / ".config/uv/uv.toml").write_text(
        '[[index]]\nurl = "https://u:uv-t0ml-pw@pypi.acme-widgets.example/simple"\n'
    )
    (home / ".config/pip/pip.conf").write_text(
        "[global]\nextra-index-url = https://a:p1p-conf-pw@devpi.acme-widgets.example/x\n"
    )
    (home / ".local/share/uv/credentials/credentials.toml").write_text(
        '[[credential]]\nservice = "https://store.quill.example/"\nusername = "bot"\n'
        'scheme = "basic"\npassword = "st0re-pw"\n'
    )
    (project / "pyproject.toml").write_text(
        '[project]\nname = "x"\nauthors = [{ name = "Ann Other", email = "ann@other.example" }]\n'
        '[project.urls]\nhomepage = "https://public.example/x"\n'
        '[tool.uv.sources]\na = { git = "https://git.acme-widgets.example/a.git" }\nb = { path = "../libs/b" }\n'
        '[[tool.uv.index]]\nurl = "http://127.0.0.1:8000/simple"\n'
    )
    environ = {
        "USER": "zoe.quill",
        "HOME": str(home),
        "UV_INDEX_URL": "https://env.acme-widgets.example/simple",
        "UV_PUBLISH_TOKEN": "t0ken-in-env",
        "MY_API_KEY": "k3y-in-env",
        "UV_KEYRING_PROVIDER": "subprocess",
        "PWD": "/home/zoe.quill",
    }
    return discover(snapshot(home, project), environ)


def test_the_person_is_known_by_account_home_name_and_address(known: Known) -> None:
    assert known.users[0] == "zoe.quill"
    assert {"Zoë Quill", "Ann Other"} <= set(known.full_names)
    assert {"zoe@quill.example", "ann@other.example"} <= set(known.emails)
    assert any(home.endswith("home/zoe.quill") for home in known.homes)


def test_the_hosts_and_domains_of_configured_indexes_are_known(known: Known) -> None:
    hosts = {f"{name}.acme-widgets.example" for name in ("pypi", "devpi", "git", "env")} | {
        "nexus.quill.example",
        "store.quill.example",
    }
    assert hosts <= set(known.indexes)
    assert {"acme-widgets.example", "quill.example"} <= set(known.domains)


def test_what_nobody_configured_stays_readable(known: Known) -> None:
    assert not any("public.example" in host or host.startswith("127.") for host in known.indexes)


def test_credentials_are_known_from_every_place_that_uv_or_pip_reads(known: Known) -> None:
    assert {"n3trc-pass", "uv-t0ml-pw", "p1p-conf-pw", "st0re-pw", "t0ken-in-env", "k3y-in-env"} <= set(
        known.secrets
    )
    assert not {"subprocess", "/home/zoe.quill"} & set(known.secrets)


def test_a_source_that_climbs_out_of_the_project_gets_a_place_beside_it(known: Known) -> None:
    becomes = dict(known.prefixes)
    assert "/home/user/dir1/project" in becomes.values()
    assert "/home/user/dir1" in becomes.values() or "/home/user/dir1/libs/b" in becomes.values()


def test_a_file_of_known_values_is_read() -> None:
    known = from_json(
        '{"users": ["bob"], "homes": ["C:\\\\Users\\\\Ann Q"], "indexes": ["https://u:pw-1234@pypi.corp.example/s"]}'
    )
    assert known.users == ("bob", "Ann Q")
    assert known.indexes == ("pypi.corp.example",)
    assert known.secrets == ("pw-1234",)


@pytest.mark.parametrize("data", ["[]", "{", '{"users": "bob"}', '{"user": []}', b"\xff"])
def test_any_other_file_of_known_values_is_refused(data: str | bytes) -> None:
    with pytest.raises(UsageError):
        from_json(data)


@pytest.mark.parametrize(
    "name",
    [
        "UV_PUBLISH_TOKEN",
        "PGPASSWORD",
        "apiKey",
        "client_secret",
        "UV_INDEX_CORP_PASSWORD",
        "SECRET_KEY_BASE",
        "dbPassword2",
        "X-Vault-Token",
        "_authToken",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
    ],
)
def test_a_name_that_says_secret_is_heard(name: str) -> None:
    assert is_secret_variable(name)


@pytest.mark.parametrize(
    "name",
    [
        "UV_KEYRING_PROVIDER",
        "PWD",
        "TOKEN_URL",
        "token_count",
        "keywords",
        "cache-keys",
        "author",
        "SECRET_FILE",
        "compass",
        "tokens",
        "primary_key",
        "SSH_AUTH_SOCK",
    ],
)
def test_a_name_that_only_sounds_like_it_is_not(name: str) -> None:
    assert not is_secret_variable(name)
    assert not says_secret(name) or name in {"TOKEN_URL", "SECRET_FILE"}


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"****",
        b"true",
        b"<TOKEN>",
        b"${TOKEN}",
        b"$TOKEN",
        b"5",
        b"os.environ['X']",
        b"/run/secrets/x",
        b"subprocess",
    ],
)
def test_a_value_that_is_none_is_known_for_none(value: bytes) -> None:
    assert is_nothing(value)


@pytest.mark.parametrize("value", [b"hunter2", b"$aB3#xY", b"-Zq4_x!", b"!1abcD", b"swordfish", b"a"])
def test_a_value_that_could_be_one_is_taken_for_one(value: bytes) -> None:
    assert not is_nothing(value)


def test_people_in_a_project_file_that_does_not_parse_are_known_all_the_same(tmp_path: Path) -> None:
    broken = '[project]\nauthors = [{ name = "Ines Aguilar", email = "ines@lab.example" }]\ndependencies = [\n"a"\n"b"]\n'
    (tmp_path / "pyproject.toml").write_text(broken)
    known = discover_here({"HOME": str(tmp_path / "home")}, str(tmp_path), "linux")
    assert "Ines Aguilar" in known.full_names
    assert "ines@lab.example" in known.emails
