"""Whether a configuration's operators, models and budget go together."""

from __future__ import annotations

from qdkernel.config.model import Config
from qdkernel.errors import ConfigError

_HOW = (
    "list an endpoint under models, e.g. models: [{model: NAME, base_url: http://localhost:8000/v1}], "
    "or write models: environment and set QDKERNEL_BASE_URL, QDKERNEL_MODEL and QDKERNEL_API_KEY"
)


def check_operators(config: Config) -> None:
    """Checks that an operator can propose kernels and that the budget can be spent; takes resolved models.

    Raises:
        ConfigError: only model operators, or only budgets for models, but no model; or money without a price.
    """
    from qdkernel.mutators import MODEL_OPERATORS, MUTATORS

    models, budget = config.known_models, config.budget
    names = [mutator.name for mutator in config.mutators]
    if not models:
        if all(name in MODEL_OPERATORS for name in names):
            raise ConfigError(
                f"mutators: expected an operator that needs no model ({', '.join(MUTATORS)}), "
                f"got {', '.join(names)} only, and no model is configured; add one of these operators, or {_HOW}"
            )
        if budget.evaluations is None and budget.minutes is None:
            raise ConfigError(
                "budget: expected evaluations or minutes to be set, as without a model no requests, tokens or dollars "
                f"are ever spent; e.g. minutes: 3, or {_HOW}"
            )
    elif budget.usd is not None and not any(model.price.input or model.price.output for model in models):
        raise ConfigError(
            f"budget.usd: expected a model with a price, got {', '.join(model.name for model in models)} without; add "
            "e.g. price: {input: 0.15, output: 0.6} in US dollars per million tokens, or leave usd out"
        )
