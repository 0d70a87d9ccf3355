from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="service-token",
    what="keys of payment, AI, CI, monitoring and other services by their shape",
    source="Stripe, Square, Shopify, OpenAI, Anthropic, Hugging Face, CircleCI, Buildkite, Sentry, Grafana and others",
    literals=(
        "sk_live_",
        "sk_test_",
        "rk_live_",
        "rk_test_",
        "whsec_",
        "sq0",
        "shpat_",
        "shpca_",
        "shppa_",
        "shpss_",
        "sk-",
        "hf_",
        "api_org_",
        "r8_",
        "gsk_",
        "pplx-",
        "xai-",
        "ccipat_",
        "ccipra_",
        "cciprj_",
        "bkua_",
        "bkct_",
        "sntrys_",
        "sntryu_",
        "glc_",
        "glsa_",
        "nrak-",
        "nraa-",
        "nrii-",
        "squ_",
        "sqp_",
        "sqa_",
        "lin_api_",
        "ntn_",
        "secret_",
        "figd_",
        "pmak-",
        "pat",
        "sl.",
        "eaa",
        "ezak",
        "ezat",
        "shippo_",
        "rdme_",
        "tfp_",
        "pnu_",
        "pnb_",
        "wandb_v1_",
        "phc_",
        "phx_",
        "access-production-",
        "access-sandbox-",
        "fio-u-",
        "duffel_",
        "jina_",
        "tgp_v1_",
        "fw_",
        "nvapi-",
    ),
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9_-]) (?P<secret>
            [sr]k_(?:live|test|prod)_[A-Za-z0-9]{16,250} | whsec_[A-Za-z0-9+/=]{24,80} |
            sq0[a-z]{3}-[A-Za-z0-9_-]{22,60}
          | shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32,64} | sk-(?:proj-|svcacct-|admin-|ant-[a-z0-9]{3,12}-|or-v1-
          |lf-)?[A-Za-z0-9_-]{20,250}
          | hf_[A-Za-z0-9]{30,64} | api_org_[A-Za-z0-9]{30,40} | r8_[A-Za-z0-9]{37,40} | gsk_[A-Za-z0-9]{40,60}
          | pplx-[A-Za-z0-9]{40,60}
          | xai-[A-Za-z0-9]{60,100} | CCI(?:PAT|PRA|PRJ)_[A-Za-z0-9_]{30,120} | bk(?:ua|ct)_[a-f0-9]{30,80}
          | sntry[su]_[A-Za-z0-9+/=_-]{40,400} | gl(?:c_[A-Za-z0-9+/=]{30,400}|sa_[A-Za-z0-9]{30,40}_[a-f0-9]{8})
          | NR(?:AK|AA|II)-[A-Za-z0-9_-]{20,60} | sq[upa]_[a-f0-9]{40} | lin_api_[A-Za-z0-9]{32,50} |
          ntn_[A-Za-z0-9]{40,60}
          | secret_[A-Za-z0-9]{43} | figd_[A-Za-z0-9_-]{36,60} | PMAK-[a-f0-9]{24}-[a-f0-9]{34} |
          pat[A-Za-z0-9]{14}\.[a-f0-9]{64}
          | sl\.[A-Za-z0-9_=-]{100,400} | EAA[A-Za-z0-9]{60,300} | EZ[AT]K[A-Za-z0-9]{54} | shippo_(?:live
          |test)_[a-f0-9]{40}
          | rdme_[a-z0-9]{70} | tfp_[A-Za-z0-9_.=-]{40,70} | pn[ub]_[A-Za-z0-9]{36} |
          wandb_v1_[A-Za-z0-9_]{40,120} | ph[cx]_[A-Za-z0-9]{40,60}
          | access-(?:production|sandbox|development)-[a-f0-9-]{36} | fio-u-[A-Za-z0-9_=-]{64} |
          nvapi-[A-Za-z0-9_-]{60,80}
          | jina_[A-Za-z0-9_-]{50,70} | tgp_v1_[A-Za-z0-9_-]{40,60} | fw_[A-Za-z0-9]{22,40} | duffel_(?:live
          |test)_[A-Za-z0-9_-]{43} )
        (?![A-Za-z0-9_])
    """,
    removes=(
        ("charge failed for key sk_live_0123456789abcdefABCDEFGH", "charge failed for key redacted1"),
        ("OPENAI sk-proj-0123456789abcdefABCDEFGH", "OPENAI redacted1"),
        ("hf_abcdefghijABCDEFGHIJ0123456789abcd", "redacted1"),
    ),
    keeps=("hf_hub_download", "sk-learn-compat-layer", "secret_name", "pat_x", "fw_version", "sk_live_mode"),
)
