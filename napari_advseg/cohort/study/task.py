"""One task: one attack on one case, as plain data that can be sent to another process or computer."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ..identity import AttackJob
from ..listed import ListedCase

LETTERS = 16  # of a hash, in names


class NetworkSpec(BaseModel):
    """How a worker opens a network; the fields mean what they mean in a :class:`CaseRequest`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: str
    trust: bool = False
    mirroring: bool = True
    checkpointing: bool = False
    half: bool = False


class Task(BaseModel):
    """An attack on a case: what to read, how to attack, and the hashes that what is read must have.

    Parameters
    ----------
    case, root
        The case, and the folder of its list; paths as the workers see them.
    case_id
        First letters of the SHA-256 of what is read of the case.
    job
        The attack, its network and learned attacker known by their SHA-256.
    device
        "auto", "cpu", "cuda", "cuda:1", "mps". Where several GPUs are visible, "auto" and "cuda" give each worker its own.
    threads
        CPU threads of the attack. Sums of another number of threads differ in their last bits.
    picture
        Whether to make a small picture of the result.
    bundle
        Folder for the bundle, which the worker writes; None for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: ListedCase
    root: Path
    case_id: str
    network: NetworkSpec
    job: AttackJob
    device: str = "auto"
    threads: int = Field(1, ge=1)
    picture: bool = True
    bundle: Path | None = None

    @property
    def id(self) -> str:
        """The task's name: the case's hash and the attack's."""
        return task_id(self.case_id, self.job)


def task_id(case_id: str, job: AttackJob) -> str:
    """What the attack on a case is called on disk; the same content and settings have the same name everywhere."""
    return f"{case_id}-{job.digest[:LETTERS]}"
