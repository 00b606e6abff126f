"""A finding in napari, from Python."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from .layers import go_to, layers_of, select_ct, show_scene
from .scene import Scene, all_plans, case_scene, finding_scene

if TYPE_CHECKING:
    import napari

    from ..case import Finding


def open_in_napari(finding: Finding, viewer: napari.Viewer | None = None) -> napari.Viewer:
    """Show a finding as layers: CT, perturbed CT, both segmentations, the deformation and the intensity change.

    Parameters
    ----------
    viewer
        Where to show it; a new viewer where None. Call ``napari.run()`` afterwards in a script.
    """
    if viewer is None:
        import napari

        viewer = napari.Viewer(title="napari-advseg")
    case_id = uuid.uuid4().hex
    found = finding_scene(finding, case_id)
    show_scene(viewer, Scene(case_id, tuple(all_plans([case_scene(finding.case, case_id), found]))))
    select_ct(viewer, case_id)
    viewer.reset_view()
    if found.focus is not None:
        go_to(viewer, layers_of(viewer, case_id)["perturbed"], found.focus)
    return viewer


def show_until_closed(finding: Finding) -> None:
    """Show a finding in a new napari and return when its window is closed."""
    import napari

    open_in_napari(finding)
    napari.run()
