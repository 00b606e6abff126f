"""What the random control says of an attack, in words: one home for all who tell of a result."""

from __future__ import annotations

_NEAR = 0.5  # of the attack's drop: a random change that costs as much leaves little to the attack


def chance_costs(control: float, digits: int = 3) -> str:
    """What a random change costs, as the end of a sentence without its full stop."""
    text = f"{control:.{digits}f}"
    shown = text.removeprefix("-") if float(text) == 0 else text
    return f"a random change of the same size costs {shown}"


def chance_verdict(achieved: float, control: float) -> str:
    """A sentence where the attack does not stand out from chance, else "".

    Parameters
    ----------
    achieved, control
        Dice drops of the attack and of the random control.
    """
    if control <= 0 or control < _NEAR * achieved:
        return ""
    if control >= achieved:
        fact = "A random change of the same size costs as much or more"
    else:
        fact = "The network fails about as much under a random change of the same size"
    return f"{fact}: the attack as such shows no particular weakness."


def chance_sentence(achieved: float, control: float) -> str:
    """What a random change costs, and what follows where that is near to what the attack costs."""
    told = chance_costs(control)
    return " ".join(filter(None, (f"{told[0].upper()}{told[1:]}.", chance_verdict(achieved, control))))
