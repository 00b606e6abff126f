"""What the first layers need is loaded aside, in an interpreter of its own: here it is loaded already."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_registry_made_aside_is_everybodys_and_the_first_layers_import_no_more() -> None:
    out = _run("""
        import sys, threading
        import numpy as np, pint
        from napari.layers import Image, Labels
        from napari_advseg.viewer import first_layers

        made = []
        thread = threading.Thread(target=lambda: made.append(first_layers.load()))
        thread.start(); thread.join()
        first_layers.adopt(made[0])
        assert pint.get_application_registry().get() is made[0]
        before = set(sys.modules)
        layers = [Image(np.zeros((2, 3, 4), np.float32)), Labels(np.zeros((2, 3, 4), np.uint8))]
        assert layers[0].units == layers[1].units == (pint.get_application_registry().pixel,) * 3
        print(sorted({name.partition('.')[0] for name in set(sys.modules) - before} & {'scipy', 'pandas', 'skimage'}))
    """)
    assert out == "[]"


def test_a_registry_in_use_stays() -> None:
    out = _run("""
        import numpy as np, pint
        from napari.layers import Image
        from napari_advseg.viewer import first_layers

        earlier = Image(np.zeros((2, 3)))
        first_layers.adopt(first_layers.load())
        print(Image(np.zeros((2, 3))).units == earlier.units)
    """)
    assert out == "True"


def test_the_first_lines_find_their_patterns_of_dashes_made() -> None:
    out = _run("""
        from napari_advseg.viewer import first_layers

        first_layers.load()
        from vispy.visuals.line import dash_atlas

        made = dash_atlas._make_pattern.cache_info().misses
        dash_atlas.DashAtlas()
        print(made > 0, dash_atlas._make_pattern.cache_info().misses - made)
    """)
    assert out == "True 0"
