"""A finding that has given up its volumes has the very same again."""

from __future__ import annotations

import numpy as np
from findings import toy_finding

from napari_advseg.case import restored, slimmed

VOLUMES = ("perturbed", "displacement", "appearance", "attacked_labels", "moved_reference")
TURNED = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def test_volumes_go_and_come_back_without_the_network() -> None:
    for finding in (toy_finding(), toy_finding(direction=TURNED)):
        passes = finding.case.network.passes
        before = (passes.forward, passes.backward)
        slim, labels = slimmed(finding)
        assert sum(getattr(slim.result, name).nbytes for name in VOLUMES) == 0
        assert len(labels) < finding.result.attacked_labels.nbytes / 10
        assert slim.result.achieved_drop == finding.result.achieved_drop
        assert slim.evidence is finding.evidence
        whole = restored(slim, labels)
        for name in VOLUMES:
            was, now = getattr(finding.result, name), getattr(whole.result, name)
            assert was.dtype == now.dtype, name
            assert np.array_equal(was, now), name
        assert (passes.forward, passes.backward) == before
