"""Parameters of protocols that pass over what a model does not declare."""

from collections.abc import Mapping

from services.model_serving.engine.loaded_model import LoadedModel, Params


def read_declared(model: LoadedModel, given: Mapping[str, object]) -> Params:
    """Read those parameters that the model declares.

    Raises:
        InvalidInputs: one has another type than declared.
    """
    declared = None if model.declared is None else model.declared.params
    known = set() if declared is None else {spec.name for spec in declared.params}
    return model.signature.parameters.read({name: value for name, value in given.items() if name in known})
