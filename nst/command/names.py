"""Names of folders, made of overrides."""

from __future__ import annotations

import hashlib
import re

from nst.config import GROUPS, documented_keys
from nst.config.values import UNNAMED_KEYS


def slug(overrides: str, limit: int = 100) -> str:
    """Overrides as a short, safe folder name; shortened ones end in a hash of the whole.

    >>> slug("content_layer=conv_1,seed=0")
    'content_layer=conv_1,seed=0'
    >>> slug("")
    'default'
    """
    overrides = re.sub(r"(^|,)\++", r"\1", overrides)
    safe = re.sub(r"[^A-Za-z0-9_.,=+-]+", "-", overrides).strip("-.") or "default"
    if safe == overrides and len(safe) <= limit:
        return safe
    if safe == "default":
        return safe
    return f"{safe[: limit - 9]}-{hashlib.sha256(overrides.encode()).hexdigest()[:8]}"


def unnamed_keys() -> list[str]:
    """Keys and groups that are left out of folder names: they tell no two pictures apart."""
    keys = dict.fromkeys((*documented_keys(), *GROUPS))
    return [key for key in keys if key.partition(".")[0] in UNNAMED_KEYS]
