"""Planted values in every place of a project, a home, an environment and a cache: none is in the finished file.

The search of the finished bytes is this module's own: it shares nothing with redaction or with its last look.
"""

from __future__ import annotations

import base64
import binascii
import html
import importlib.util
import io
import json
import os
import random
import re
import string
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

import msgspec
import pytest
import zstandard

from tests.failing_states.state import (
    State,
    on_path,
    person,
    source_tree,
    uv_does,
    with_env,
    without_venv,
    write,
)
from tests.shared_cases import ROOT
from tests.stories import collect, uvreport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.failing_states.state import UvRelease

B62 = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
PERSONAL = frozenset({"hostname", "username", "home_path_user", "email", "ipv4", "ipv6", "mac"})


class Planted(msgspec.Struct, frozen=True):
    """One value, what is around it where its kind is at home, and whether it is private by itself anywhere."""

    kind: str
    prefix: str
    value: str
    suffix: str = ""

    @property
    def line(self) -> str:
        return self.prefix + self.value + self.suffix


class World(msgspec.Struct, frozen=True):
    """What is planted, and what the machine knows of the person."""

    planted: tuple[Planted, ...]
    users: tuple[str, ...]
    hosts: tuple[str, ...]


def own_world(seed: int) -> World:
    """Values of every kind, drawn anew."""
    draw = random.Random(f"planted {seed}")

    def some(size: int, alphabet: str = B62) -> str:
        while True:
            text = "".join(draw.choice(alphabet) for _ in range(size))
            if any(c.isdigit() for c in text) and any(c.isalpha() for c in text):
                return text

    user, other = f"ida.{some(4, string.ascii_lowercase + '0123')}", f"olaf{some(4, HEX)}"
    host, domain = f"ida-box-{some(4, HEX)}", f"int.{some(6, HEX)}-mill.example"
    basic = base64.b64encode(f"bot:{some(14)}".encode()).decode()
    planted = [
        Planted("github_pat", "GITHUB_TOKEN=", "ghp_" + some(36)),
        Planted("gitlab_pat", "PRIVATE-TOKEN: ", "glpat-" + some(20)),
        Planted("pypi_token", "UV_PUBLISH_TOKEN=", "pypi-AgEIcHlwaS5vcmc" + some(120)),
        Planted("aws_access_key_id", "AWS_ACCESS_KEY_ID=", "AKIA" + some(16, string.ascii_uppercase + string.digits)),
        Planted("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY=", some(40, B62 + "+/")),
        Planted("jwt", "ID_TOKEN=", f"eyJ{some(30)}.eyJ{some(40)}.{some(43)}"),
        Planted("bearer", "Authorization: Bearer ", some(32)),
        Planted("basic_header", "Authorization: Basic ", basic),
        Planted("cookie", "Set-Cookie: session=", some(32), "; Path=/; HttpOnly"),
        Planted("url_password", "UV_INDEX_URL=https://deploy:", some(14), "@index.packages.example/simple"),
        Planted("url_password_encoded", "index https://deploy:", f"p%40{some(8)}%2F", "@example.com/simple"),
        Planted("url_query_token", "GET https://example.com/a.whl?token=", some(32)),
        Planted("signed_url", "https://b.s3.amazonaws.com/k?X-Amz-Signature=", some(64, HEX)),
        Planted("env_value", "DB_PASSWORD=", some(16)),
        Planted("json_password", '"clientSecret": "', some(16), '",'),
        Planted("toml_password", 'password = "', some(16), '"'),
        Planted("argv", "uv publish --username u --password ", some(14)),
        Planted("netrc", "machine example.net login bot password ", some(14)),
        Planted("private_key_body", "-----BEGIN PRIVATE KEY-----\\n", some(64), "\\n-----END PRIVATE KEY-----\\n"),
        Planted("slack_webhook", "https://hooks.slack.com/services/", f"T{some(9).upper()}/B{some(9).upper()}/{some(24)}"),
        Planted("home_path_user", "cache at /home/", user, "/.cache/uv"),
        Planted("home_path_user", "C:\\Users\\", other, "\\AppData\\Local"),
        Planted("username", "uid=1000(", user, ") gid=1000"),
        Planted("email", "Author-email: ", f"ida.{some(5, HEX)}@{some(5, HEX)}.example"),
        Planted("ipv4", "connect to ", f"10.8.{draw.randint(60, 250)}.{draw.randint(1, 250)}", ":443 failed"),
        Planted("ipv6", "connect to [", f"2a02:{some(4, HEX)}:{some(4, HEX)}::{some(4, HEX)}", "]:443"),
        Planted("mac", "ether ", "02:" + ":".join(some(2, HEX) for _ in range(5)), " txqueuelen"),
        Planted("hostname", "hostname: ", host),
        Planted("hostname", "https://", f"pypi.{domain}", "/simple/six/"),
        Planted("hostname", "host=", f"db7.{domain}", " port=5432"),
    ]  # fmt: skip
    return World(tuple(planted), (user, other), (host, f"pypi.{domain}", f"git.{domain}"))


