"""`python -m tests.attack` attacks for a while, or runs the case of one seed."""

from __future__ import annotations

import argparse
import collections
import pathlib
import sys
import time

from . import arguments, changes, files, frame, kills, readers, trees

MODULES = (files, arguments, trees, changes, kills)
ATTACKS = {
    f"{module.__name__.rpartition('.')[2]}.{attack.__name__}": attack
    for module in MODULES
    for attack in module.ATTACKS
}


def main() -> int:
    """Runs the command; returns 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, help="how many seeds of each attack")
    parser.add_argument("--seconds", type=float, default=60, help="how long, without --count")
    parser.add_argument("--only", default="", help="the beginning of names, such as files.masks")
    parser.add_argument("--files", type=pathlib.Path, help="read all files below a folder instead")
    options = parser.parse_args()
    if options.files:
        return readers.main(options.files)
    attacks = {name: of for name, of in ATTACKS.items() if name.startswith(options.only)}
    if not attacks:
        parser.error(f"--only: no attack begins with {options.only!r}, of {', '.join(ATTACKS)}")
    end = time.monotonic() + options.seconds
    counts = {name: collections.Counter[str]() for name in attacks}
    seed = options.seed
    while seed < options.seed + options.count if options.count else time.monotonic() < end:
        for name, attack in attacks.items():
            result = frame.run(attack, seed)
            counts[name][result.outcome] += 1
            if result.failure:
                print(f"FAILED: python -m tests.attack --only {name} --seed {seed} --count 1")
                print(f"{result.failure}\n", flush=True)
        seed += 1
    for name, counted in counts.items():
        print(f"{name:24}{counted.total():6} cases:", *(f"{v} {k}," for k, v in counted.items()))
    failed = sum(counted["failed"] for counted in counts.values())
    print(f"{sum(map(collections.Counter.total, counts.values()))} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
