"""`python -m training.gpu prepare` gathers what a GPU machine lacks into .cache/gpu/wheels."""

from __future__ import annotations

import argparse

from training.gpu import plan, wheels
from training.gpu.parts import MIB


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.gpu", description=__doc__)
    parser.add_argument("command", choices=("prepare",))
    parser.parse_args()
    for wheel in wheels.gather():
        print(f"{wheel.stat().st_size / MIB:6.2f} MiB  {wheel.name}")
    made = plan.make(plan.tree_bytes(), plan.wheel_bytes())
    print(f"A call carries {made.carried_mib:.1f} of at most {plan.MOST_CARRIED_MIB} MiB.")
    print("The calls: python -m training.train --preset gpu --plan")


if __name__ == "__main__":
    main()