def shared_world(seed: int) -> World:
    """The values of the plant beside the project."""
    path = ROOT.parent / "shared" / "redaction" / "plant.py"
    spec = importlib.util.spec_from_file_location("plant", path)
    assert spec is not None
    assert spec.loader is not None
    plant = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plant)
    made = plant.Plant(seed)
    plant.build(made)
    return World(
        tuple(Planted(one["kind"], one["prefix"], one["value"], one["suffix"]) for one in made.planted),
        tuple(plant.USERS),
        tuple(plant.HOSTS),
    )


# --- planting ----------------------------------------------------------------------------------------------------


def plant_all(root: Path, world: World, uv_release: UvRelease) -> State:
    """The seed's failure, by a person of that world, with the values in every place that uv or uvreport reads."""
    of = {
        kind: [p.value for p in world.planted if p.kind == kind] for kind in {p.kind for p in world.planted}
    }
    secrets = [
        p.value for p in world.planted if p.kind not in PERSONAL and p.value.isascii() and len(p.value) < 90
    ]
    passwords = [value for kind in ("url_password", "argv", "netrc", "env_value") for value in of[kind]]
    tokens = [*of["github_pat"], *of["gitlab_pat"], *of["aws_access_key_id"]]
    host, git_host = world.hosts[0], world.hosts[-1]
    email = of["email"][0]
    comments = "".join(f"# {one.line}\n" for one in world.planted if "\n" not in one.line)
    plain = [value for value in secrets if re.fullmatch(r"[A-Za-z0-9_.-]{8,80}", value)]

    def secret(number: int) -> str:
        return passwords[number % len(passwords)]

    def url(number: int) -> str:
        return (
            f"https://deploy:{quote(secret(number), safe='')}@{world.hosts[number % len(world.hosts)]}/simple"
        )

    variables = {
        "USER": world.users[0],
        "LOGNAME": world.users[1 % len(world.users)],
        "USERNAME": world.users[2 % len(world.users)],
        "SUDO_USER": world.users[3 % len(world.users)],
        "LNAME": world.users[4 % len(world.users)],
        "HOSTNAME": host,
        "COMPUTERNAME": world.hosts[-1] if "." not in world.hosts[-1] else host,
        "EMAIL": email,
        "HTTPS_PROXY": f"http://proxy:{secret(3)}@127.0.0.1:9",
        "ALL_PROXY": f"http://proxy:{secret(4)}@127.0.0.1:9",
        "UV_INDEX_CORP_USERNAME": "deploy-9x",
        "UV_INDEX_CORP_PASSWORD": secret(5),
        "UV_PUBLISH_TOKEN": of["pypi_token"][0],
        "UV_HTTP_TIMEOUT": "5",
        "DATABASE_URL": f"postgres://app:{secret(6)}@db.invalid/x",
        "DB_PASSWORD": secret(7),
        "MY_SETTINGS": json.dumps({"password": secret(8), "url": url(1)}),
        "ENCODED": base64.b64encode(f"token={secret(9)}".encode()).decode(),
        "SSH_CONNECTION": " ".join(of["ipv4"][:2]),
        **{f"PLANTED_{n}_TOKEN": value for n, value in enumerate(secrets)},
        **{f"PLAIN_{n}": one.line for n, one in enumerate(world.planted) if "\0" not in one.line},
    }
    who = person(
        root,
        world.users[0],
        "billing-service",
        {
            "pyproject.toml": f"""\
# {email} deploys with {tokens[0]}
[project]
name = "billing-service"
version = "0.1.0"
requires-python = ">=3.10"
description = "see {url(0)} or ask {email}"
authors = [{{ name = "Ida Mollberg", email = "{email}" }}]
dependencies = ["my-package"]

[project.urls]
homepage = "https://{git_host}/ida/x?token={plain[0]}"

[tool.uv]
package = false
find-links = []

[tool.uv.sources]
my-package = {{ path = "generated" }}

[[tool.uv.index]]
name = "corp"
url = "{url(1)}"
explicit = true

[tool.acme]
password = "{plain[1]}"
nested = {{ api-token = "{plain[2]}", note = "{tokens[-1]}" }}
path = "/home/{world.users[0]}/x"
{comments}""",
            **source_tree("my-package", "0.3.0", under="generated/"),
            ".env": "".join(f"{one.line}\n" for one in world.planted) + f"DB_PASSWORD={secret(7)}\n",
            "requirements.txt": f"--index-url {url(0)}\nsix==1.0 # {tokens[0]}\n{comments}",
            ".python-version": "",
            "README.md": "\n".join(one.line for one in world.planted),
            "uv.toml.md": comments,
            f"generated/my_package/{plain[0]}.py": comments,
            f"generated/{plain[1]}/{plain[2]}/notes.txt": comments,
            "generated/my_package/settings.py": f"URL = {url(2)!r}\nPASSWORD = {secret(2)!r}\n"
            + "".join(f"V{n} = {one.line!r}\n" for n, one in enumerate(world.planted)),
        },
    )
    generated = who.project / "generated"
    description = (generated / "pyproject.toml").read_text()
    write(
        generated,
        {
            "pyproject.toml": description
            + '\n[tool.uv]\ncache-keys = [{ file = "pyproject.toml" }, { env = "DB_PASSWORD" }, { env = "MY_SETTINGS" }]\n'
            + comments,
        },
    )
    who = with_env(who, **variables)
    (who.project / ".python-version").unlink()
    (generated / "by-link").symlink_to(f"/home/{world.users[0]}/{plain[3 % len(plain)]}")
    home_files(who.home, world, url, secret, email, git_host, tokens, comments)
    git_config(who.project / ".git", f"https://oauth2:{plain[4 % len(plain)]}@{git_host}/acme/lib.git", email)
    keyring = who.root / "bin" / "keyring"
    keyring.parent.mkdir(exist_ok=True)
    keyring.write_text(f"#!/bin/sh\necho '{plain[5 % len(plain)]}'\n")
    keyring.chmod(0o755)
    quiet = {name: value for name, value in who.env.items() if "PROXY" not in name}
    uv_does(
        msgspec.structs.replace(who, env=quiet),
        uv_release("0.6.7"),
        "run",
        "python",
        "-c",
        "import my_package",
    )
    without_venv(who)
    cache_files(who.cache, world, url, plain, comments)
    lock = who.project / "uv.lock"
    lock.write_text(lock.read_text() + comments)
    return State(
        person=who,
        argv=("uv", "run", "python", "-c", "import my_package", *(one.value for one in world.planted[:40]), *plain[:20],
              "--password", secret(1), url(3)),
        uv=on_path(who, uv_release("0.6.6")),
        exit_code=2,
        lines=(),
        class_="cache-format-skew",
        culprits=("sdists-v8/path/*/revision.rev",),
    )  # fmt: skip


