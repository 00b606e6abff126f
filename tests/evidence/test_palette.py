"""Colours of organs."""

from __future__ import annotations

import re

from napari_advseg.evidence import organ_colour


def test_twelve_organs_have_colours_of_their_own_and_then_they_come_again() -> None:
    colours = [organ_colour(index) for index in range(1, 13)]
    assert len(set(colours)) == 12
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)
    assert [organ_colour(index) for index in range(13, 25)] == colours


def test_the_first_organ_keeps_its_colour() -> None:
    """Pictures of one case, made by two versions, lie side by side in papers."""
    assert [organ_colour(index) for index in (1, 2, 12)] == ["#e6550d", "#31a354", "#c7c700"]
