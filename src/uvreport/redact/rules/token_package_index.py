from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="package-index-token",
    what="tokens of package indexes and container registries",
    source="warehouse macaroons, npm, RubyGems, crates, NuGet, Docker Hub, JFrog, Cloudsmith, Clojars, pub: their docs",
    literals=(
        "pypi-age",
        "npm_",
        "rubygems_",
        "cio",
        "oy2",
        "dckr_pat_",
        "dckr_oat_",
        "akcp",
        "cmvmdgtu",
        "clojars_",
        "prefix_",
        "pfx_",
        "pyx_",
    ),
    not_after="[a-z0-9_-]",
    follows="[a-z0-9_+/=-]{16}",
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9_-]) (?P<secret>
            pypi-AgE[A-Za-z0-9_-]{32,1024} | npm_[A-Za-z0-9]{30,64} | rubygems_[a-f0-9]{40,64} |
            cio[A-Za-z0-9]{32}(?![A-Za-z0-9])
          | oy2[a-z0-9]{43} | dckr_[po]at_[A-Za-z0-9_-]{20,64} | AKCp[A-Za-z0-9]{50,120} |
          cmVmdGtu[A-Za-z0-9+/=]{40,200}
          | CLOJARS_[a-z0-9]{60} | (?:pfx|prefix|pyx)_[A-Za-z0-9_-]{30,200} )
    """,
    removes=(
        (
            "uploading with `pypi-AgEIcHlwaS5vcmc0123456789abcdef0123456789abcdef`",
            "uploading with `redacted1`",
        ),
        ("npm_0123456789abcdefABCDEF0123456789abcd", "redacted1"),
        ("dckr_pat_abcdef0123456789abcdef01234", "redacted1"),
    ),
    keeps=("npm_config_registry", "pypi-attestations==0.0.22", "npm_lifecycle_event=test", "prefix_length"),
)
