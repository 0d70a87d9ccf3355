from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="forge-token",
    what="tokens of GitHub, GitLab, Bitbucket, Gitea, Atlassian and Sourcegraph",
    source="the vendors' pages on token formats",
    literals=(
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "glpat-",
        "gldt-",
        "glptt-",
        "glft-",
        "glsoat-",
        "glrt-",
        "glcbt-",
        "glimt-",
        "glagent-",
        "gloas-",
        "glffct-",
        "glwt-",
        "gr1348941",
        "gta_",
        "atbb",
        "atatt3",
        "atctt3",
        "atcbb",
        "sgp_",
        "_gitlab_session=",
    ),
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9_-]) (?P<secret>
            gh[opusr]_[A-Za-z0-9]{30,255} | github_pat_[A-Za-z0-9_]{22,255}
          | gl(?:pat|dt|ptt|ft|soat|rt|cbt|imt|agent|oas|ffct|wt)-[A-Za-z0-9_.-]{16,300} |
          GR1348941[A-Za-z0-9_-]{16,64} | gta_[A-Za-z0-9]{36,44}
          | AT[AC](?:TT3|BB)[A-Za-z0-9_=+/-]{20,400} | ATBB[A-Za-z0-9]{24,64} | sgp_(?:[a-f0-9]{16}_
          |local_)?[a-f0-9]{40} )
      | _gitlab_session=(?P<secret_2>[0-9a-z]{32})
    """,
    removes=(
        ("with ghp_0123456789abcdefABCDEF0123456789abcd (403)", "with redacted1 (403)"),
        ("token github_pat_11ABCDEFG0123456789abc_0123456789abcdef expired", "token redacted1 expired"),
        ("glpat-abcdefghij0123456789 used", "redacted1 used"),
    ),
    keeps=("ghp_ prefix", "module ghs_tool", "glpat-short"),
)
