"""A share of the standing attack: `python -m tests.attack` goes on where it ends."""

from __future__ import annotations

import pytest

from . import arguments, changes, files, frame, kills, trees

# How many seeds of each kind; together they take less than a minute.
SHARES = {files: 25, arguments: 30, trees: 40, changes: 40, kills: 3}
CASES = [
    pytest.param(attack, share, id=f"{module.__name__.rpartition('.')[2]}.{attack.__name__}")
    for module, share in SHARES.items()
    for attack in module.ATTACKS
]


@pytest.mark.parametrize(("attack", "share"), CASES)
def test_attack(attack: frame.Attack, share: int) -> None:
    results = {seed: frame.run(attack, seed) for seed in range(share)}
    failures = [
        f"Seed {seed}: {result.failure}" for seed, result in results.items() if result.failure
    ]
    assert not failures, "\n\n".join(failures)
