"""Configuration: YAML to typed settings, with file and line in every message."""

from qdkernel.config.agents import AGENT, AgentConfig
from qdkernel.config.environment import environment_models, resolve_models
from qdkernel.config.evaluators import EvaluatorsConfig
from qdkernel.config.foreign import check_foreign
from qdkernel.config.llm import LlmConfig, ModelConfig
from qdkernel.config.load import config_schema, dump_config, load_config
from qdkernel.config.model import BudgetConfig, Config, MachineConfig, SelectionConfig
from qdkernel.config.operators import check_operators
from qdkernel.config.section import converted
from qdkernel.config.series import EVERY, load_member, series_problems
from qdkernel.config.stages import StageConfig, StageOrder, UntilConfig
from qdkernel.config.study import StudyConfig, Way, load_study

__all__ = [
    "AGENT",
    "EVERY",
    "AgentConfig",
    "BudgetConfig",
    "Config",
    "EvaluatorsConfig",
    "LlmConfig",
    "MachineConfig",
    "ModelConfig",
    "SelectionConfig",
    "StageConfig",
    "StageOrder",
    "StudyConfig",
    "UntilConfig",
    "Way",
    "check_foreign",
    "check_operators",
    "config_schema",
    "converted",
    "dump_config",
    "environment_models",
    "load_config",
    "load_member",
    "load_study",
    "resolve_models",
    "series_problems",
]
