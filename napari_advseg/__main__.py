"""``python -m napari_advseg`` is the command ``napari-advseg``."""

from .cli import main

if __name__ == "__main__":
    main()
