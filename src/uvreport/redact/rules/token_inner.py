from __future__ import annotations

from uvreport.redact.rule import Probe, Rule

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

RULE = Rule(
    name="token-of-fixed-parts",
    what="tokens of hexadecimal or short parts, told by what is between them and how long they are",
    source="1Password, Anaconda, Asana, Bitwarden, Harness, Infisical, Mailgun, Twilio: their docs",
    probes=(
        Probe(r"st\.[0-9a-f]{24}\.", r"st\.[0-9a-f]{24}\."),
        Probe(r"pat\.[a-z0-9_-]{22}\.", r"pat\.[a-z0-9_-]{22}\."),
        Probe(r"a3-[a-z0-9]{6}-", r"a[0-9]-[a-z0-9]{6}-"),
        Probe(r"sk(?<![a-z0-9_]sk)[0-9a-f]{32}", r"\bsk[0-9a-f]{32}\b"),
        Probe(r"an-[0-9a-f]{8}-[0-9a-f]{4}-", r"an-[0-9a-f]{8}-[0-9a-f]{4}-"),
        Probe(r"-(?<=[0-9a-f]-)[0-9a-f]{8}-[0-9a-f]{8}(?![0-9a-z-])", r"-[0-9a-f]{8}-[0-9a-f]{8}"),
        Probe(r"-(?<=[0-9a-f]-)[0-9a-f]{12}\.[a-z0-9]{30}:", r"-[0-9a-f]{12}\.[a-z0-9]{30}:"),
        Probe(r":(?<=[0-9]{15}:)[0-9a-f]{32}(?![0-9a-z])", r"[0-9]{15}:[0-9a-f]{32}"),
    ),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./-",
    back_max=60,
    fold=False,
    pattern=rf"""
        [.-]{{0,3}} (?<![A-Za-z0-9_$/]) (?P<secret>
            st\.[a-f0-9]{{24}}\.[a-f0-9]{{32}}\.[a-f0-9]{{32}} | pat\.[A-Za-z0-9_-]{{22}}\.[a-f0-9]{{24}}\.[A-Za-z0-9]{{20}}
          | A3-[A-Z0-9]{{6}}-(?:[A-Z0-9]{{11}}|[A-Z0-9]{{6}}-[A-Z0-9]{{5}})(?:-[A-Z0-9]{{5}}){{3}}
          | SK[a-f0-9]{{32}} | an-{_UUID} | [a-f0-9]{{32}}-[a-f0-9]{{8}}-[a-f0-9]{{8}}
          | 0\.{_UUID}\.[A-Za-z0-9]{{30}}:[A-Za-z0-9+/]{{22}}== | [0-2]/[0-9]{{15,17}}(?:/[0-9]{{15,17}})?:[a-f0-9]{{32}} )
        (?![A-Za-z0-9_])
    """,
    removes=(
        (
            "got st.0123456789abcdef01234567.0123456789abcdef0123456789abcdef.0123456789abcdef0123456789abcdef",
            "got redacted1",
        ),
        ("got 0123456789abcdef0123456789abcdef-01234567-89abcdef back", "got redacted1 back"),
        (
            "got 0.01234567-89ab-4cde-8f01-23456789abcd.0123456789abcdefABCDEF01234567:0123456789abcdefABCDEF==",
            "got redacted1",
        ),
        ("got 1/0123456789012345:0123456789abcdef0123456789abcdef", "got redacted1"),
        ("got A3-ABC123-ABCDE012345-ABC12-ABC34-ABC56 back", "got redacted1 back"),
        ("got SK0123456789abcdef0123456789abcdef back", "got redacted1 back"),
        ("got an-01234567-89ab-4cde-8f01-23456789abcd", "got redacted1"),
    ),
    keeps=(
        "build 01234567-89ab-4cde-8f01-23456789abcd",
        "six-01234567-89abcdef.whl",
        "disk 0123456789abcdef0123456789abcdef",
        "mean-01234567-89ab-4cde-8f01-23456789abcd",
        "pat.example.com/x",
        "environments-v2/st.0123",
    ),
)
