"""Seeing the difference between the clean and the perturbed CT: tools over the layers that a run leaves."""
