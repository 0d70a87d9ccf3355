from __future__ import annotations

from uvreport.redact.rule import Rule

_ATTRIBUTES = "(?:path|domain|expires|max-age|samesite|version|comment|priority|httponly|secure|partitioned)"


def _pair(number: int) -> str:
    return (
        rf"(?: [ \t]{{0,3}}(?!{_ATTRIBUTES}[=;])[A-Za-z0-9!\#$%&*+.^_`|~-]{{1,128}} = \"?"
        rf"(?P<secret_{number}> [^\s;,\"'`]{{1,4096}} ) \"? ;? )?"
    )


def _line_of_a_jar(text: bytes, at: int) -> int:
    """Where a line of a cookie jar begins; the word itself where it is a header."""
    if text[at : at + 1] in b"cC#":
        return at
    return (
        max(text.rfind(b"\n", max(0, at - 300), at), at - 300) + 1
        if at > 300
        else text.rfind(b"\n", 0, at) + 1
    )


RULE = Rule(
    name="cookie",
    what="the values of cookies, sent or set",
    source="RFC 6265, sections 4.1.1 and 4.2.1; curl(1), the Netscape cookie file",
    literals=("cookie", "#httponly_", "\ttrue\t", "\tfalse\t"),
    start=_line_of_a_jar,
    pattern=r"""(?: (?: \#HttpOnly_ )? [^\s]{1,200} \t (?:TRUE|FALSE) \t [^\t\r\n]{1,200} \t (?:TRUE|FALSE) \t [0-9]{1,12} \t
      [^\t\r\n]{1,200} \t (?P<secret> [^\s]{1,4096} ) ) | (?:set-)?cookie2? ["'`\]]{0,2} [ \t]{0,3}
        (?::|=>|=(?=["'])|,) [ \t]{0,3} [b]?["'`]{0,1} """
    + "".join(_pair(number) for number in range(1, 13)),
    removes=(
        ("Set-Cookie: session=abc123; Path=/; HttpOnly", "Set-Cookie: session=redacted1; Path=/; HttpOnly"),
        ("cookie: _sess=abc123; logged_in=maybe", "cookie: _sess=redacted1; logged_in=redacted2"),
        (
            ".h.example\tTRUE\t/\tTRUE\t1893456000\tsid\tabc123",
            ".h.example\tTRUE\t/\tTRUE\t1893456000\tsid\tredacted1",
        ),
        ('"Cookie": "a=1b; b=2c"', '"Cookie": "a=redacted1; b=redacted2"'),
    ),
    keeps=("DEBUG cookie store is empty", "cookiecutter==2.6.0", "http-cookie: 1.0"),
)
