"""Model cards that the user typed in: tried in memory first, then kept beside the checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .card_fields import CardFields
from .wishes import CaseWish

if TYPE_CHECKING:
    from ..networks import ModelCard


@dataclass(frozen=True)
class _Given:
    path: Path
    card: ModelCard
    tried: bool = False


class GivenCards:
    """By the network that they were given for."""

    def __init__(self) -> None:
        self._given: dict[str, _Given] = {}
        self._typed: dict[str, CardFields] = {}

    def give(self, network: str, path: Path, card: ModelCard, fields: CardFields) -> None:
        self._given[network] = _Given(path, card)
        self._typed[network] = fields

    def typed(self, network: str) -> CardFields | None:
        """What was typed last, so that a mistake is corrected and not everything typed again."""
        return self._typed.get(network)

    def added_to(self, wish: CaseWish) -> CaseWish:
        given = self._given.get(wish.network)
        return wish if given is None else replace(wish, card=given.card)

    def reject(self, network: str) -> bool:
        """The network could not be opened with its card: it is asked for again. True where there was one untested."""
        given = self._given.get(network)
        if given is None or given.tried:
            return False
        del self._given[network]
        return True

    def keep(self, wish: CaseWish, write: Callable[[Path, ModelCard], Path]) -> tuple[CaseWish, str]:
        """The case is open: write the card beside the checkpoint, once; the wish that is met now, and a line about it.

        A card that cannot be written stays in memory.
        """
        given = self._given.get(wish.network)
        if given is None or given.tried or wish.card is None:
            return wish, ""
        try:
            file = write(given.path, given.card)
        except OSError as fault:
            self._given[wish.network] = replace(given, tried=True)
            return wish, f"The model card could not be kept beside the file ({fault.strerror}): it will be asked again."
        del self._given[wish.network]
        return replace(wish, card=None), f"The model card was written to {file}."
