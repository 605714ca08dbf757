"""`python -m tests.simulation --seeds N [--scenario X]`: many schedules, or one to read."""

from __future__ import annotations

import argparse
import os
import sys
import time


def main() -> int:
    """Run seeds, print what failed and a digest of all schedules; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="number of seeds, in all")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--scenario", action="append", help="only this one (may be repeated)")
    parser.add_argument("--seed", type=int, help="run this seed alone and print its schedule")
    parser.add_argument("--plant", help="plant the race of this name first")
    parser.add_argument("--shrink", action="store_true", help="make a failing schedule short")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a failure")
    parser.add_argument("--races", action="store_true", help="look for the planted races")
    parser.add_argument("--anew", action="store_true", help="look for them from the first seed on")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets of strings
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    from .batch import run_batch, show

    if options.races:
        from .races import report

        return report(options.anew)
    if options.seed is not None:
        return show(options.scenario or [], options.seed, options.plant, shrink=options.shrink)
    started = time.process_time()
    code = run_batch(options.scenario or [], options.first, options.seeds, options.keep_going)
    print(f"{time.process_time() - started:.1f} s of CPU time", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
