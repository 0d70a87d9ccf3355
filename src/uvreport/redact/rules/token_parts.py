from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="token-of-parts",
    what="tokens that an opening and parts of fixed lengths give away",
    source="Confluent, Depot, Flutterwave, Google Cloud HMAC, Grafana, Ory, PayPal, Pinecone, Scalingo, Snyk, Volcengine, "
    "1Password, 42: their docs",
    literals=(
        "access_token$",
        "flwseck",
        "snyk_uat.",
        "ory_",
        "s-s4t2ud-",
        "eyjrijoi",
        "aklt",
        "cflt",
        "goog1",
        "goog4",
        "tk-us-",
        "pcsk_",
        "depot_",
        "ops_eyj",
    ),
    not_after="[a-z0-9_-]",
    follows="[a-z0-9_.$+/-]{12}",
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9_$./-]) (?P<secret>
            access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32} | FLWSECK(?:_TEST)?-[a-zA-Z0-9]{12,40}-X
          | snyk_uat\.[a-z0-9]{8}\.[A-Za-z0-9_.-]{40,200} | ory_[a-z]{2,4}_[A-Za-z0-9_-]{30,100}(?:\.[A-Za-z0-9_-]{30,100})?
          | s-s4t2ud-[a-f0-9]{64} | eyJrIjoi[A-Za-z0-9+/=_-]{40,400} | AKLT[A-Za-z0-9+/_-]{40,80}={0,2}
          | cflt[A-Za-z0-9+/]{56,64} | GOOG[14](?=[A-Z]{0,40}[0-9])[A-Z0-9]{16,58} | tk-us-[A-Za-z0-9_-]{48}
          | pcsk_[A-Za-z0-9]{5,8}_[A-Za-z0-9]{50,80} | depot_[a-z]{3,10}_[a-f0-9]{64} | ops_eyJ[A-Za-z0-9+/=_-]{100,4096} )
        (?![A-Za-z0-9_])
    """,
    removes=(
        ("got tk-us-0123456789abcdefABCDEFGH0123456789abcdefABCDEFGH", "got redacted1"),
        ("got access_token$sandbox$0123456789abcdef$0123456789abcdef0123456789abcdef", "got redacted1"),
    ),
    keeps=("ory_kratos_client-1.0-py3-none-any.whl", "depot_tools", "GOOG1", "cflt_client==1.0"),
)