def home_files(
    home: Path,
    world: World,
    url: Callable[[int], str],
    secret: Callable[[int], str],
    email: str,
    git_host: str,
    tokens: list[str],
    comments: str,
) -> None:
    netrc = "".join(
        f"machine {host}\n  login bot\n  password {secret(n)}\n" for n, host in enumerate(world.hosts)
    )
    write(
        home,
        {
            ".gitconfig": f'[user]\n\tname = Ida Mollberg\n\temail = {email}\n[url "{url(0)}"]\n\tinsteadOf = https://x\n'
            f'[http "https://{git_host}/"]\n\textraheader = Authorization: Bearer {tokens[0]}\n',
            ".git-credentials": url(1) + "\n",
            ".netrc": netrc,
            ".config/uv/uv.toml": f'{comments}[[index]]\nname = "home"\nurl = "{url(2)}"\nexplicit = true\n',
            ".config/pip/pip.conf": f"[global]\nextra-index-url =\n  {url(1)}\n  {url(2)}\n",
            ".pypirc": "[distutils]\nindex-servers = corp\n[corp]\n"
            f"repository = {url(0)}\nusername = bot\npassword = {secret(2)}\n",
            ".local/share/uv/credentials/credentials.toml": f'[[credential]]\nservice = "https://{git_host}/"\n'
            f'username = "bot"\nscheme = "basic"\npassword = {json.dumps(secret(3))}\n',
        },
    )  # fmt: skip


