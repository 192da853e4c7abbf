"""The figures of `deploy/bench policy`: a policy as large as it says, and corpora that are really asked."""

from __future__ import annotations

import tomllib

from apostille.policy.documents import read_policy
from benchmark.policy import RULES, _corpora, policy_text


def test_the_policy_of_the_bench_has_as_many_rules_as_it_says_and_each_of_its_own() -> None:
    rules = read_policy(tomllib.loads(policy_text(RULES)), "bench").rules
    assert len(rules) == RULES
    assert len({rule.name for rule in rules}) == RULES


def test_nothing_of_the_bypass_corpus_passes_and_nothing_of_the_other_is_refused() -> None:
    figures = _corpora()
    assert figures["policy.bypass_cases"].value >= 150
    assert figures["policy.bypass_passed"].value == 0
    assert figures["policy.legitimate_refused"].value == 0
