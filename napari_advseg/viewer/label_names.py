"""The network's labels under other names, wherever they are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .renaming import matched_by_name
from .wishes import Names

if TYPE_CHECKING:
    from .case_layers import CaseLayers
    from .controller import Controller
    from .network_panel import NetworkPanel
    from .organs_panel import OrgansPanel


class LabelNames:
    """Takes new names from the network's panel to the case, the layers and the organs.

    ``say`` is given a line and whether it tells of a failure; ``open_case`` opens the case again.
    """

    def __init__(
        self,
        controller: Controller,
        network: NetworkPanel,
        organs: OrgansPanel,
        layers: CaseLayers,
        say: Callable[[str, bool], object],
        open_case: Callable[[], object],
    ) -> None:
        self._controller, self._network, self._organs, self._layers = controller, network, organs, layers
        self._say, self._open_case = say, open_case

    def rename(self, names: Names) -> None:
        """Other names everywhere, unless the reference is matched by them: then the case has to be opened again."""
        in_hand = self._controller.in_hand
        if in_hand is None:
            return
        again = matched_by_name(in_hand.wish)
        if again and self._controller.outcome is not None:
            self._network.set_renamed(names)
            self._say("The next run opens the case again: the reference is matched by the new name.", False)
            return
        try:
            self._controller.rename(names, noted=not again)
        except ValueError as fault:
            self._network.put_back()
            self._say(str(fault), True)
            return
        self._network.set_renamed(names)
        if (renamed := self._controller.in_hand) is not None:
            self._layers.rename(renamed.id, renamed.case.network.card.organs)
            self._organs.rename(renamed.case.organs)
        if again:
            self._open_case()
