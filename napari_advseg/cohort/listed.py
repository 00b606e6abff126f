"""One case of a list: what it is called, and where its files are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from ..case import CaseRequest
from ..networks import SegmentationNetwork

Names = Literal["pseudonym", "file"]


class ListedCase(BaseModel):
    """A case of a list.

    Parameters
    ----------
    name
        What it is shown as: "Case 1" and so on, unless the names of the files were asked for.
    ct
        A file, or a folder of DICOM slices.
    reference
        Its labels; None for the network's own prediction.
    label_names
        A JSON file that names the ids of ``reference``, or {id: name}. None where the ids are the network's.
    series
        Which DICOM series of a folder that holds several: its UID, or its number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    ct: Path
    reference: Path | None = None
    label_names: Path | dict[int, str] | None = None
    series: str | int | None = None

    def request(self, network: str | SegmentationNetwork, **options: Any) -> CaseRequest:
        """What opens the case on a network; ``options`` are the other fields of a :class:`CaseRequest`."""
        given = {"reference": self.reference, "label_names": self.label_names, "series": self.series}
        return CaseRequest(ct=self.ct, network=network, **given, **options)


def under_pseudonyms(cases: list[ListedCase]) -> list[ListedCase]:
    """The same cases in the same order as "Case 1", "Case 2" and so on."""
    return [case.model_copy(update={"name": f"Case {number}"}) for number, case in enumerate(cases, 1)]
