"""What the dock asks of the rest of the package; everything heavy is imported only in the worker's thread."""

from __future__ import annotations

import sys
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .layer_source import LayerSource
from .renaming import renamed_case
from .wishes import AttackWish, CaseWish, Names, TrainingWish

if TYPE_CHECKING:
    from ..attacks import CancelToken, Progress, Target
    from ..case import AttackRequest, Case, Finding
    from ..networks import ModelCard
    from ..volume import Volume
    from .in_hand import TrainingEnd


@dataclass(frozen=True)
class Offers:
    """Known networks with a line about each, and the devices that work here."""

    networks: dict[str, str]
    devices: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CtRead:
    """The CT of a case being opened has been read and can be shown."""

    ct: Volume


@dataclass(frozen=True, eq=False)
class Saved:
    """A bundle has been written; the finding is whole now."""

    finding: Finding
    folder: Path


class Core(Protocol):
    """The work behind the dock; generators stop between steps.

    It runs on the worker's thread, except for what is quick: trust, cards and names; and for ``compute_line``, which waits
    for others and has a thread of its own.
    """

    def offers(self) -> Offers: ...

    def load_rest(self) -> None: ...

    def cancel_token(self) -> CancelToken: ...

    def open_case(self, wish: CaseWish, cancel: CancelToken) -> Generator[Progress | CtRead, None, Case]: ...

    def attack_case(self, case: Case, wish: AttackWish, cancel: CancelToken) -> Generator[Progress, None, Finding]: ...

    def compute_line(self, scheduler: str) -> str: ...

    def restore(self, finding: Finding, labels: bytes) -> Finding: ...

    def at_strength(self, finding: Finding, strength: float, cancel: CancelToken) -> Finding: ...

    def complete(self, finding: Finding, cancel: CancelToken) -> Generator[Progress, None, Finding]: ...

    def save(self, finding: Finding, folder: Path, cancel: CancelToken) -> Generator[Progress, None, Saved]: ...

    def train(
        self, wish: CaseWish, training: TrainingWish, case: Case | None, cancel: CancelToken
    ) -> Generator[Progress, None, TrainingEnd]: ...

    def attackers(self, case: Case) -> tuple[str, ...]: ...

    def attacker_line(self, attacker: str, case: Case | None) -> str: ...

    def describe(self, case: Case) -> dict[str, Any]: ...

    def rename(self, case: Case, names: Names) -> Case: ...

    def make_card(self, content: dict[str, Any]) -> ModelCard: ...

    def write_card(self, checkpoint: Path, card: ModelCard) -> Path: ...

    def trust(self, sha256: str) -> None: ...

    def withdraw_trust(self, sha256: str) -> None: ...

    def release(self) -> None: ...


