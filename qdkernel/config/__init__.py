"""Configuration: YAML to typed settings, with file and line in every message."""

from qdkernel.config.environment import resolve_models
from qdkernel.config.evaluators import EvaluatorsConfig
from qdkernel.config.foreign import check_foreign
from qdkernel.config.llm import LlmConfig, ModelConfig
from qdkernel.config.load import config_schema, dump_config, load_config
from qdkernel.config.model import BudgetConfig, Config, MachineConfig, SelectionConfig
from qdkernel.config.operators import check_operators
from qdkernel.config.section import converted
from qdkernel.config.series import EVERY, load_member, series_problems
from qdkernel.config.stages import StageConfig, StageOrder, UntilConfig

__all__ = [
    "EVERY",
    "BudgetConfig",
    "Config",
    "EvaluatorsConfig",
    "LlmConfig",
    "MachineConfig",
    "ModelConfig",
    "SelectionConfig",
    "StageConfig",
    "StageOrder",
    "UntilConfig",
    "check_foreign",
    "check_operators",
    "config_schema",
    "converted",
    "dump_config",
    "load_config",
    "load_member",
    "resolve_models",
    "series_problems",
]
