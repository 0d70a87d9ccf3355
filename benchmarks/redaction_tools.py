"""Runs one redacting tool over one file and prints what it took: `python -m benchmarks.redaction_tools TOOL IN OUT [KNOWN]`.

Alone in a process, so that its memory is its own; imports are not counted, but for tools that are programs. What
is counted is processor time: the wall clock of a busy machine measures its other work. Detectors that do not rewrite
are given the rewriting: what they report is replaced. Settings are each tool's defaults, or what its manual names for
logs. Exit status 3: not installed.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

Work = Callable[[bytes], bytes]


class Made(io.RawIOBase):
    """`size` bytes of a log: a file again and again, which is held in memory once."""

    def __init__(self, piece: bytes, size: int) -> None:
        self._piece, self._left, self._at = piece, size, 0

    def read(self, size: int = -1) -> bytes:
        most = self._left if size < 0 else min(size, self._left)
        piece = self._piece[self._at : self._at + most]
        self._left -= len(piece)
        self._at = (self._at + len(piece)) % len(self._piece)
        return piece


class Nowhere(io.RawIOBase):
    def write(self, data: object) -> int:
        return len(data)  # type: ignore[arg-type]


def _processor_s() -> float:
    """Seconds of processor time that this process and those it started have had."""
    said = os.times()
    return said.user + said.system + said.children_user + said.children_system


def _module(name: str) -> Any:
    return importlib.import_module(name)


def detect_secrets() -> Work:
    collection = _module("detect_secrets").SecretsCollection
    settings = _module("detect_secrets.settings").default_settings

    def work(data: bytes) -> bytes:
        lines = data.decode().split("\n")
        with tempfile.TemporaryDirectory() as folder, settings():
            path = os.path.join(folder, "in.log")
            with open(path, "wb") as file:
                file.write(data)
            found = collection()
            found.scan_file(path)
            for _, secret in found:
                at = secret.line_number - 1
                lines[at] = lines[at].replace(secret.secret_value, "*")
        return "\n".join(lines).encode()

    return work


def scrubadub() -> Work:
    scrubber = _module("scrubadub").Scrubber()
    return lambda data: "\n".join(scrubber.clean(line) for line in data.decode().split("\n")).encode()


def sentry_relay() -> Work:
    pii_strip_event = _module("sentry_relay.processing").pii_strip_event
    rules = ["@ip", "@email", "@mac", "@userpath", "@pemkey", "@urlauth", "@bearer", "@creditcard", "@iban"]
    config = {"applications": {"$string": rules}}

    def stripped(line: str) -> str:
        told = pii_strip_event(config, {"logentry": {"formatted": line}})
        return str(told["logentry"]["formatted"] or "")

    return lambda data: "\n".join(
        stripped(line) if line else line for line in data.decode().split("\n")
    ).encode()


def redact_secret() -> Work:
    tool = _module("redact_secret")

    def work(data: bytes) -> bytes:
        text, out = data.decode(), []
        # It refuses texts over 1 MB, and those with too many finds.
        lines = text.split("\n")
        for at in range(0, len(lines), 500):
            piece = "\n".join(lines[at : at + 500])
            out.append(tool.redact(piece, tool.scan(piece)))
        return "\n".join(out).encode()

    if hasattr(tool, "initialize"):
        tool.initialize()
    return work


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ImportError(name)
    return path


def secretlint() -> Work:
    program = _program("secretlint")
    rules = {"rules": [{"id": "@secretlint/secretlint-rule-preset-recommend"}]}

    def work(data: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "rules.json"), "w", encoding="utf-8") as file:
                json.dump(rules, file)
            with open(os.path.join(folder, "in.txt"), "wb") as raw:
                raw.write(data)
            # Its rules are looked for beside the program, so it is started where that is installed.
            subprocess.run(
                [program, "--format=json", "--no-maskSecrets", "--output", os.path.join(folder, "found.json"),
                 "--secretlintrc", os.path.join(folder, "rules.json"),
                 os.path.join(folder, "in.txt")],
                check=False, capture_output=True, cwd=os.path.dirname(os.path.dirname(os.path.dirname(program))),
            )  # fmt: skip
            with open(os.path.join(folder, "found.json"), encoding="utf-8") as report:
                found = json.load(report)
        text = data.decode().encode("utf-16-le")  # JavaScript counts UTF-16 units
        spans = sorted(
            {tuple(message["range"]) for one in found for message in one["messages"]}, reverse=True
        )
        for start, end in spans:
            text = text[: start * 2] + "*".encode("utf-16-le") + text[end * 2 :]
        return text.decode("utf-16-le", "replace").encode()

    return work


def gitleaks() -> Work:
    program = _program("gitleaks")

    def work(data: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            report = os.path.join(folder, "found.json")
            subprocess.run(
                [program, "stdin", "--no-banner", "--exit-code=0", "--max-decode-depth=2", f"--report-path={report}",
                 "--report-format=json"],
                input=data, check=False, capture_output=True,
            )  # fmt: skip
            with open(report, encoding="utf-8") as file:
                found = json.load(file)
        for one in found:
            data = data.replace(one["Secret"].encode(), b"*")
        return data

    return work


PEERS: dict[str, Callable[[], Work]] = {
    "detect-secrets": detect_secrets,
    "scrubadub": scrubadub,
    "secretlint": secretlint,
    "sentry-relay": sentry_relay,
    "gitleaks": gitleaks,
    "redact-secret": redact_secret,
}


def uvreport(source: str, out: str, known_file: str, stream_mb: int) -> float:
    """What it took, in seconds: a stream as `uvreport redact -` does it, or a file as `uvreport redact FILE` does."""
    from uvreport.redact.engine import Engine
    from uvreport.redact.known import from_json
    from uvreport.redact.ledger import Ledger
    from uvreport.redact.tree import redact_stream, redact_tree

    with open(known_file, "rb") as file:
        known = from_json(file.read())
    # What is made once in a process is made before the clock starts, as the other tools' rules are.
    Engine(known, Ledger()).redact(b"one line of text\n" * 2_000)
    if not stream_mb:
        begin = _processor_s()
        redact_tree(source, out, known)
        return _processor_s() - begin
    with open(source, "rb") as file:
        piece = file.read()
    begin = _processor_s()
    redact_stream(Made(piece, stream_mb * 1_000_000), Nowhere(), known)  # type: ignore[arg-type]
    return _processor_s() - begin


def main() -> None:
    tool, source, out, *rest = sys.argv[1:]
    if tool == "uvreport":
        took = uvreport(source, out, rest[0], int(rest[1]) if len(rest) > 1 else 0)
    else:
        try:
            work = PEERS[tool]()
        except ImportError:
            sys.exit(3)
        with open(source, "rb") as file:
            data = file.read()
        begin = _processor_s()
        new = work(data)
        took = _processor_s() - begin
        with open(out, "wb") as file:
            file.write(new)
    print(json.dumps({"took_s": took, "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    """The most memory that this process has had; `getrusage` counts what its parent had when it was started, too."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
