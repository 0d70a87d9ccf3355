from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="cloud-token",
    what="keys and tokens of cloud and infrastructure services by their shape",
    source="AWS IAM identifiers, Google Cloud, Azure, HashiCorp, DigitalOcean, Alibaba and others: their docs",
    literals=(
        "akia",
        "asia",
        "abia",
        "acca",
        "agpa",
        "aida",
        "aroa",
        "anpa",
        "a3t",
        "aiza",
        "ya29.",
        "gocspx-",
        "1//0",
        "8q~",
        "7q~",
        "hvs.",
        "hvb.",
        "hvr.",
        ".atlasv1.",
        "dop_v1_",
        "doo_v1_",
        "dor_v1_",
        "dp.pt.",
        "dp.st.",
        "dp.ct.",
        "dp.sa.",
        "pul-",
        "hrku-",
        "fo1_",
        "fm2_",
        "fm1",
        "sbp_",
        "pscale_",
        "dapi",
        "dsapi",
        "dose",
        "dkea",
        "dt0c01.",
        "ltai",
        "akid",
        "t1.",
        "y0_",
        "aqvn",
        "tskey-",
        "ngrok_",
        "cfpat-",
        "v1.0-",
        "iqojb3jpz2lu",
        "fwogzxivyxdz",
        "scw",
        "ops_eyj",
        "lsv2_",
        "exo",
        "nfp_",
        "vcp_",
        "vck_",
        "absk",
    ),
    fold=False,
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.~-",
    back_max=64,
    pattern=r"""
        (?<![A-Za-z0-9+_-]) (?P<secret>
            (?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|ANPA|ANVA|AIPA|ASCA|APKA|A3T[A-Z0-9])[A-Z0-9]{12,20}(?![A-Za-z0-9])
          | ABSK[A-Za-z0-9+/]{40,300}={0,2} | (?:IQoJb3JpZ2lu|FwoGZXIvYXdz)[A-Za-z0-9+/=]{40,2048}
          | AIza[A-Za-z0-9_-]{30,60} | ya29\.[A-Za-z0-9_.-]{20,2048} | GOCSPX-[A-Za-z0-9_-]{20,60} |
          1//0[A-Za-z0-9_-]{30,300}
          | [A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,64}
          | hv[sbr]\.[A-Za-z0-9_-]{20,600} | [A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{50,100}
          | do[opr]_v1_[a-f0-9]{40,80} | dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{30,80} | pul-[a-f0-9]{40}
          | HRKU-[A-Za-z0-9_-]{36,80} | fo1_[A-Za-z0-9_-]{40,60} | fm[12][ar]?_[A-Za-z0-9+/=,_-]{60,2048}
          | sbp_[a-f0-9]{40} | pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{30,80} | d(?:s?api|ose|kea)[a-f0-9]{32}(?:-[0-9])?
          | dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{40,80} | LTAI[A-Za-z0-9]{12,30} | AKID[A-Za-z0-9]{28,40}
          | t1\.[A-Za-z0-9_=-]{20,400}\.[A-Za-z0-9_=-]{60,200} | y0_[A-Za-z0-9_-]{50,80} | AQVN[A-Za-z0-9_-]{30,50}
          | ngrok_[A-Za-z0-9_]{30,60} | tskey-[a-z]{2,10}-[A-Za-z0-9-]{16,80} | CFPAT-[A-Za-z0-9_-]{40,60} |
          v1\.0-[a-f0-9]{20,30}-[a-f0-9]{100,200}
          | SCW[A-Z0-9]{17} | ops_eyJ[A-Za-z0-9_-]{100,4096} | EXO[a-f0-9]{24} | nfp_[A-Za-z0-9]{36,50} |
          vc[pk]_[A-Za-z0-9_-]{24,100} )
    """,
    removes=(
        ("key AKIA0123456789ABCDEF rejected by s3", "key redacted1 rejected by s3"),
        ("oauth2accesstoken:ya29.abcdefghij0123456789-_", "oauth2accesstoken:redacted1"),
        ("hvs.abcdefghij0123456789ABCD", "redacted1"),
        ("abc8Q~0123456789abcdefghijklmnopqrstuv", "redacted1"),
        ("AIza0123456789abcdefABCDEF0123456789abc", "redacted1"),
    ),
    keeps=("AIDA is an acronym", "ASIA/Tokyo", "pul-up", "dapi_client", "scwrl==1.0", "v1.0-rc1"),
)
