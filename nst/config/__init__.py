"""The config: its schema, its checks, the names of layers and samples. No torch here."""

from nst.config.checks import check
from nst.config.derived import layer_sets, layer_weights, start_kind, used_images
from nst.config.environment import wandb_default
from nst.config.keys import documented_keys
from nst.config.schema import (
    GROUPS,
    OPEN_KEYS,
    WEIGHTS,
    BackboneConfig,
    BackboneName,
    Config,
    InitConfig,
    InitKind,
    LoggerConfig,
    LoggerName,
    LossConfig,
    OptimizerConfig,
    OptimizerName,
    PassConfig,
    Pooling,
    PrecisionName,
    ReportConfig,
    Task,
    WandbMode,
)
from nst.config.values import config_hash, from_omegaconf, picture_settings, to_dict

__all__ = [
    "GROUPS",
    "OPEN_KEYS",
    "WEIGHTS",
    "BackboneConfig",
    "BackboneName",
    "Config",
    "InitConfig",
    "InitKind",
    "LoggerConfig",
    "LoggerName",
    "LossConfig",
    "OptimizerConfig",
    "OptimizerName",
    "PassConfig",
    "Pooling",
    "PrecisionName",
    "ReportConfig",
    "Task",
    "WandbMode",
    "check",
    "config_hash",
    "documented_keys",
    "from_omegaconf",
    "layer_sets",
    "layer_weights",
    "picture_settings",
    "start_kind",
    "to_dict",
    "used_images",
    "wandb_default",
]
