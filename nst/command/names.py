"""Names of folders, made of overrides."""

from __future__ import annotations

import hashlib
import re

from nst.config import GROUPS, documented_keys
from nst.config.values import UNNAMED_KEYS

_RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}
"""What Windows keeps for devices, whatever follows after a dot."""


def slug(overrides: str, limit: int = 100) -> str:
    """Overrides as a short, safe folder name; changed ones end in a hash of the whole.

    It is one folder in any other: ASCII without slashes, no dot at either end, far fewer than the
    255 bytes that file systems take, and no name of a device.

    >>> slug("content_layer=conv_1,seed=0")
    'content_layer=conv_1,seed=0'
    >>> slug("")
    'default'
    """
    overrides = re.sub(r"(^|,)\++", r"\1", overrides)
    safe = re.sub(r"[^A-Za-z0-9_.,=+-]+", "-", overrides).strip("-.")
    if safe.partition(".")[0].lower() in _RESERVED:
        safe = f"_{safe}"
    if not overrides or (safe == overrides and len(safe) <= limit):
        return safe or "default"
    digest = hashlib.sha256(overrides.encode(errors="backslashreplace")).hexdigest()
    return f"{safe[: limit - 9]}-{digest[:8]}".lstrip("-.")


def unnamed_keys() -> list[str]:
    """Keys and groups that are left out of folder names: they tell no two pictures apart."""
    keys = dict.fromkeys((*documented_keys(), *GROUPS))
    return [key for key in keys if key.partition(".")[0] in UNNAMED_KEYS]
