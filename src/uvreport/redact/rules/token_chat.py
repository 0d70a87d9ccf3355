from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="chat-token",
    what="tokens and webhooks of chat and mail services",
    source="Slack, Discord, Telegram, Teams, Mattermost, SendGrid, Mailgun, Mailchimp, Twilio, Line: their docs",
    literals=(
        "xoxb-",
        "xoxp-",
        "xoxa-",
        "xoxr-",
        "xoxs-",
        "xoxe",
        "xoxo-",
        "xoxc-",
        "xoxd-",
        "xapp-",
        "xwfp-",
        "hooks.slack.com/",
        "/api/webhooks/",
        "/api/v",
        ":aa",
        "webhook.office.com/",
        "sg.",
        "key-",
        "-us",
        "xkeysib-",
        "xsmtpsib-",
        "re_",
        "chat.googleapis.com/",
        "outlook.office.com/webhook",
    ),
    fold=False,
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    back_max=34,
    pattern=r"""
        (?<![A-Za-z0-9_]) (?:
            (?P<secret> xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,400} | xapp-[0-9]-[A-Za-z0-9-]{20,300} |
              xwfp-[A-Za-z0-9-]{20,300}
              | [0-9]{7,11}:AA[A-Za-z0-9_-]{30,40} | SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}
              | key-[a-f0-9]{32}(?![a-f0-9]) | [a-f0-9]{32}-us[0-9]{1,2}(?![0-9]) | x(?:keysib
              |smtpsib)-[a-f0-9]{64}(?:-[A-Za-z0-9]{16})?
              | re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,40} )
          | hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret_2>[A-Za-z0-9_/-]{20,200})
          | bot(?P<secret_6>[0-9]{7,11}:AA[A-Za-z0-9_-]{30,40})
          | [A-Za-z0-9]{0,34}/api/(?:v[0-9]{1,2}/)?webhooks/(?P<secret_3>[0-9]{15,22}/[A-Za-z0-9_-]{40,120})
          | (?:webhook\.office\.com/webhookb2|outlook\.office\.com/webhook)/(?P<secret_4>[A-Za-z0-9@/_-]{40,400})
          | chat\.googleapis\.com/v1/spaces/(?P<secret_5>[A-Za-z0-9_-]{5,40}) )
    """,
    removes=(
        ("posting with xoxb-123456789012-123456789012-abcdefghijklmnopqrstuvwx", "posting with redacted1"),
        (
            "hook https://hooks.slack.com/services/T0123ABCD/B0123ABCD/abcdefghijklmnopqrstuvwx",
            "hook https://hooks.slack.com/services/redacted1",
        ),
        ("key SG.0123456789abcdefghijkx.0123456789abcdefghijklmnopqrstuvwxyzABCDEFy", "key redacted1"),
        ("bot 123456789:AAabcdefghijklmnopqrstuvwxyz0123456", "bot redacted1"),
    ),
    keeps=("key-value store", "SG.py", "re_compile_all", "12:AA"),
)
