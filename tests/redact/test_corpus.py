"""Kinds and contexts that no rule was written against one by one: other vendors, names, syntaxes and encodings.

Every value is drawn anew for each seed, so that a rule cannot fit a value. None is or was live.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import string
from pathlib import Path
from urllib.parse import quote

import pytest

from uvreport.redact.engine import Engine
from uvreport.redact.known import Known
from uvreport.redact.ledger import Ledger

B62 = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
KNOWN = Known(
    users=("ingrid.sol", "Per Ås", "kim"),
    full_names=("Ingrid Sol",),
    hosts=("sol-ws-7", "pkg.int.sol-energy.example"),
    hostname="sol-ws-7",
    domains=("int.sol-energy.example",),
    orgs=("solenergi",),
)

# The value goes where {} is; the alphabet and the length it is drawn from.
SECRETS: list[tuple[str, str, int]] = [
    # other variables, other syntaxes
    ("MYSQL_ROOT_PASSWORD={}", B62, 12),
    ("set REDIS_PASS={}", B62, 10),
    ('$env:NUGET_API_KEY = "{}"', B62, 30),
    ("setenv JFROG_PASSWORD {}", B62, 14),
    ("ENV ARTIFACTORY_TOKEN {}", B62, 24),
    ("ARG NPM_TOKEN={}", B62, 24),
    ("docker run -e DB_PASSWD={} image", B62, 12),
    ("  - name: PIP_PASSWORD\n    value: {}", B62, 14),
    ("  value: '{}' # SECRET_TOKEN", B62, 0),
    ("spring.datasource.password={}", B62, 12),
    ("ldap.bindPassword: {}", B62, 12),
    ("  <password>{}</password>", B62, 12),
    ('<add key="ClearTextPassword" value="{}" />', B62, 16),
    ("password => '{}',", B62, 12),
    (":password: '{}'", B62, 12),
    ('config.secret_key_base = "{}"', HEX, 64),
    ('Password="{}";Persist Security Info=True', B62, 12),
    ("Server=db;User Id=sa;Password={};Encrypt=True", B62, 12),
    ("Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey={}=", B62, 43),
    ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey={}==", B62, 86),
    ('settings: Settings {{ token: Some("{}") }}', B62, 20),
    ('Credentials {{ username: Some("bot"), password: Some(Password("{}")) }}', B62, 16),
    ("Credentials(username='bot', password='{}')", B62, 16),
    ("kwargs={{'api_key': '{}'}}", B62, 20),
    ('{{"a": {{"refreshToken": "{}"}}}}', B62, 30),
    ('{{\\"access_token\\":\\"{}\\"}}', B62, 30),
    ("apikey={}", B62, 20),
    ("X-Api-Key: {}", B62, 20),
    ("x-goog-api-key: {}", B62, 39),
    ("Ocp-Apim-Subscription-Key: {}", HEX, 32),
    ("Circle-Token: {}", HEX, 40),
    ("X-Auth-Token={}", B62, 24),
    ("-H 'PRIVATE-TOKEN: {}'", B62, 20),
    ("JOB-TOKEN: {}", B62, 20),
    ("DD-API-KEY: {}", HEX, 32),
    ("CODECOV_TOKEN={}", HEX, 36),
    ("SNYK_TOKEN: {}", HEX, 36),
    ("TF_VAR_db_password={}", B62, 14),
    ("ansible_become_pass={}", B62, 14),
    ("VAULT_ADDR=https://v VAULT_SECRET_ID={}", HEX, 36),
    ("uv publish -t {}", B62, 0),
    ("poetry config pypi-token.corp {}", B62, 30),
    ("npm config set //r.example/:_password {}", B62, 24),
    ("pip config set global.password {}", B62, 0),
    ("keyring set https://r.example bot {}", B62, 0),
    # flags
    ("$ uv publish --token {} dist/x", B62, 24),
    ("uv run --with x tool --api-key={}", B62, 24),
    ('"--auth-token", "{}"', B62, 24),
    ("gh auth login --with-token {}", B62, 24),
    ("az login --service-principal -u x -p {} --tenant t", B62, 24),
    ("curl --user ops:{} https://h.example", B62, 12),
    ("curl -uops:{} https://h.example", B62, 12),
    ("wget --http-password={} https://h.example", B62, 12),
    ("mysqldump -u root -p{} db", B62, 12),
    ("sshpass -p {} ssh h", B62, 12),
    # URLs
    ("postgresql+psycopg2://app:{}@db:5432/x", B62, 14),
    ("amqp://guest2:{}@mq:5672/%2f", B62, 14),
    ("mongodb+srv://u:{}@c0.example/?retryWrites=true", B62, 14),
    ("smtp://mailer:{}@mail.example:587", B62, 14),
    ("socks5h://u:{}@127.0.0.1:1080", B62, 14),
    ("sftp://u:{}@h.example/x", B62, 14),
    ("index = https://{}@h.example/simple", B62, 32),
    ("//u:{}@h.example/simple", B62, 14),
    ("--index corp=https://u:{}@h.example/simple", B62, 14),
    ("direct+https://u:{}@h.example/x.whl", B62, 14),
    ("name @ git+https://x-access-token:{}@github.com/a/b@v1", B62, 36),
    ("Found credentials in URL `https://u:{}@h.example/`", B62, 14),
    ("https://h.example/x?password={}&a=1", B62, 14),
    ("https://h.example/x?sig={}&se=2030", B62, 40),
    ("https://d.cloudfront.example/x?Expires=1&Signature={}~&Key-Pair-Id=K2", B62, 60),
    ("https://storage.example/x?X-Goog-Signature={}", HEX, 256),
    ("https://h.example/x?X-Amz-Credential={}%2F20260101", UPPER, 20),
    ("https://h.example/#access_token={}&token_type=bearer", B62, 40),
    ("https://h.example/cb?code={}&state=x", B62, 40),
    ("https%3A%2F%2Fh.example%2Fx%3Ftoken%3D{}", B62, 30),
    # headers
    ("Authorization: ApiKey {}", B62, 30),
    ("authorization: Token {}", HEX, 40),
    ("'Authorization': 'Bearer {}'", B62, 30),
    ('headers: {{"authorization": "Bearer {}"}}', B62, 30),
    ("bearer={}", B62, 30),
    ("Set-Cookie: __Host-sid={}; Secure; Path=/", B62, 30),
    ("cookie: a=1; csrftoken={}; b=2", B62, 30),
    # tokens by shape, in no context
    ("got glrt-{}", B62, 20),
    ("got gldt-{}", B62, 20),
    ("got dckr_pat_{}", B62, 27),
    ("got rubygems_{}", HEX, 48),
    ("got sk-ant-api03-{}", B62, 90),
    ("got sk-proj-{}", B62, 60),
    ("got rk_live_{}", B62, 24),
    ("got shpat_{}", HEX, 32),
    ("got dop_v1_{}", HEX, 64),
    ("got xapp-1-A0-1-{}", HEX, 64),
    ("got ATATT3xFfGF0{}", B62, 60),
    ("got sntrys_{}", B62, 80),
    ("got glsa_{}_0a1b2c3d", B62, 32),
    ("got PMAK-0123456789abcdef01234567-{}", HEX, 34),
    ("got lin_api_{}", B62, 40),
    ("got figd_{}", B62, 40),
    ("got nvapi-{}", B62, 64),
    ("got dapi{}", HEX, 32),
    ("got tskey-auth-{}", B62, 30),
    ("got hvb.{}", B62, 60),
    ("got pul-{}", HEX, 40),
    ("got 987654321:AA{}", B62, 33),
    ("https://discord.com/api/webhooks/123456789012345678/{}", B62, 68),
    ("https://x.webhook.office.com/webhookb2/{}", B62, 60),
    ("AGE-SECRET-KEY-1{}", UPPER, 58),
    ("PuTTY\nPrivate-Lines: 1\n{}", B62, 64),
    ("machine h.example\nlogin bot\npassword {}\n", B62, 14),
    ("machine h.example login bot password {}", B62, 14),
    ("$ keyring get https://h.example bot\n{}\n", B62, 14),
    ("h.example:443:*:bot:{}", B62, 0),
]

PERSONAL = [
    "/home/ingrid.sol/x",
    "/HOME/INGRID.SOL/x",
    "file:///home/ingrid.sol/x",
    "/var/home/ingrid.sol/x",
    "C:\\Users\\Per Ås\\AppData",
    "file:///C:/Users/Per%20%C3%85s/x",
    '"C:\\\\Users\\\\Per \\u00c5s\\\\x"',
    "/Users/kim/x",
    "cd ~kim/x",
    "-rw-r--r-- 1 kim users 10 x",
    "ssh kim@h",
    "Author: Ingrid Sol",
    "Sol, Ingrid",
    "sol-ws-7.local",
    "SOL-WS-7",
    "https://pkg.int.sol-energy.example/simple",
    "db-1.INT.sol-energy.example:5432",
    "s3://solenergi/x",
    "uid=501(kim)",
    "Linux sol-ws-7 6.1.0 #1",
    "/run/user-kim/x",
    "kim:x:1000:1000::/home/kim:/bin/sh",
]

KEEP = [
    "DEBUG No credentials in cache for URL https://h.example/simple/token-bucket/",
    "TRACE Handling request for `https://h.example/simple/secretstorage/` with authentication policy auto",
    "Selecting: python-jose==3.3.0 [compatible] (python_jose-3.3.0-py2.py3-none-any.whl)",
    "passlib==1.7.4 --hash=sha256:aa6bca462b8d8bda89c70b382f0c298a20b5560af6cbfa2dce410c0a2fb669f1",
    'name = "keyring"',
    'keyring-provider = "disabled"',
    '    key = "value"',
    "tokenizers>=0.13,<0.14",
    "auth: none",
    "WARN Failed to fetch token from keyring: no such command",
    "error: password required",
    "hint: set UV_PUBLISH_TOKEN or use --token",
    "usage: uv publish [--token <TOKEN>] [--password <PASSWORD>]",
    "  -p, --password <PASSWORD>  The password for the upload [env: UV_PUBLISH_PASSWORD=]",
    'requires-python = ">=3.10"',
    'version = "2024.7.4.1"',
    "Python 3.12.1.2 at /usr/bin/python3",
    "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "git+https://github.com/psf/requests@0e322af87745eff34caffe4df68456ebc20d9068",
    "archive-v0/AbCdEf0123456789-_xyZ",
    "sdists-v9/path/f28bc351fa2721ba/revision.rev",
    "thread 'main' panicked at crates/uv/src/lib.rs:10:20:",
    "std::collections::HashMap<std::string::String, uv_cache::bucket::CacheBucket>",
    "at 0x00007f1234567890 in tokio::runtime::park::CachedParkThread::block_on",
    "took 00:00:12.345 on 2026-11-22T10:11:12.131415Z",
    'etag: W/"66f0a1b2c3d4e5f6"',
    "cache-control: max-age=600, public",
    '127.0.0.1 - - [22/Nov/2026] "GET /simple/ HTTP/1.1" 200',
    "http://localhost:8000/simple and http://[::1]:8000/",
    "/usr/local/lib/python3.11/site-packages/foo/local.py",
    "export PATH=/usr/local/bin:/usr/bin",
    '[tool.uv]\ncache-keys = [{ env = "MY_FLAVOUR" }]',
    'keywords = ["auth", "secret"]',
    '"token": null, "password": ""',
    "monkey=1 turkey: 2 hockey = 3",
    "compass: north",
    "max_token_length: 5120",
    'author = "unknown"',
    "kimchi==1.0 and kimono",
    "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    "Subject: CN=example CA, O=Internet Widgits",
    "commit 0e322af87745eff34caffe4df68456ebc20d9068",
    "0123abcd-4567-89ef-0123-456789abcdef",
]  # fmt: skip


def drawn(seed: int) -> random.Random:
    return random.Random(seed)


def value(r: random.Random, alphabet: str, size: int) -> str:
    while True:
        text = "".join(r.choice(alphabet) for _ in range(size))
        if any(c.isdigit() for c in text) and any(c.isalpha() for c in text):
            return text


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("at", [i for i, (_, _, size) in enumerate(SECRETS) if size])
def test_a_secret_in_a_context_that_was_not_foreseen_is_gone(at: int, seed: int) -> None:
    template, alphabet, size = SECRETS[at]
    template = template.replace("{{", "{").replace("}}", "}") if "{{" in template else template
    secret = value(drawn(seed * 1000 + at), alphabet, size)
    text = template.replace("{}", secret, 1)
    out, _ = Engine(KNOWN, Ledger()).redact(text.encode())
    assert secret.encode() not in out
    assert secret[: max(8, size // 2)].encode() not in out
    assert out.count(b"\n") == text.count("\n")


@pytest.mark.parametrize("text", PERSONAL)
def test_a_person_or_host_in_a_context_that_was_not_foreseen_is_gone(text: str) -> None:
    out = Engine(KNOWN, Ledger()).redact(text.encode())[0].decode().casefold()
    for word in ("ingrid", "kim", "per ås", "per%20", "\\u00c5s", "sol-", "solenergi"):
        assert word not in out


@pytest.mark.parametrize("text", KEEP)
def test_a_look_alike_stays(text: str) -> None:
    assert Engine(KNOWN, Ledger()).redact(text.encode())[0].decode() == text


@pytest.mark.parametrize("how", ["quote", "json", "base64", "html"])
def test_a_url_with_a_password_is_seen_through_an_encoding(how: str) -> None:
    url = "https://deploy:Zk3!pq9x@h.example/simple"
    text = {
        "quote": quote(url, safe=""),
        "json": json.dumps(url).replace("/", "\\/"),
        "base64": base64.b64encode(f'{{"auth": "{url}"}}'.encode()).decode(),
        "html": url.replace(":", "&#58;").replace("@", "&#64;"),
    }[how]
    out, _ = Engine(KNOWN, Ledger()).redact(text.encode())
    assert b"redacted" in out
    assert b"Zk3" not in out


SAID = (
    "machine pkg.example login bot password Zk3pq9xW\n" * 4
    + "/home/ingrid.sol/x and pkg.int.sol-energy.example\n"
)


@pytest.mark.parametrize("width", [20, 60, 64, 76])
@pytest.mark.parametrize("lead", ["", "    ", "# ", "  │ ", "DEBUG "])
@pytest.mark.parametrize("how", ["base64", "hex", "gzip", "utf-16"])
def test_what_is_wrapped_over_lines_is_read_as_one_and_goes_whole(how: str, lead: str, width: int) -> None:
    whole = {
        "base64": lambda: base64.b64encode(SAID.encode()).decode(),
        "hex": lambda: SAID.encode().hex(),
        "gzip": lambda: base64.b64encode(gzip.compress(SAID.encode(), mtime=0)).decode(),
        "utf-16": lambda: base64.b64encode(SAID.encode("utf-16-le")).decode(),
    }[how]()
    width = max(width, 40) if how == "hex" else width  # hex of less than 16 bytes is not read
    lines = [whole[at : at + width] for at in range(0, len(whole), width)]
    text = "Found six\n" + "".join(f"{lead}{line}\n" for line in lines) + "Resolved 1 package\n"
    out = Engine(KNOWN, Ledger()).redact(text.encode())[0].decode()
    assert [line for line in lines if len(line) >= 8 and line in out] == []
    assert out.count("\n") == text.count("\n")
    assert out.startswith("Found six\n")
    assert out.endswith("Resolved 1 package\n")


def test_what_is_wrapped_and_says_nothing_private_stays() -> None:
    whole = base64.b64encode(b"Nothing in here is anybody's business. " * 8).decode()
    text = "\n".join(whole[at : at + 76] for at in range(0, len(whole), 76))
    assert Engine(KNOWN, Ledger()).redact(text.encode())[0].decode() == text


# --- many kinds, one line each -------------------------------------------------------------------------------------

ALPHABETS = {
    "a": B62, "l": LOWER, "u": UPPER, "c": string.ascii_lowercase, "h": HEX, "H": HEX.upper(), "d": string.digits,
    "s": B62 + "+/", "w": B62 + "-_", "p": B62 + "!#$*_-",
}  # fmt: skip
LINES = {
    name: [
        line.replace("⏎", "\n")
        for line in (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
        if not line.startswith("# ")
    ]
    for name in ("kinds.txt", "look_alikes.txt")
}


def filled(line: str, r: random.Random) -> str:
    def one(match: re.Match[str]) -> str:
        alphabet, size = ALPHABETS[match[1]], int(match[2])
        plain = size < 6 or match[1] in "cd"
        return "".join(r.choice(alphabet) for _ in range(size)) if plain else value(r, alphabet, size)

    return re.sub(r"\{([alchHdswup])(\d+)\}", one, line)


@pytest.mark.parametrize("seed", range(2))
def test_no_marked_value_of_any_kind_is_left_not_even_half_of_it(seed: int) -> None:
    left = []
    for number, line in enumerate(LINES["kinds.txt"]):
        marked = filled(line, drawn(seed * 10_000 + number))
        text = marked.replace("«", "").replace("»", "")
        out = Engine(KNOWN, Ledger()).redact(text.encode())[0].decode()
        for secret in re.findall("«(.*?)»", marked, re.DOTALL):
            half = max(8, (len(secret) + 1) // 2)
            pieces = (
                {secret[i : i + half] for i in range(len(secret) - half + 1)} if len(secret) >= 10 else set()
            )
            if secret in out or any(piece in out for piece in pieces):
                left.append((text, out))
    assert left == []


@pytest.mark.parametrize("seed", range(2))
def test_no_look_alike_of_any_kind_is_changed(seed: int) -> None:
    lines = [
        filled(line, drawn(seed * 10_000 + number)) for number, line in enumerate(LINES["look_alikes.txt"])
    ]
    told = {line: Engine(KNOWN, Ledger()).redact(line.encode())[0].decode() for line in lines}
    assert {line: out for line, out in told.items() if out != line} == {}