def git_config(folder: Path, remote: str, email: str) -> None:
    write(
        folder,
        {
            "HEAD": "ref: refs/heads/main\n",
            "config": "[core]\n\trepositoryformatversion = 0\n"
            f'[remote "origin"]\n\turl = {remote}\n[user]\n\temail = {email}\n',
            "refs/heads/main": "0" * 40 + "\n",
        },
    )
    (folder / "objects").mkdir()


def cache_files(
    cache: Path, world: World, url: Callable[[int], str], plain: list[str], comments: str
) -> None:
    """Values beside the culprit and in other buckets: names, JSON, METADATA, msgpack, responses."""
    (culprit,) = cache.glob("sdists-v8/path/*/revision.rev")
    beside = culprit.parent
    (inside,) = (path for path in beside.iterdir() if path.is_dir())
    write(
        inside,
        {
            "uv_cache.json": json.dumps({"timestamp": None, "env": {"DB_PASSWORD": plain[0], "X": url(0)}}),
            "direct_url.json": json.dumps({"url": url(1), "dir_info": {}}),
            "METADATA": f"Metadata-Version: 2.1\nName: my-package\nVersion: 0.3.0\n{comments}",
            f"{plain[1]}.txt": comments,
        },
    )
    said = [one.line for one in world.planted] + [one.value for one in world.planted]
    simple = cache / "simple-v15" / "index" / ("ab" * 8)
    simple.mkdir(parents=True)
    (simple / "my-package.rkyv").write_bytes(b"\0\1\2" + "\0".join(said).encode() + bytes(64))
    wheels = cache / "wheels-v4" / "index" / ("cd" * 8) / "my-package"
    wheels.mkdir(parents=True)
    (wheels / "my_package-0.3.0.msgpack").write_bytes(
        msgspec.msgpack.encode([said, {"url": url(2), "password": plain[0]}])
    )
    (wheels / "my_package-0.3.0.http").write_bytes(msgspec.msgpack.encode([url(3), said]) + bytes(16))


# --- searching ---------------------------------------------------------------------------------------------------


def contents(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Every file of a finished bundle, with its name, and all names."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        for info in packed.infolist():
            inner = packed.read(info)
            yield info.filename, info.filename.encode() + info.comment + info.extra
            if inner[:4] == b"\x28\xb5\x2f\xfd":
                inner = zstandard.ZstdDecompressor().stream_reader(inner).read()
                with tarfile.open(fileobj=io.BytesIO(inner), mode="r:") as tar:
                    for one in tar:
                        yield one.name, f"{one.name}\n{one.linkname}\n{one.uname}\n{one.gname}".encode()
                        if one.isfile():
                            source = tar.extractfile(one)
                            assert source is not None
                            yield one.name, source.read()
            else:
                yield info.filename, inner


_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)


def unescaped(data: bytes) -> bytes:
    def plain(match: re.Match[bytes]) -> bytes:
        wide, byte, other = match.groups()
        if wide:
            return chr(int(wide, 16)).encode("utf-8", "replace")
        return bytes.fromhex(byte.decode()) if byte else {b"n": b"\n", b"t": b"\t"}.get(other, other)

    return _ESCAPE.sub(plain, data)


