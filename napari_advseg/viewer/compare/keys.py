"""All keys of the compare tools with their meaning, in one place; bound while the dock is open."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from .windows import WINDOWS

if TYPE_CHECKING:
    from napari.components import ViewerModel

Action = Callable[[], Any]

# By what it does: the key as napari spells it, and what it means. napari's own tools use none of these.
KEYS: dict[str, tuple[str, str]] = {
    "blink": ("H", "hold to see the clean CT with its segmentation in place of the perturbed one"),
    "blink lock": ("Shift-H", "keep the clean CT in place of the perturbed one, and back"),
    "side": ("G", "clean and perturbed side by side, and back"),
    "wipe": ("W", "a line with the perturbed CT left of it and the clean one right of it, and back"),
    "wipe left": (",", "move the wipe's line to the left"),
    "wipe right": (".", "move the wipe's line to the right"),
    "errors all": ("Shift-N", "all errors of the segmentation of the perturbed CT, and back"),
    "errors new": ("N", "what is newly wrong, and back"),
    "errors mind": ("K", "where the network changed its mind, and back"),
    "deformation": ("U", "the next way to see the deformation: arrows, warped grid, size in mm, none"),
    "surfaces": ("J", "the organs' surfaces in 3-D, before and after, and back"),
    "letters": ("Q", "letters at the canvas' edges for the patient's sides, and none"),
    **{
        f"window {window.name}": (
            f"F{5 + index}",
            f"{window.name} window: centre {window.level:g}, width {window.width:g} HU",
        )
        for index, window in enumerate(WINDOWS)
    },
    "keys": ("?", "this list"),
}


def tip(what: str) -> str:
    """The tooltip of a control: what it does, and its key."""
    key, meaning = KEYS[what]
    return f"{meaning[0].upper()}{meaning[1:]} (key {key})"


class KeyBindings:
    """Binds on the viewer; a key that someone else has taken is left to them."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._bound: list[str] = []
        self.taken: tuple[str, ...] = ()

    def bind(self, actions: dict[str, Action], held: dict[str, tuple[Action, Action]]) -> None:
        """``actions`` are done at a press; of ``held``, the first at the press and the second at the release."""
        used = set(_user_keys())
        for what, (key, _) in KEYS.items():
            if what in held:
                self._bind(key, _while_held(*held[what]), used)
            elif what in actions:
                self._bind(key, _at_press(actions[what]), used)

    def unbind(self) -> None:
        for key in self._bound:
            self._viewer.bind_key(key, None, overwrite=True)
        self._bound = []

    def _bind(self, key: str, do: Callable[..., Any], used: set[str]) -> None:
        try:
            if key in used:
                raise ValueError("a shortcut of napari's")
            self._viewer.bind_key(key, do)
        except ValueError:
            self.taken += (key,)
        else:
            self._bound.append(key)


def _user_keys() -> Iterable[str]:
    """napari's shortcuts, as the user has set them."""
    from napari.settings import get_settings

    for keys in get_settings().shortcuts.shortcuts.values():
        for key in keys:
            yield str(key).replace("+", "-")


def _at_press(action: Action) -> Callable[[Any], None]:
    def pressed(_viewer: Any) -> None:
        action()

    return pressed


def _while_held(press: Action, release: Action) -> Callable[[Any], Generator[None, None, None]]:
    def pressed(_viewer: Any) -> Generator[None, None, None]:
        press()
        yield
        release()

    return pressed
