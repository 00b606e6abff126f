"""Which cases are attacked, on which networks and how, and the tasks that this makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ...case import AttackRequest
from ...networks import open_network
from ..identity import AttackJob
from ..listed import ListedCase
from ..work_folder import WorkFolder
from .task import NetworkSpec, Task


class StudyRequest(BaseModel):
    """Every case, network and attack is a task.

    Parameters
    ----------
    cases, source
        The list, and the folder or CSV that it was read from.
    attacks
        One for each drop, seed and attacker.
    per_organ
        Beside the attacks on the mean of all organs, attack each organ alone: one more task per organ.
    region, device, threads, pictures
        See :class:`CaseRequest` and :class:`Task`.
    bundles
        Write the bundle of every attack into the work folder; the workers write, so they must see it.
    retries
        How often a task is given to a worker again that lost its worker, or failed for what may pass.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cases: tuple[ListedCase, ...] = Field(min_length=1)
    source: Path
    networks: tuple[NetworkSpec, ...] = Field(min_length=1)
    attacks: tuple[AttackRequest, ...] = Field(min_length=1)
    per_organ: bool = False
    region: str = "auto"
    device: str = "auto"
    threads: int = Field(1, ge=1)
    pictures: bool = True
    bundles: bool = False
    retries: int = Field(2, ge=0)

    def jobs(self) -> tuple[tuple[NetworkSpec, AttackJob], ...]:
        """Every attack on every network; the networks are opened here, on the CPU, to know their hashes.

        Raises
        ------
        ConsentNeededError, FileNotFoundError, ValueError, ImportError, OSError
            A network or an attacker cannot be opened, or the same one is given twice.
        """
        found: dict[str, tuple[NetworkSpec, AttackJob]] = {}
        for spec in self.networks:
            network = open_network(spec.checkpoint, device="cpu", trust=spec.trust, mirroring=spec.mirroring)
            own = {}
            for attack in self._attacks(tuple(network.card.organs.values())):
                job = AttackJob.of(network, attack, region=self.region, half=spec.half)
                own[job.digest] = (spec, job)
            twice = next((job for digest, (_, job) in own.items() if digest in found), None)
            if twice is not None:
                raise ValueError(f"the network {twice.network} is given twice: give each network once")
            found |= own
        return tuple(found.values())

    def tasks(self, jobs: tuple[tuple[NetworkSpec, AttackJob], ...], work: WorkFolder) -> Iterator[Task]:
        """All tasks, case by case; a case's files are hashed when its turn comes, unless they are known."""
        root = self.source if self.source.is_dir() else self.source.parent
        for case in self.cases:
            case_id = work.case_id(case)
            for spec, job in jobs:
                yield Task(
                    case=case, root=root, case_id=case_id, network=spec, job=job, device=self.device,
                    threads=self.threads, picture=self.pictures,
                    bundle=work.place(case_id, job).absolute() if self.bundles else None,
                )  # fmt: skip

    def _attacks(self, organs: tuple[str, ...]) -> Iterator[AttackRequest]:
        for attack in self.attacks:
            yield attack
            if self.per_organ:
                for organ in attack.organs or organs:
                    yield attack.model_copy(update={"organs": (organ,)})
