"""Former names of config fields, which files written before the renaming still have, and models
of an earlier architecture, which are refused.

``SymbolicConfig.unit_input_rate`` was ``lane_rate``. ``PrismConfig.router_z_loss`` and
``expert_output_penalty`` were one field, ``z_loss``: the weight of whichever of the two penalties
``router_gates`` has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NEWEST = "neural_taps"  # a field that configs of this architecture have, and no earlier one


def check_architecture(values: Mapping[str, Any], where: object, kind: str = "prism") -> None:
    """Refuse the weights of a PRISM of an earlier architecture, whose tensors were others.

    Args:
        values: the fields of the config that was saved with them, all of them.
        where: the file.
        kind: of the model; a baseline may have been saved by any version.

    Raises:
        ValueError: the model is of an earlier architecture.
    """
    if kind.startswith("prism") and NEWEST not in values:
        raise ValueError(
            f"{where}: config has no {NEWEST!r}: written by an earlier architecture of PRISM, "
            "whose weights this version cannot use; train again or use the version that wrote it"
        )


def current_fields(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` of a config's fields by today's names of the fields.

    A field of a nested config may be spelled with a dot, as in ``symbolic.lane_rate``.
    """
    values = {re.sub(r"\blane_rate$", "unit_input_rate", key): x for key, x in values.items()}
    if "z_loss" in values:
        independent = values.get("router_gates") == "independent"
        name = "expert_output_penalty" if independent else "router_z_loss"
        values[name] = values.pop("z_loss")
    return values


def former_fields(values: dict[str, Any]) -> dict[str, Any]:
    """``PrismConfig.to_dict()`` as it was before the renaming, in the same order."""
    former = {}
    for name, value in values.items():
        if name == "router_z_loss":
            independent = values["router_gates"] == "independent"
            former["z_loss"] = values["expert_output_penalty"] if independent else value
        elif name == "symbolic":
            former[name] = {k.replace("unit_input_rate", "lane_rate"): x for k, x in value.items()}
        elif name != "expert_output_penalty":
            former[name] = value
    return former
