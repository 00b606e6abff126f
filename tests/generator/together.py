"""Two processes learn the toy's drop together: started as a program, because Fabric runs the program again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from toy_attackers import toy_card, toy_target

from napari_advseg.attacks import CancelToken
from napari_advseg.case import finish
from napari_advseg.generator import Crew, TrainingSettings, train


def main() -> None:
    folder, stop_after = Path(sys.argv[1]), int(sys.argv[2])
    crew = Crew.launch("cpu", 2)
    cancel = StopAfter(stop_after if crew.rank == 1 else 0)  # one of the two is stopped
    settings = TrainingSettings(steps=6, save_every=2)
    attacker = finish(train([toy_target()], toy_card(), settings, folder, cancel, crew))
    sums = {name: float(value.double().sum()) for name, value in attacker.generator.state_dict().items()}
    (folder / f"sums{crew.rank}.json").write_text(json.dumps(sums))


class StopAfter(CancelToken):
    """Cancelled once it has been looked at so many times; 0 for never."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._left = looks or None

    @property
    def cancelled(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        return self._left < 0


if __name__ == "__main__":
    main()
