"""What the user prefers and where files were found last, kept in napari's preferences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .dock import AttackDock

Place = Literal["cts", "networks", "lists", "written"]
_PLUGIN = "napari-advseg"
_this_session: dict[str, str] = {}  # where napari keeps nothing for this plugin


def preferences(section: str) -> Any | None:
    """A section of the plugin's preferences; None where this napari has none."""
    try:
        from napari.settings import get_plugin_settings

        with _manifests_known():
            return getattr(get_plugin_settings(_PLUGIN), section)
    except (ImportError, KeyError, AttributeError):
        return None


@contextmanager
def _manifests_known() -> Iterator[None]:
    """Spare napari's first look at plugins' preferences from reading the manifests of all plugins once more, a good
    part of the time in which the dock is made: where it knows this plugin, it has read them."""
    from npe2 import PluginManager

    manager = PluginManager.instance()
    if _PLUGIN not in manager or "discover" in vars(manager):
        yield
        return
    setattr(manager, "discover", lambda *_, **__: 0)  # noqa: B010
    try:
        yield
    finally:
        delattr(manager, "discover")


def apply_defaults(dock: AttackDock) -> None:
    """Set the dock to the preferred drop, tolerance and intensity change."""
    preferred = preferences("attack")
    if preferred is not None:
        dock.slider.set_drop(float(preferred.drop))
        dock.limits.tolerance.setValue(float(preferred.tolerance))
        dock.limits.max_hu.setValue(float(preferred.max_hu))


def last_folder(place: Place) -> str:
    """Where a file of this kind was found or written last; "" where that is not known or gone."""
    folders = preferences("folders")
    said = _this_session.get(place, "") if folders is None else str(getattr(folders, place))
    return said if said and Path(said).is_dir() else ""


def last_compute() -> str:
    """The Dask scheduler that answered last; "" where none has."""
    kept = preferences("compute")
    return _this_session.get("compute", "") if kept is None else str(kept.scheduler)


def note_compute(scheduler: str) -> None:
    """A Dask scheduler has answered at this address."""
    kept = preferences("compute")
    if kept is None:
        _this_session["compute"] = scheduler
    else:
        kept.scheduler = scheduler


def note_folder(place: Place, path: Path) -> None:
    """A file of this kind has been found or written here."""
    folder, folders = str(path.absolute().parent), preferences("folders")
    if folders is None:
        _this_session[place] = folder
    else:
        setattr(folders, place, folder)
