"""Each class recognises the messages that real releases print for it, and no other class takes them."""

from __future__ import annotations

import pytest

from uvreport.failures import Evidence, all_classes, named, recognise
from uvreport.failures.chain import Chain


def _chain(message: str) -> Chain:
    return Chain(style="caused-by", frames=(message,), text=message)


@pytest.mark.parametrize(
    ("name", "message"), [(c.name, example) for c in all_classes() for example in c.examples]
)
def test_a_message_belongs_to_the_class_that_lists_it(name, message):
    assert recognise(Evidence(chain=_chain(message), exit_code=2, blamed=False)).name == name


@pytest.mark.parametrize(
    ("states", "missing", "name"),
    [
        (("foreign",), (), "cache-format-skew"),
        (("truncated",), (), "cache-corruption"),
        (("unreadable",), (), "cache-permission"),
        (("stale",), (), "cache-stale-result"),
        (("incomplete",), ("sdists-v8/url/0123456789abcdef/id/src",), "cache-prune"),
        (("incomplete",), ("archive-v0/id/a-1.dist-info/RECORD",), "cache-corruption"),
    ],
)
def test_what_is_wrong_with_the_culprit_decides_among_the_cache_classes(states, missing, name):
    chain = _chain("Failed to deserialize cache entry")
    assert (
        recognise(Evidence(chain=chain, exit_code=2, blamed=True, states=states, missing=missing)).name
        == name
    )


def test_a_failure_that_stays_without_the_cache_is_never_a_cache_class():
    chain = _chain("failed to read `x`: Permission denied (os error 13)")
    assert recognise(Evidence(chain=chain, exit_code=2, blamed=False)).name == "environment"


def test_no_answer_at_all_is_a_hang_and_an_unheard_of_message_is_unknown():
    assert recognise(Evidence(chain=None, exit_code=None)).name == "hang"
    assert recognise(Evidence(chain=_chain("flux capacitor"), exit_code=2, blamed=False)).name == "unknown"


def test_every_class_has_a_name_of_its_own_and_is_found_by_it():
    names = [c.name for c in all_classes()]
    assert len(names) == len(set(names))
    assert all(named(name) is c for name, c in zip(names, all_classes(), strict=True))
    assert named("no-such-class") is None


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (
            "No solution found when resolving dependencies: / only proxy1[extra2]==0.1.0 is available",
            "resolution",
        ),
        ("Failed to fetch: `http://127.0.0.1/simple/` / tunnel error: through the proxy", "network"),
        (
            "Failed to download `a==1` / Failed to extract archive: a-1-py3-none-any.whl / Bad CRC (got 1)",
            "index",
        ),
        (
            "Failed to download `a==1` / Failed to extract archive: /home/u/w/a-1-py3-none-any.whl",
            "distribution",
        ),
        (
            "Failed to download `a==1` / Failed to read metadata: `http://h/a` / operation timed out",
            "network",
        ),
        (
            "failed to open file `/home/u/.config/uv/uv.toml`: No such file or directory (os error 2)",
            "config",
        ),
        (
            "failed to read from file `/home/u/p/pyproject.toml`: Permission denied (os error 13)",
            "environment",
        ),
        ("failed to write to file `/home/u/p/uv.lock`: Permission denied (os error 13)", "environment"),
        (
            "failed to open file `/c/archive-v0/x/a-1.dist-info/RECORD`: No such file or directory",
            "distribution",
        ),
    ],
)
def test_what_stands_near_in_words_belongs_apart(message, name):
    assert recognise(Evidence(chain=_chain(message), exit_code=2, blamed=False)).name == name