class PackageCore:
    """The package's own rooms."""

    def __init__(self) -> None:
        self._target: Target | None = None  # of the last strength that was asked for; costly to make

    def offers(self) -> Offers:
        """Known networks and working devices; the first call loads torch."""
        from ..networks import known_networks, working_devices

        return Offers(known_networks(), tuple(working_devices()))

    def load_rest(self) -> None:
        """Load now what the first case would wait for."""
        from .. import case, evidence  # noqa: F401
        from ..networks import load_architectures

        load_architectures()

    def cancel_token(self) -> CancelToken:
        from ..attacks import CancelToken

        return CancelToken()

    def open_case(self, wish: CaseWish, cancel: CancelToken) -> Generator[Progress | CtRead, None, Case]:
        """Read the CT, hand it out to be shown, then open the case on it."""
        from ..attacks import Progress
        from ..case import CaseRequest, open_case
        from ..volume import read_ct

        yield Progress("Reading the CT", 0.0)
        ct = wish.ct.volume() if isinstance(wish.ct, LayerSource) else read_ct(wish.ct, series=wish.series)
        cancel.check()
        yield CtRead(ct)
        reference, names = wish.reference, wish.label_names
        known_names = reference.names if isinstance(reference, LayerSource) else None
        request = CaseRequest(
            ct=ct,
            network=wish.network,
            reference=reference.volume() if isinstance(reference, LayerSource) else reference,
            label_names=names if names is not None else known_names,
            region=wish.region,
            device=wish.device,
            labels=dict(wish.labels) or None,
            card=wish.card,
        )
        return (yield from open_case(request, cancel))

    def attack_case(self, case: Case, wish: AttackWish, cancel: CancelToken) -> Generator[Progress, None, Finding]:
        """Attack the case, here or where the wish says."""
        from ..elsewhere.attacking import attacking_on

        return (yield from attacking_on(wish.compute)(case, attack_request(wish), cancel))

    def compute_line(self, scheduler: str) -> str:
        """What there is at a Dask scheduler; ImportError, ValueError or OSError, in one line, where it cannot be used."""
        from ..elsewhere.looking import what_is_there

        return what_is_there(scheduler)

    def restore(self, finding: Finding, labels: bytes) -> Finding:
        """The volumes of a draw that has none; one synthesis."""
        from ..case import restored

        return restored(finding, labels)

    def at_strength(self, finding: Finding, strength: float, cancel: CancelToken) -> Finding:
        """The finding at another strength of its path, its evidence not yet measured; one forward pass."""
        from ..case import finding_at, path_target

        synthesis = finding.result.synthesis
        if self._target is None or self._target.synthesis is not synthesis:
            self._target = path_target(finding)
        return finding_at(finding, self._target, strength, cancel)

    def complete(self, finding: Finding, cancel: CancelToken) -> Generator[Progress, None, Finding]:
        """Measure what is still missing: repeats of a random network, the random control, the evidence."""
        from ..case import complete_on_path

        return (yield from complete_on_path(finding, cancel))

    def save(self, finding: Finding, folder: Path, cancel: CancelToken) -> Generator[Progress, None, Saved]:
        """Measure what is still missing, then write the bundle."""
        from ..attacks import Progress
        from ..case import save_finding

        whole = yield from self.complete(finding, cancel)
        cancel.check()
        yield Progress("Writing the bundle", 0.95, whole.result.achieved_drop)
        return Saved(whole, save_finding(whole, folder))

    def train(
        self, wish: CaseWish, training: TrainingWish, case: Case | None, cancel: CancelToken
    ) -> Generator[Progress, None, TrainingEnd]:
        """Train an attacker; ``case`` is one that is open on the same network, whose network then is used."""
        from .learning import train

        return (yield from train(wish, training, case, cancel))

    def attackers(self, case: Case) -> tuple[str, ...]:
        """The shipped learned attackers for a case's network."""
        from ..samples import shipped_attacker

        name = shipped_attacker(case.network.card.name)
        return () if name is None else (name,)

    def attacker_line(self, attacker: str, case: Case | None) -> str:
        """What a learned attacker was trained on; ValueError, in one line, where it is none or does not fit the case."""
        from .learning import attacker_line

        return attacker_line(attacker, case)

    def describe(self, case: Case) -> dict[str, Any]:
        """What is known of the case's network, and about what one pass takes where that is quick to try."""
        from ..networks import describe, memory_of_one_pass

        known = describe(case.network)
        if case.network.card.input_size is None:
            known["memory_mb"] = memory_of_one_pass(case.network, quickly=True)
        return known

    def rename(self, case: Case, names: Names) -> Case:
        """The case under other names of its network's labels; ValueError where the card does not take them."""
        case.network.card = case.network.card.renamed(dict(names))
        return renamed_case(case, names)

    def make_card(self, content: dict[str, Any]) -> ModelCard:
        """The checked model card; ValueError, in one line, where it is not valid."""
        from ..networks import make_card

        return make_card(content)

    def write_card(self, checkpoint: Path, card: ModelCard) -> Path:
        """Put a card beside its checkpoint; OSError where that cannot be."""
        from ..networks import write_card

        return write_card(checkpoint, card)

    def trust(self, sha256: str) -> None:
        """Keep the user's consent to a file that can run code."""
        from ..networks import remember_trust

        remember_trust(sha256)

    def withdraw_trust(self, sha256: str) -> None:
        """Forget the user's consent."""
        from ..networks import withdraw_trust

        withdraw_trust(sha256)

    def release(self) -> None:
        """Give the accelerator's cached memory back."""
        self._target = None
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def attack_request(wish: AttackWish) -> AttackRequest:
    """The checked request; ValueError where something is out of range."""
    from ..case import AttackRequest

    fields = asdict(wish)
    del fields["draws"], fields["compute"]  # the caller's loop, and where it is done: not the attack's
    return AttackRequest(**fields)
