from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="address-in-a-name",
    what="an address that is spelled in a host name: reverse look-ups, UNC names, hosts of a cloud",
    source="RFC 1035, section 3.5; RFC 3596, section 2.5; Windows, ipv6-literal.net; AWS, host names of instances",
    literals=(
        ".in-addr.arpa",
        ".ip6.arpa",
        ".ip6-literal.net",
        ".ipv6-literal.net",
        ".compute",
        ".ec2.internal",
        ".bc.googleusercontent",
    ),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-",
    back_max=80,
    pattern=r"""
        (?<![A-Za-z0-9-]) [.-]{0,2} (?:
            (?P<ipv4> [0-9]{1,3}(?:\.[0-9]{1,3}){3} ) \.in-addr\.arpa
          | (?P<ipv6> [0-9a-f](?:\.[0-9a-f]){3,31} ) \.ip6\.arpa
          | (?P<ipv6_2> [0-9a-f]{0,4}(?:-[0-9a-f]{0,4}){2,7}(?:s[0-9a-z]{1,10})? ) \.ipv?6-literal\.net
          | (?:ec2|ip) - (?P<ipv4_2> [0-9]{1,3}(?:-[0-9]{1,3}){3} ) \. (?:[a-z0-9-]{1,20}\.)? (?:compute|ec2)
          | (?P<ipv4_3> [0-9]{1,3}(?:\.[0-9]{1,3}){3} ) \.bc\.googleusercontent )
    """,
    removes=(
        ("77.12.168.192.in-addr.arpa", "240.0.0.1.in-addr.arpa"),
        ("ec2-54-201-33-12.us-west-2.compute.amazonaws.com", "ec2-240.0.0.1.us-west-2.compute.amazonaws.com"),
        ("fe80--1c2d-3eff-fe4f-5a6b.ipv6-literal.net", "100::1.ipv6-literal.net"),
        ("b.a.9.8.ip6.arpa", "100::1.ip6.arpa"),
    ),
    keeps=("ec2.us-west-2.compute.amazonaws.com", "aws.compute"),
)
