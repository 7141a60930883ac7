"""`/v1/models`: the base model, the base with each adapter, and the embedder."""

from __future__ import annotations

from ondevice.adapters.registry import AdapterRegistry
from ondevice.chat import Assistant
from ondevice.server.errors import ApiError
from ondevice.server.openai.answers import Model, Models
from ondevice.server.openai.requests import Personalization, openai_routes
from ondevice.server.state import ServerState

routes = openai_routes()


def model_ids(assistant: Assistant) -> list[str]:
    """Return the base's name, and `base+adapter` for each adapter that is not stale."""
    base = assistant.engine.model.name
    if assistant.profile is None:
        return [base]
    rows = AdapterRegistry(assistant.profile).list()
    return [base, *(f"{base}+{row.name}" for row in rows if row.state != "stale")]


def adapters_of(
    assistant: Assistant, model: str, wanted: Personalization
) -> list[tuple[str, float | None]] | None:
    """Return the adapters that a request asks for; None means the active ones.

    Raises:
        ApiError: 404, it names another model, or 400, it names adapters twice.
    """
    served = assistant.engine.model.name
    base = served if model == served or model.startswith(f"{served}+") else model.split("+")[0]
    names = model.removeprefix(base).split("+")[1:]
    if base not in (served, "default"):
        raise ApiError(
            404,
            f"This server has no model of that name; it serves '{served}'.",
            code="model_not_found",
            param="model",
        )
    if wanted.adapters is not None and names:
        raise ApiError(
            400,
            "Adapters stand in the model's name and in 'ondevice' too; choose one place.",
            code="invalid_value",
            param="ondevice.adapters",
        )
    chosen: list[tuple[str, float | None]] = [(name, None) for name in names]
    if wanted.adapters is not None:
        chosen = [(choice.name, choice.scale) for choice in wanted.adapters]
    elif not names:
        return None
    if len({name for name, _ in chosen}) < len(chosen):
        raise ApiError(
            400, "An adapter is named twice; name it once.", code="invalid_value", param="model"
        )
    return chosen


@routes.get("/models")
def list_models(state: ServerState) -> Models:
    """The base, the base with each adapter, and the embedder."""
    ids = [*model_ids(state.assistant), state.assistant.memory.embedder.name]
    return Models(object="list", data=[_described(one) for one in ids])


@routes.get("/models/{model:path}")
def show_model(state: ServerState, model: str) -> Model:
    """Describe one model."""
    if model not in [*model_ids(state.assistant), state.assistant.memory.embedder.name]:
        raise ApiError(404, "There is no model of that name.", code="model_not_found")
    return _described(model)


def _described(model: str) -> Model:
    return Model(id=model, object="model", created=0, owned_by="ondevice")
