from __future__ import annotations

import re

from uvreport.redact import names
from uvreport.redact.rule import Rule

_NAMES = (
    "access_?token|id_?token|refresh_?token|private_?token|job_?token|auth_?token|session_?token|oauth_?token|token|jwt"
    "|api_?-?key|app_?key|apikey|access_?key|secret_?key|subscription-?key|functions?-?key|key|client_?secret|secret"
    "|password|passwd|passphrase|pass|pwd|auth|authkey|auth_?key|credential|assertion|saml_?response|ticket"
    "|sig|signature|hmac|x-amz-signature|x-amz-security-token|x-amz-credential|x-goog-signature|x-goog-credential"
    "|x-oss-signature|x-oss-security-token|x-cos-security-token|q-signature|q-ak|accesskeyid|ossaccesskeyid|awsaccesskeyid"
    "|googleaccessid|key-pair-id|policy|session|session_?id|sid|code|code_verifier|nonce|state|otp|hash_?key"
    "|__token__|__gda__|hdnea|hdnts|verify|expires_?sig|se?cret|user_?token|download_?token|temp_?url_?sig|x-ms-signature|md5"
)
# How those names end: an equals sign alone is in every second line.
_LITERALS = (
    "token=", "jwt=", "key=", "secret=", "password=", "passwd=", "passphrase=", "pass=", "pwd=", "auth=", "credential=",
    "assertion=", "response=", "ticket=", "sig=", "signature=", "hmac=", "ak=", "keyid=", "accessid=", "pair-id=",
    "policy=", "session=", "id=", "code=", "verifier=", "nonce=", "state=", "otp=", "__token__=", "hdnea=", "hdnts=",
    "verify=", "__gda__=", "md5=",
)  # fmt: skip
_ONLY_RANDOM = frozenset(
    b"key code state nonce session sid ticket policy verify auth pass hmac credential".split()
)


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("secret")
    if names.is_nothing(value):
        return False
    if match.group("query").lower() == b"md5":  # a digest, except beside the time until which it is good
        return re.match(rb"&(?:expires|e)=[0-9]", match.string[match.end() : match.end() + 12]) is not None
    if match.string[match.start() - 1 : match.start()] not in (b"?", b"&", b";", b"#"):
        return names.looks_random(value, 20)
    if match.group("query").lower() in _ONLY_RANDOM:
        return names.looks_random(value, 12)
    return True


RULE = Rule(
    name="url-query-secret",
    what="tokens, keys and signatures in the query of a URL",
    source="RFC 6750, section 2.3; AWS Signature V4, Google and Azure signed URLs; what forges and registries take",
    literals=_LITERALS,
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-",
    back_max=40,
    pattern=rf"""(?<![A-Za-z0-9_.=-]) (?P<query> {_NAMES} ) = (?P<secret> [^\s?&\#"'`<>;|)\]}}\\]{{1,8192}} )""",
    accept=_accept,
    removes=(
        ("https://h.example/a.whl?token=abc123def", "https://h.example/a.whl?token=redacted1"),
        (
            "https://h.example/x?a=1&access_token=abc123&b=2",
            "https://h.example/x?a=1&access_token=redacted1&b=2",
        ),
        (
            "https://h.example/x.whl?sv=2022&sig=abc%2B123%3D&se=1",
            "https://h.example/x.whl?sv=2022&sig=redacted1&se=1",
        ),
        ("https://h.example/k?X-Amz-Signature=0abc", "https://h.example/k?X-Amz-Signature=redacted1"),
    ),
    keeps=(
        "https://h.example/x?key=name&code=200",
        "https://h.example/?v=1&page_token=2",
        "https://h.example/x.tar.gz#sha256=0123456789abcdef",
        "?state=open&session=3",
        "https://h.example/x.tar.gz?md5=0123456789abcdef",
    ),
)