def readings(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The bytes in every encoding undone."""
    yield "", data
    once = unquote_to_bytes(data)
    yield "percent", once
    yield "percent twice", unquote_to_bytes(once)
    yield "escaped", unescaped(data)
    yield "escaped twice", unescaped(unescaped(data))
    yield "html", html.unescape(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    yield "utf-16", data.replace(b"\0", b"")
    yield "joined", re.sub(rb"\s*\n[\s\xe2\x94\x82]*", b"", data)
    for run in set(re.findall(rb"[A-Za-z0-9+/_-]{8,}", data)):
        text = run.replace(b"-", b"+").replace(b"_", b"/")
        for shift in range(4):
            piece = text[shift:]
            piece = piece[: len(piece) - (len(piece) % 4 == 1)]
            with_padding = piece + b"=" * (-len(piece) % 4)
            try:
                yield "base64", base64.b64decode(with_padding)
            except binascii.Error:
                continue
    for run in set(re.findall(rb"(?:[0-9a-fA-F]{2}){8,}", data)):
        yield "hex", bytes.fromhex(run.decode())


def left_in(data: bytes, world: World) -> set[tuple[str, str, str, str]]:
    """Which values are left, as (kind, value, member, encoding). People and hosts in any case, whole words."""
    wanted: list[tuple[Planted, re.Pattern[bytes]]] = []
    for one in {(p.kind, p.value): p for p in world.planted}.values():
        personal = one.kind in PERSONAL
        forms = {one.value.encode()} | ({unquote_to_bytes(one.value)} if "%" in one.value else set())
        if one.kind.startswith(("private_key_json",)):
            forms |= {part.encode() for part in one.value.split("\\n")}
        for form in forms:
            if personal:
                edges = rb"(?<![a-z0-9])" + re.escape(form.lower()) + rb"(?![a-z0-9])"
                wanted.append((one, re.compile(edges)))
            else:
                wanted.append((one, re.compile(re.escape(form))))
    found = set()
    for name, content in contents(data):
        for how, text in readings(content):
            low = text.lower()
            for one, pattern in wanted:
                if how in ("base64", "hex") and len(one.value) < 8:
                    continue
                if pattern.search(low if one.kind in PERSONAL else text):
                    found.add((one.kind, one.value, name, how))
    return found


# --- the tests ---------------------------------------------------------------------------------------------------

WORLDS: list[Any] = [
    pytest.param(own_world, 1, id="own-1"),
    pytest.param(
        shared_world,
        1,
        id="shared-1",
        marks=pytest.mark.skipif(
            not (ROOT.parent / "shared" / "redaction" / "plant.py").exists(), reason="only beside the project"
        ),
    ),
]


@pytest.mark.parametrize(("make", "seed"), WORLDS)
def test_no_planted_value_is_in_the_finished_bytes_and_it_still_fails_the_same_way(
    make: Callable[[int], World], seed: int, tmp_path: Path, uv_release: UvRelease
) -> None:
    world = make(seed)
    state = plant_all(tmp_path / "w", world, uv_release)
    code, said, error = collect(state, tmp_path / "out")
    assert code == 0, error
    assert said["failure"]["class"] == "cache-format-skew"
    assert said["proof"]["verdict"] == "REPRODUCED", said["proof"]
    for path in (said["bundle"], said["issue"]):
        assert left_in(as_bundle(Path(path)), world) == set()


@pytest.mark.parametrize(("make", "seed"), WORLDS[:1])
def test_no_planted_value_of_a_saved_log_is_in_the_finished_bytes(
    make: Callable[[int], World], seed: int, tmp_path: Path, uv_release: UvRelease
) -> None:
    world = make(seed)
    state = plant_all(tmp_path / "w", world, uv_release)
    log = "".join(f"DEBUG {one.line}\n" for one in world.planted) + state.run().stderr
    (tmp_path / "log.txt").write_text(log, encoding="utf-8")
    done = uvreport(
        "collect", "--json", "--log", str(tmp_path / "log.txt"), "--output", str(tmp_path), "--", *state.argv,
        env=state.env, cwd=state.project,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert left_in(Path(json.loads(done.stdout)["bundle"]).read_bytes(), world) == set()


# --- old logs ----------------------------------------------------------------------------------------------------


class _Index(BaseHTTPRequestHandler):
    """A package index that wants a user and a password. Asked as a proxy, it answers for every host."""

    protocol_version = "HTTP/1.1"
    authorization = ""

    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == self.authorization
        body = b'<a href="six-1.0-py3-none-any.whl#sha256=%b">six-1.0-py3-none-any.whl</a>' % (b"0" * 64)
        if not allowed or not self.path.rstrip("/").endswith("/six"):
            body = b"no"
        self.send_response(200 if body != b"no" else 404 if allowed else 401)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "session=c00kie0fTheIndex77; Path=/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the standard library
        pass


@pytest.fixture
def guarded_index() -> Iterator[tuple[int, str, str]]:
    """The port of an index on the loopback, and the user and the token that it wants."""
    user, token = "reader-Qx81", "t0kEn-7Yw2kQz9LmB4"
    basic = base64.b64encode(f"{user}:{token}".encode()).decode()
    handler = type("_Guarded", (_Index,), {"authorization": f"Basic {basic}"})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port, user, token
        finally:
            server.shutdown()
            thread.join()


# Up to 0.6.7 uv prints credentials in clear; through a proxy the index can have a host name that is private.
OLD_AND_NEW = [("0.4.30", False), ("0.5.18", True), ("0.6.7", False), ("0.13.9", True)]


@pytest.mark.parametrize(("release", "through_proxy"), OLD_AND_NEW)
def test_credentials_that_a_release_prints_are_in_no_bundle_of_its_failure_or_of_its_saved_log(
    release: str,
    through_proxy: bool,
    guarded_index: tuple[int, str, str],
    tmp_path: Path,
    uv_release: UvRelease,
) -> None:
    port, user, token = guarded_index
    address = "pkgs.int.mill-9.example" if through_proxy else f"127.0.0.1:{port}"
    url = f"http://{user}:{token}@{address}/simple/"
    who = person(
        tmp_path / "w",
        "ida.mol",
        "works",
        {
            "pyproject.toml": '[project]\nname = "works"\nversion = "0.1.0"\nrequires-python = ">=3.10"\n'
            'dependencies = ["six==2.0"]\n\n[tool.uv]\npackage = false\n',
        },
    )
    who = with_env(who, UV_INDEX_URL=url, UV_DEFAULT_INDEX=url, RUST_LOG="trace")
    proxy_password = "pr0xy-Pw-55kQ"
    if through_proxy:
        who = with_env(who, HTTP_PROXY=f"http://gate:{proxy_password}@127.0.0.1:{port}")
    found = on_path(who, uv_release(release))
    state = State(person=who, argv=("uv", "-v", "lock"), uv=found, exit_code=1, lines=(), class_="resolution")
    outcome = state.run()
    assert outcome.exit_code == 1, outcome.stderr
    assert (token in outcome.stderr) == (release != "0.13.9"), "the release does otherwise: choose another"
    secret = [
        user,
        token,
        proxy_password,
        "c00kie0fTheIndex77",
        base64.b64encode(f"{user}:{token}".encode()).decode(),
    ]
    world = World(
        (
            *(Planted("secret", "", value) for value in secret),
            *(
                [Planted("hostname", "", address), Planted("hostname", "", "mill-9.example")]
                if through_proxy
                else []
            ),
            Planted("username", "", "ida.mol"),
        ),
        (),
        (),
    )
    code, said, error = collect(state, tmp_path / "out")
    assert code == 0, error
    (tmp_path / "log.txt").write_text(outcome.stderr)
    plain = {
        name: value for name, value in who.env.items() if not name.startswith(("UV_INDEX", "UV_DEF", "HTTP"))
    }
    done = uvreport(
        "collect", "--json", "--log", str(tmp_path / "log.txt"), "--output", str(tmp_path), "--", *state.argv,
        env=plain, cwd=state.project,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # What nobody configured is a public index to uvreport: only where it is configured its host is private.
    log_world = World(tuple(one for one in world.planted if one.kind != "hostname"), (), ())
    assert left_in(Path(said["bundle"]).read_bytes(), world) == set()
    assert left_in(Path(json.loads(done.stdout)["bundle"]).read_bytes(), log_world) == set()
    text = b"".join(
        content for name, content in contents(Path(said["bundle"]).read_bytes()) if name == "run/stderr.txt"
    )
    assert (b".invalid/simple" if through_proxy else address.encode() + b"/simple") in text


def as_bundle(path: Path) -> bytes:
    """The bytes of a bundle, or a file in an archive of its own, to be searched in the same way."""
    data = path.read_bytes()
    if data[:2] == b"PK":
        return data
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("issue.md", data)
    return out.getvalue()


def test_the_search_of_this_test_finds_what_is_there() -> None:
    world = own_world(3)
    for encode in (
        bytes,
        base64.b64encode,
        lambda b: b.hex().encode(),
        lambda b: b"xx" + base64.b64encode(b";" + b),
    ):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as packed:
            packed.writestr("a", b"\n".join(encode(one.value.encode()) for one in world.planted))
        found = {value for _, value, _, _ in left_in(data.getvalue(), world)}
        assert {one.value for one in world.planted if len(one.value) >= 8} <= found


if __name__ == "__main__":  # python -m tests.test_planted_collect FOLDER SEED...: as often as wanted
    from uvreport import releases

    folder = Path(sys.argv[1])
    for number in map(int, sys.argv[2:]):
        for factory in (own_world, shared_world):
            here = folder / f"{factory.__name__}-{number}"
            made = factory(number)
            try:
                state = plant_all(
                    here / "w", made, lambda release: releases.obtain(release, environ=os.environ)
                )
                code, said, error = collect(state, here / "out")
                left = left_in(Path(said["bundle"]).read_bytes(), made) if code == 0 else set()
                print(factory.__name__, number, code, said.get("proof"), len(left), error[-600:])  # noqa: T201
                for one in sorted(left)[:30]:
                    print("  ", one)  # noqa: T201
            except AssertionError as problem:
                print(factory.__name__, number, str(problem)[-1500:])  # noqa: T201
