from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="private-key",
    what="the body of a private key in PEM, OpenSSH, PGP or PuTTY form; the lines that frame it stay",
    source="RFC 7468; RFC 4880, section 6.2; PuTTY manual, appendix C",
    literals=("-----begin", "---- begin ssh2", "private-lines:", "age-secret-key-1", "$ansible_vault;"),
    pattern=r"""
        (?: -----BEGIN [ ] (?:[A-Z0-9]{1,12}[ ]){0,4} PRIVATE [ ] KEY (?:[ ]BLOCK)? -----
            (?: (?P<block> (?: (?!-----) [^\x00] ){0,24000} ) (?=-----END)
              # A log that was cut: the lines that look like a key, and no more.
              | (?P<block_4> (?: \r?\n [ \t]{0,20} (?: [A-Z]{4,5} [ ] )? (?: [A-Za-z0-9+/=]{16,100} |
                [A-Za-z0-9+/]{2,80}={1,2}
                    | (?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset) : [^\r\n]{0,100} )? [ \t]{0,4}
                      (?![^\r\n]) ){1,400} )
              | (?: [ ] | \\{1,4}[rn] ){0,8}
                (?P<block_6> [A-Za-z0-9+/=]{20,24000} (?: (?: \\{1,4}[rn] ){1,4} [A-Za-z0-9+/=]{1,24000} ){0,400} ) )
          | ----[ ]BEGIN[ ]SSH2 [ ] (?:[A-Z0-9]{1,12}[ ]){0,4} PRIVATE [ ] KEY [ ] ----
            (?P<block_3> (?: (?!----) [^\x00] ){0,24000} )
          | Private-Lines: [ ] [0-9]{1,3} \r?\n (?P<block_2> (?: [A-Za-z0-9+/=]{1,80} (?:\r?\n|$) ){1,200} )
            (?: Private-(?:MAC|Hash): [ ] (?P<secret_2> [0-9a-f]{40,64} ) )?
          | AGE-SECRET-KEY-1 (?P<secret> [A-Z0-9]{20,100} )
          | \$ANSIBLE_VAULT; [^\r\n]{1,80} (?P<block_5> (?: \r?\n [ \t]{0,20} [0-9a-f]{2,80} (?![^\s]) ){1,400} ) )
    """,
    removes=(
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\ndef0=\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\nredacted1\nredacted2\n-----END RSA PRIVATE KEY-----",
        ),
        (
            "key -----BEGIN PRIVATE KEY-----MIIabc-----END PRIVATE KEY-----",
            "key -----BEGIN PRIVATE KEY-----redacted1-----END PRIVATE KEY-----",
        ),
        (
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nAAAAabc123\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nredacted1\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
        ),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIabc0123456789\ndef0123456789abc\nDEBUG Found six\nsix==1.0",
            "-----BEGIN RSA PRIVATE KEY-----\nredacted1\nredacted2\nDEBUG Found six\nsix==1.0",
        ),
        ("$ANSIBLE_VAULT;1.1;AES256\n6231\n3362\n", "$ANSIBLE_VAULT;1.1;AES256\nredacted1\nredacted2\n"),
        ("AGE-SECRET-KEY-1QQPQYRQ0123456789ABC", "AGE-SECRET-KEY-1redacted1"),
    ),
    keeps=(
        "-----BEGIN CERTIFICATE-----\nMIIabc\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIabc",
    ),
)
