"""Prints what redaction costs and what it finds, beside public scanners: one table, then streams and hostile lines.

    python -m benchmarks.redaction [--peers PYTHON] [--log FILE] [--big-mb 100] [--stream-mb 500] [--seed 1]

The log is made up in the shape of a real one: `uv pip compile -vv` (0.13.9) of sixteen packages that make it
backtrack, 18,463 lines, of whose bytes 78 % stood in lines that occur once. Here every line is its own: the version,
the digest or the time in it is drawn anew. The kinds of lines and how often each comes are counted from that log; the
account name stands in 70 lines of each MB. --log takes one of your own instead.

Recall is measured on the planted file of ../shared/redaction where that is, else on the project's own corpus
(tests/redact/test_corpus.py, which its rules were tested with: then it says nothing beside other tools).

The scanners are looked for in the interpreter that --peers names (default: this one) and on the PATH. To install:

    python3 -m venv PEERS
    PEERS/bin/pip install detect-secrets scrubadub sentry-relay
    PEERS/bin/pip install --pre redact-secret
    npm install secretlint @secretlint/secretlint-rule-preset-recommend   # then put node_modules/.bin on the PATH
    apt install gitleaks                                                  # where the release has it
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.redaction_tools import PEERS

ROOT = Path(__file__).parent.parent
KIT = ROOT.parent / "shared" / "redaction"
ENGINES = ("stdlib", "re2") if importlib.util.find_spec("re2") else ("stdlib",)
KNOWN = {
    "users": ["zoe.quill"],
    "full_names": ["Zoe Quill"],
    "homes": ["/home/zoe.quill"],
    "hosts": ["pypi.corp.quill.example"],
    "hostname": "zq-laptop",
    "domains": ["corp.quill.example"],
    "secrets": ["hunter2-Prod!2026"],
}
NAMES = (
    "aiobotocore", "apache-airflow", "attrs", "boto3", "botocore", "celery", "docker", "fastapi", "flask", "greenlet",
    "kubernetes", "numpy", "pandas", "psutil", "requests", "s3fs", "sqlalchemy", "token-bucket", "urllib3", "uvicorn",
    "secretstorage", "keyring", "python-jose", "websockets",
)  # fmt: skip
# What a line says, and how many of a hundred lines say it.
LINES = (
    (8, "DEBUG Adding transitive dependency for {name}=={version}: {other}>={version}, <{major}.0"),
    (
        7,
        "TRACE Selecting candidate for {name} with range >={version}, <{major}.0.0 with {count} remote versions",
    ),
    (
        7,
        "TRACE Found candidate for package {name} with range >={version} after {count} steps: {version} version",
    ),
    (
        7,
        "TRACE Returning candidate for package {name} with range >={version}, <{major}.0 after {count} steps",
    ),
    (5, "TRACE No credentials in cache for URL {url}"),
    (5, "TRACE Handling request for `{url}` with authentication policy auto"),
    (5, "TRACE Attempting unauthenticated request for {url}"),
    (4, "TRACE Request for `{url}` is not cached"),
    (3, "TRACE Chose package for decision: {name}. remaining choices: {other}=={version}, {name}=={count}"),
    (3, "TRACE Assigned packages: root==0a0.dev0, {name}=={version}, {other}=={version}"),
    (3, "TRACE Received response for fresh HEAD request for: {url}"),
    (3, "TRACE No cache entry exists for {cache}"),
    (3, "DEBUG No cache entry for: {url}.metadata"),
    (
        3,
        "DEBUG Skipping file for {name}: {name}-{version}-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    ),
    (2, "DEBUG Searching for a compatible version of {name} (>={version}, <{major}.0)"),
    (2, "TRACE Response from {url} is storable because it is 'public' with max-age {count}"),
    (2, "TRACE Resolution edge:     {version} -> {version}"),
    (1, "DEBUG Recording dependency conflict of {name}=={version} from incompatibility of {other}"),
    (1, "DEBUG Selecting: {name}=={version} [compatible] ({name}-{version}-py3-none-any.whl)"),
)
HOSTILE = {
    "1.1.1.1.": b"1.1.1.1.",
    "a.b.": b"a.b.",
    "a@b.": b"a@b.",
    "@": b"@",
    "://": b"://",
    "a://b:c": b"a://b:c",
    "token_": b"token_",
    "token=": b"token=",
    "tokens=": b"tokens=",
    'token="': b'token="',
    "pwd": b"pwd",
    "password ": b"password ",
    "--password ": b"--password ",
    "?code=": b"?code=",
    "?token=a&": b"?token=a&",
    "eyJaaa.": b"eyJaaa.",
    "eyJaaaaaaaa.": b"eyJaaaaaaaa.",
    "PEM headers": b"-----BEGIN PRIVATE KEY-----",
    "-": b"-",
    "MII": b"MII",
    "%25": b"%25",
    "%41": b"%41",
    "\\": b"\\",
    "\\u0041": b"\\u0041",
    "&amp;": b"&amp;",
    "hex": b"61",
    "base64": b"QUJD",
    "base64 of a password": b'"auth": "Y2k6cGFzc3dvcmQx" ',
    "known in base64, another case": b"EM9LLNF1AWXS",
    "/home/": b"/home/",
    "\\users\\": b"\\users\\",
    "ab:cd:": b"ab:cd:",
    "::": b"::",
    "machine x login y ": b"machine x login y ",
    "cookie: a=b; ": b"cookie: a=b; ",
    "known names": b"zoe.quill ",
    "known hosts": b"a.corp.quill.example.",
    "letters": b"a",
    "spaces": b" ",
    "unicode": "é\u2028İ".encode(),
    "not UTF-8": b"\xff\xfe\0",
}
SECONDS_FOR_BIG = 90  # a tool that would take longer for the big log is not asked


def verbose_log(size_bytes: int, *, seed: int = 1, homes: bool = True) -> bytes:
    """A text in the shape of a verbose log of uv, of which no line occurs twice."""
    draw = random.Random(seed)
    kinds = [text for often, text in LINES for _ in range(often)]
    out: list[str] = []
    size = 0
    until_home = 14_000
    while size < size_bytes:
        name = draw.choice(NAMES)
        sha = f"{draw.getrandbits(256):064x}"
        version = f"{draw.randint(0, 40)}.{draw.randint(0, 199)}.{draw.randint(0, 99)}"
        home = "/home/zoe.quill" if homes and until_home < 0 else "/tmp"
        wheel = f"{name}-{version}-py3-none-any"
        line = draw.choice(kinds).format(
            name=name,
            other=draw.choice(NAMES),
            version=version,
            major=draw.randint(1, 9),
            count=draw.randint(1, 99_999),
            url=f"https://files.packages.example/packages/{sha[:2]}/{sha[2:4]}/{sha[4:]}/{wheel}.whl",
            cache=f"{home}/.cache/uv/wheels-v6/pypi/{name}/{wheel}.msgpack",
        )
        if "/.cache/" in line and home != "/tmp":
            until_home += 14_000
        out.append(line)
        size += len(line) + 1
        until_home -= len(line) + 1
    return "\n".join(out).encode() + b"\n"


def planted(folder: Path, seed: int) -> tuple[Path, Path, Path]:
    """A file with planted values, one with none, and the JSON of what was known: made in `folder`."""
    if KIT.is_dir():
        subprocess.run(
            [sys.executable, KIT / "plant.py", "--seed", str(seed), "--out", folder],
            check=True,
            capture_output=True,
        )
        known = json.loads((folder / "planted.json").read_text(encoding="utf-8"))["known"]
    else:
        from tests.redact import test_corpus as corpus

        rows, lines = [], []
        for at, (template, alphabet, size) in enumerate(corpus.SECRETS):
            if size:
                secret = corpus.value(corpus.drawn(seed * 1000 + at), alphabet, size)
                text = template.replace("{{", "{").replace("}}", "}") if "{{" in template else template
                rows.append({"value": secret, "secret": True})
                lines.append(text.replace("{}", secret, 1))
        for text in corpus.PERSONAL:
            word = next(w for w in ("ingrid", "kim", "per ", "sol", "user-kim") if w in text.casefold())
            rows.append({"value": word, "secret": False})
            lines.append(text)
        (folder / "rows.json").write_text(json.dumps({"rows": rows, "keep": corpus.KEEP}))
        (folder / "dirty.log").write_text("\n".join([*lines, *corpus.KEEP]) + "\n")
        (folder / "clean.log").write_bytes(verbose_log(700_000, homes=False))
        known = {
            "users": corpus.KNOWN.users,
            "full_names": corpus.KNOWN.full_names,
            "hosts": corpus.KNOWN.hosts,
            "hostname": corpus.KNOWN.hostname,
            "domains": corpus.KNOWN.domains,
            "orgs": corpus.KNOWN.orgs,
        }
    (folder / "known.json").write_text(json.dumps(known))
    return folder / "dirty.log", folder / "clean.log", folder / "known.json"


def score(folder: Path, dirty_out: Path, clean_out: Path) -> tuple[float, float, float, int, int]:
    """Recall of all, of secrets and of what is personal; look-alikes lost; clean lines changed."""
    if KIT.is_dir():
        done = subprocess.run(
            [sys.executable, KIT / "score.py", folder / "planted.json", dirty_out, "--json",
             "--input", folder / "dirty.log", "--keep", folder / "keep.json",
             "--clean", folder / "clean.log", clean_out],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        said = json.loads(done.stdout)
        return (
            said["recall"], said["recall_secrets"], said["recall_personal"], said["keep_lost"],
            said["clean_lines_changed"],
        )  # fmt: skip
    told = json.loads((folder / "rows.json").read_text())
    out = dirty_out.read_text(encoding="utf-8", errors="replace")
    lines = out.split("\n")[: len(told["rows"])]
    gone = [
        row["value"].casefold() not in line.casefold() for row, line in zip(told["rows"], lines, strict=False)
    ]
    secret = [hit for hit, row in zip(gone, told["rows"], strict=True) if row["secret"]]
    personal = [hit for hit, row in zip(gone, told["rows"], strict=True) if not row["secret"]]
    pairs = zip(
        (folder / "clean.log").read_text().split("\n"), clean_out.read_text().split("\n"), strict=False
    )
    return (
        sum(gone) / len(gone), sum(secret) / len(secret), sum(personal) / len(personal),
        sum(keep not in out for keep in told["keep"]), sum(one != other for one, other in pairs),
    )  # fmt: skip


def run(python: str, tool: str, engine: str, *rest: object) -> dict[str, float] | None:
    """What a tool took for one file, in a process of its own; None where it is not installed."""
    done = subprocess.run(
        [python, "-m", "benchmarks.redaction_tools", tool, *map(str, rest)],
        check=False, capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **({"UVREPORT_ENGINE": engine} if engine else {})},
    )  # fmt: skip
    if done.returncode == 3:
        return None
    if done.returncode:
        raise SystemExit(f"{tool} failed:\n{done.stderr[-2000:]}")
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def table(folder: Path, peers: str, small: Path, big: Path, seed: int) -> None:
    dirty, clean, known = planted(folder, seed)
    own = folder / "own.json"
    own.write_text(json.dumps(KNOWN))
    small_mb, big_mb = small.stat().st_size / 1e6, big.stat().st_size / 1e6
    print(f"recall on {'the planted file' if KIT.is_dir() else 'the corpus of the tests'}, seed {seed}\n")
    print("| tool | recall all | secrets | personal | look-alikes lost | clean lines changed "
          f"| {small_mb:.0f} MB log, MB/s | {big_mb:.0f} MB log, MB/s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    missing = []
    rows = [(f"uvreport, {engine}", sys.executable, "uvreport", engine) for engine in ENGINES]
    rows += [(peer, peers, peer, "") for peer in PEERS]
    for title, python, tool, engine in rows:
        outs = folder / "dirty.out", folder / "clean.out", folder / "speed.out"
        extra = [known] if tool == "uvreport" else []
        if run(python, tool, engine, dirty, outs[0], *extra) is None:
            missing.append(title)
            continue
        run(python, tool, engine, clean, outs[1], *extra)
        found = score(folder, outs[0], outs[1])
        speeds: list[float] = []
        for path, size_mb in ((small, small_mb), (big, big_mb)):
            if speeds and size_mb / speeds[0] > SECONDS_FOR_BIG:
                continue
            speed_of: list[object] = [own, round(size_mb)] if tool == "uvreport" else []
            done = run(python, tool, engine, path, outs[2], *speed_of)
            assert done is not None
            speeds.append(size_mb / done["took_s"])
        told = [f"{speed:.1f}" for speed in speeds] + ["too slow to ask"] * (2 - len(speeds))
        print(f"| {title} | {found[0]:.1%} | {found[1]:.1%} | {found[2]:.1%} | {found[3]} | {found[4]} "
              f"| {told[0]} | {told[1]} |", flush=True)  # fmt: skip
    if missing:
        print(f"\nnot installed: {', '.join(missing)} (how: python -m benchmarks.redaction --help)")
    if len(ENGINES) == 1:
        print("not installed: google-re2, the second engine (pip install 'uvreport[re2]')")


def stream(folder: Path, log: Path, size_mb: int) -> None:
    own = folder / "own.json"
    print(f"\n{f'stream of {size_mb} MB':34} {'MB/s':>8} {'peak MB':>8}")
    for engine in ENGINES:
        done = run(sys.executable, "uvreport", engine, log, folder / "x", own, size_mb)
        assert done is not None
        print(f"{engine:34} {size_mb / done['took_s']:8.1f} {done['peak_mb']:8.0f}")


def hostile(size: int = 200_000) -> None:
    from uvreport.redact.engine import Engine
    from uvreport.redact.known import from_json
    from uvreport.redact.ledger import Ledger

    known = from_json(json.dumps(KNOWN))
    print(
        f"\nhostile line of {size // 1000} kB: seconds of processor time, and how many times those of half of it\n"
    )
    print(f"{'':34} " + " ".join(f"{engine:>16}" for engine in ENGINES))
    worst = dict.fromkeys(ENGINES, 0.0)
    for name, unit in HOSTILE.items():
        told = []
        for choice in ENGINES:
            os.environ["UVREPORT_ENGINE"] = choice
            took = []
            for length in (size // 2, size):
                line = (unit * (length // len(unit) + 1))[:length]
                best = 9.0
                for _ in range(3):
                    engine = Engine(known, Ledger())
                    engine.redact(b"x " + line[:1000] + b"\ny" * 10_000)
                    begin = time.process_time()
                    engine.redact(line)
                    best = min(best, time.process_time() - begin)
                took.append(best)
            worst[choice] = max(worst[choice], took[1])
            told.append(f"{took[1]:8.3f} x {took[1] / max(took[0], 1e-4):5.1f}")
        print(f"{name:34} " + " ".join(f"{one:>16}" for one in told), flush=True)
    print(f"{'worst':34} " + " ".join(f"{worst[engine]:8.3f}        " for engine in ENGINES))


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--peers", default=sys.executable, metavar="PYTHON", help="where the other scanners are installed"
    )
    options.add_argument("--log", help="a verbose log of your own")
    options.add_argument("--big-mb", type=int, default=100)
    options.add_argument(
        "--stream-mb", type=int, default=0, help="also a stream of this size, with its memory"
    )
    options.add_argument("--seed", type=int, default=1)
    told = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        small, big = folder / "small.log", folder / "big.log"
        if told.log:
            small = big = Path(told.log).resolve()
        else:
            small.write_bytes(verbose_log(5_000_000))
            big.write_bytes(verbose_log(told.big_mb * 1_000_000, seed=2))
        table(folder, told.peers, small, big, told.seed)
        if told.stream_mb:
            # The small log again and again: what stays in memory is then the program.
            stream(folder, small, told.stream_mb)
    hostile()


if __name__ == "__main__":
    main()
