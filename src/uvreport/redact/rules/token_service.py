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
        "pk_live_",
        "pk_test_",
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
        "bkat_",
        "sntrys_",
        "sntryu_",
        "glc_",
        "glsa_",
        "nrak-",
        "nraa-",
        "nrii-",
        "nrra-",
        "nrjs-",
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
        "a21aa",
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
        "lsv2_",
        "rnd_",
        "hcaik_",
        "hcxik_",
        "hcbik_",
        "hcamk_",
        "napi_",
        "sb_secret_",
        "sb_publishable_",
        "aq.ab8",
        "a3-",
        "nvapi-",
    ),
    not_after="[a-z0-9_-]",
    follows="[a-z0-9_.=+/-]{12}",
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9_-]) (?P<secret>
            [srp]k_(?:live|test|prod)_[A-Za-z0-9]{16,250} | whsec_[A-Za-z0-9+/=]{24,80} |
            sq0[a-z]{3}-[A-Za-z0-9_-]{22,60}
          | shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32,64} |
            sk-(?=[A-Za-z_-]{0,200}[0-9])(?:proj-|svcacct-|admin-|ant-[a-z0-9]{3,12}-|or-v1-
          |lf-)?[A-Za-z0-9_-]{20,250}
          | hf_[A-Za-z0-9]{30,64} | api_org_[A-Za-z0-9]{30,40} | r8_[A-Za-z0-9]{37,40} | gsk_[A-Za-z0-9]{40,60}
          | pplx-[A-Za-z0-9]{40,60}
          | xai-[A-Za-z0-9]{60,100} | CCI(?:PAT|PRA|PRJ)_[A-Za-z0-9_]{30,120} | bk(?:ua|ct|at)_[A-Za-z0-9_-]{30,80}
          | sntry[su]_[A-Za-z0-9+/=_-]{40,400} | gl(?:c_[A-Za-z0-9+/=]{30,400}|sa_[A-Za-z0-9]{30,40}_[a-f0-9]{8})
          | NR(?:AK|AA|II|RA|JS)-[A-Za-z0-9_-]{18,60} | sq[upa]_[a-f0-9]{40} | lin_api_[A-Za-z0-9]{32,50} |
          ntn_[A-Za-z0-9]{40,60}
          | secret_[A-Za-z0-9]{43} | figd_[A-Za-z0-9_-]{36,60} | PMAK-[a-f0-9]{24}-[a-f0-9]{34} |
          pat[A-Za-z0-9]{14}\.[a-f0-9]{64}
          | sl\.(?:u\.)?[A-Za-z0-9_=-]{100,1400} | EAA(?=[A-Za-z_-]{0,60}[0-9])[A-Za-z0-9_-]{58,300} |
            A21AA[A-Za-z0-9_-]{60,120} | EZ[AT]K[A-Za-z0-9]{54} | shippo_(?:live
          |test)_[a-f0-9]{40}
          | rdme_[a-z0-9]{70} | tfp_[A-Za-z0-9_.=-]{40,70} | pn[ub]_[A-Za-z0-9]{36} |
          wandb_v1_[A-Za-z0-9_]{40,120} | ph[cx]_[A-Za-z0-9]{40,60}
          | access-(?:production|sandbox|development)-[a-f0-9-]{36} | fio-u-[A-Za-z0-9_=-]{64} |
          nvapi-[A-Za-z0-9_-]{60,80}
          | jina_[A-Za-z0-9_-]{50,70} | tgp_v1_[A-Za-z0-9_-]{40,60} | fw_[A-Za-z0-9]{22,40} |
            lsv2_[a-z]{2}_[a-f0-9]{32}_[a-f0-9]{10} | rnd_[A-Za-z0-9]{24,40}
          | hc[a-z]i?k_[a-z0-9]{40,70} | napi_[a-z0-9]{50,80} | sb_(?:secret|publishable)_[A-Za-z0-9_-]{20,50}
          | AQ\.Ab8[A-Za-z0-9_-]{30,80} | A3-[A-Z0-9]{6}-[A-Z0-9]{6}-(?:[A-Z0-9]{5}-){2,3}[A-Z0-9]{5} | duffel_(?:live
          |test)_[A-Za-z0-9_-]{43} )
        (?![A-Za-z0-9_])
    """,
    removes=(
        ("charge failed for key sk_live_0123456789abcdefABCDEFGH", "charge failed for key redacted1"),
        ("OPENAI sk-proj-0123456789abcdefABCDEFGH", "OPENAI redacted1"),
        ("hf_abcdefghijABCDEFGHIJ0123456789abcd", "redacted1"),
        ("lsv2_pt_0123456789abcdef0123456789abcdef_0123456789", "redacted1"),
    ),
    keeps=(
        "hf_hub_download",
        "sk-learn-compat-layer",
        "sk-learn-compat-layer-with-a-long-name",
        "secret_name",
        "pat_x",
        "fw_version",
        "sk_live_mode",
    ),
)
