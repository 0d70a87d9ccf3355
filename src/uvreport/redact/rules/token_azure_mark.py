from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="azure-marked-key",
    what="keys of Azure services with their mark: a fixed word and a checksum at the end of the random part",
    source="Microsoft, `identifiable secrets` (microsoft/security-utilities); Azure DevOps personal access tokens of 2024",
    literals=(
        "jqqj99",
        "azfu",
        "+acr",
        "azse",
        "+ast",
        "acdb",
        "+abo",
        "azca",
        "azia",
        "+iot",
        "azegq",
        "+aseh",
        "+asrl",
        "apim",
    ),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/_-",
    back_max=80,
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9+/_-]) (?P<secret>
            [A-Za-z0-9]{52} JQQJ99 [A-Za-z0-9]{20,32}
          | (?=[A-Za-z/+_-]{0,60}[0-9]) [A-Za-z0-9+/_-]{40,76}
            (?: AzFu | AzSe | AzCa | AzIA | ACDb | APIM | \+(?:ACR|ASt|ABo|AIoT|ASEH|ASRL|AMC) )
              [A-Za-z0-9+/_-]{5,8} ={0,2} )
        (?![A-Za-z0-9+/_=-])
    """,
    removes=(
        (
            "got 0123456789abcdefABCDEFGHIJ0123456789abcdefABCDEFGHIJJQQJ99BCACAAAAAAAAAAAAASAZDOab12",
            "got redacted1",
        ),
        ("got 0123456789abcdefABCDEFGHIJ0123456789abcdef+ACRabc123", "got redacted1"),
    ),
    keeps=("wheel-AzFu.whl", "the ACDb of it", "+ACR"),
)
