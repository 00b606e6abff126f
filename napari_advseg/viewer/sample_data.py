"""Sample cases for napari's File menu."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from .layer_source import KEY
from .placement import Placement
from .window_sweeps import sweep_in_window

T = TypeVar("T")
LayerTuple = tuple[Any, dict[str, Any], str]


def phantom() -> list[LayerTuple]:
    """The offline phantom: a CT and its organs."""
    return _sample("phantom", "Making the phantom")


def abdomen() -> list[LayerTuple]:
    """A real abdominal CT with reference labels; downloaded on first use.

    Raises
    ------
    OSError
        The download failed.
    """
    return _sample("abdomen", "Downloading the abdominal CT")


def _sample(name: str, what: str) -> list[LayerTuple]:
    layers = while_painting(lambda: sample_layers(name), what)
    _select(layers[0][1]["metadata"][KEY]["case"])
    return layers


def _select(case_id: str) -> None:
    """The CT, once it is in the viewer: napari selects what comes last, and the organs are hidden."""
    from napari.viewer import current_viewer
    from qtpy.QtCore import QTimer

    from .layers import layers_of

    viewer = current_viewer()

    def select() -> None:
        if viewer is not None and (ct := layers_of(viewer, case_id).get("ct")) is not None:
            viewer.layers.selection.active = ct

    if viewer is not None:
        QTimer.singleShot(0, select)


def sample_layers(name: str) -> list[LayerTuple]:
    """The layers of a sample: the CT, and the reference labels as lines around the organs."""
    from ..evidence import organ_colour
    from ..samples import NETWORK_OF, load_sample
    from ..volume import SOFT_TISSUE

    sample = load_sample(name)
    placement = Placement.of(sample.ct.grid)
    place = placement.layer_options()
    noted = {"sample": name, "network": NETWORK_OF[name], "grid": placement.grid}
    colours: dict[int | None, str] = {0: "transparent", None: "#888888"}
    colours |= {index: organ_colour(rank) for rank, index in enumerate(sample.names, start=1)}
    ct_options = place | {
        "name": f"{name} CT",
        "colormap": "gray",
        "contrast_limits": SOFT_TISSUE,
        "metadata": {KEY: noted | {"role": "ct", "case": uuid.uuid4().hex, "source": sample.ct.source}},
    }
    label_options = place | {
        "name": f"{name} organs",
        "colormap": colours,
        "visible": False,
        "features": {
            "index": [0, *sample.names],
            "organ": ["background", *(organ.replace("_", " ") for organ in sample.names.values())],
        },
        "metadata": {KEY: noted | {"role": "sample labels", "names": dict(sample.names)}},
    }
    labels = placement.to_shown(sample.labels).copy()
    return [(placement.to_shown(sample.ct.hu), ct_options, "image"), (labels, label_options, "labels")]


def while_painting(work: Callable[[], T], what: str) -> T:
    """Run ``work`` in a thread while the window paints on and shows that something is done; gives its result."""
    from napari.utils import progress
    from qtpy.QtCore import QCoreApplication, QEventLoop, QTimer

    if QCoreApplication.instance() is None or threading.current_thread() is not threading.main_thread():
        return work()
    results: list[T] = []
    faults: list[BaseException] = []

    def keep() -> None:
        try:
            results.append(work())
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=keep, name="napari-advseg sample")
    loop = QEventLoop()
    timer = QTimer()
    timer.setInterval(30)
    timer.timeout.connect(lambda: None if thread.is_alive() else loop.quit())
    with progress(total=0, desc=what):
        sweep_in_window(thread.is_alive)
        thread.start()
        timer.start()
        loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        timer.stop()
        thread.join()
    if faults:
        raise faults[0]
    return results[0]
