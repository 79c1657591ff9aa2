"""The public attributes of objects of Keras 3 that those of this library have not.

They are methods too. Some are of Keras 2, which scripts still use.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from gpucnn.errors import InvalidValueError, MissingNameError
from gpucnn.utils import arguments

GET_WEIGHTS = "use get_weights"
ALL_TRAINED = "all parameters are trained; use get_weights"
FILES = "use save, and gpucnn.models.load_model"
OWN_STEP = "use train_on_batch, or loss_and_gradients, in a loop of your own"
NOT_TRACED = "nothing is traced or compiled; leave it out"
ONE_DTYPE = "a model has one dtype, as in Sequential(layers, dtype=...)"
NO_QUANTIZATION = "the arithmetic is that of float32 or float64; leave it out"
WHOLE = "models are saved as a whole; use save of the model"
NO_STATE = "a metric has no state, and is computed of a whole epoch; use result(labels, outputs)"
STEPS = "the optimizer is given to compile, and takes its steps in fit and train_on_batch"

ABSENT: dict[str, dict[str, str]] = {
    "Network": {
        "weights variables": GET_WEIGHTS,
        "trainable_weights trainable_variables": ALL_TRAINED,
        "non_trainable_weights non_trainable_variables": (
            "use get_weights, which gives moving averages too"
        ),
        "metrics_variables compiled_metrics": "use metrics_names",
        "losses add_loss compiled_loss": "use kernel_regularizer, or a loss of your own",
        "add_metric": "give metrics to compile",
        "reset_metrics get_metrics_result compute_metrics": (
            "metrics are those of a single call; leave it out"
        ),
        "reset_states": "no layer has states from batch to batch; leave it out",
        "to_json to_yaml get_config from_config get_build_config build_from_config"
        " get_compile_config compile_from_config": f"use settings, or {FILES[4:]}",
        "save_own_variables load_own_variables get_state_tree set_state_tree": GET_WEIGHTS,
        "quantize quantization_mode quantized_build quantized_call"
        " get_quantization_layer_structure": NO_QUANTIZATION,
        "make_train_function make_test_function make_predict_function train_function test_function"
        " predict_function jit_compile supports_jit jax_state_sync steps_per_execution"
        " symbolic_call rematerialized_call": NOT_TRACED,
        "train_step test_step predict_step compute_loss compute_loss_and_updates stateless_call"
        " stateless_compute_loss": OWN_STEP,
        "fit_generator evaluate_generator predict_generator": (
            "fit, evaluate and predict take generators"
        ),
        "predict_classes": "use predict(x).argmax(axis=-1)",
        "predict_proba": "use predict",
        "call": "use predict, or model(x)",
        "built": "use is_built",
        "compiled": "a model is compiled from the beginning, with Adam; leave it out",
        "dtype_policy compute_dtype variable_dtype input_dtype autocast": "use dtype",
        "input_spec compute_mask compute_output_shape compute_output_spec supports_masking"
        " call_signature_parameters": "use input_shape and output_shape, those of one image",
        "add_weight add_variable": "parameters are those of layers; use add",
        "activity_regularizer": "use kernel_regularizer of Conv2D and Dense",
        "path": "use name",
    },
    "Layer": {
        "weights variables": GET_WEIGHTS,
        "trainable_weights trainable_variables": ALL_TRAINED,
        "non_trainable_weights non_trainable_variables": (
            "use get_weights, which gives moving averages too"
        ),
        "add_weight add_variable": "define parameter_shapes and initial_parameters",
        "losses add_loss activity_regularizer": (
            "use kernel_regularizer of Conv2D and Dense, or a loss of your own"
        ),
        "metrics metrics_variables add_metric": "give metrics to compile",
        "call stateless_call symbolic_call rematerialized_call": "layers run in a model",
        "built": "the model has is_built",
        "get_build_config build_from_config save_own_variables load_own_variables": WHOLE,
        "dtype_policy compute_dtype variable_dtype input_dtype autocast": ONE_DTYPE,
        "input_spec compute_mask compute_output_shape compute_output_spec supports_masking"
        " call_signature_parameters": "use input_shape and output_shape, those of one image",
        "quantize quantization_mode quantized_build quantized_call quantization_config"
        " enable_lora lora_enabled lora_rank lora_alpha": NO_QUANTIZATION,
        "path": "use name",
        "supports_jit": NOT_TRACED,
    },
    "Affine": {
        "kernel": GET_WEIGHTS,
        "kernel_constraint bias_constraint": "weights are not constrained; leave it out",
        "bias_initializer": "biases begin as zeros; use set_weights",
        "bias_regularizer": "use kernel_regularizer",
        "data_format": "the channels are the last axis of images",
    },
    "BatchNormalization": {
        "gamma beta moving_mean moving_variance": GET_WEIGHTS,
    },
    "Optimizer": {
        "lr": "it is called learning_rate",
        "apply_gradients stateless_apply update_step minimize": STEPS,
        "build built assign assign_add assign_sub scale_loss add_variable add_optimizer_variables"
        " add_variable_from_reference finalize_variable_values": STEPS,
        "variables get_weights set_weights save_own_variables load_own_variables": (
            "use state, which gives iterations and slots"
        ),
        "exclude_from_weight_decay": "use Muon with exclude_layers, or leave out weight_decay",
        "gradient_accumulation_steps": "use larger batches",
        "loss_scale_factor": NO_QUANTIZATION,
        "amsgrad": "leave it out",
        "name": "leave it out",
    },
    "Loss": {
        "call fn": "give it to compile, and use evaluate of the model",
        "reduction": "the loss of a batch is its mean",
        "dtype": ONE_DTYPE,
        "name": "leave it out",
    },
    "Metric": {
        "update_state reset_state reset_states stateless_update_state stateless_reset_state"
        " stateless_result add_weight add_variable variables count total": NO_STATE,
        "dtype": ONE_DTYPE,
    },
    "Schedule": {"name": "leave it out"},
}
"""For each class, which stands for its subclasses too: names, and the advice on each of them."""


class Missing:
    """An attribute of Keras's that is not there: reading it raises the line about it.

    It takes nothing from the reading of other attributes, as a `__getattr__` would. Where an object
    has an attribute of that name after all, that is read.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, kind: type) -> Any:
        """Raise the error of what is not there."""
        raise _missing(kind, self._name)


class KerasAttributes:
    """The base class of what has a line for each attribute of Keras's that it has not.

    Reading and setting such an attribute raises it, but a class of the user's may set any. The
    error is an AttributeError, so that `hasattr` is False.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not is_of_user(cls):
            for name in " ".join(ABSENT.get(cls.__name__, {})).split():
                if not any(name in vars(base) for base in cls.__mro__):
                    setattr(cls, name, Missing(name))

    def __dir__(self) -> list[str]:
        """The attributes that are there, such as for a notebook to complete."""
        kind: Any = type(self)
        return [name for name in super().__dir__() if name not in absent_of(kind)]

    if not TYPE_CHECKING:  # mypy would take any name for an attribute

        def __setattr__(self, name: str, value: Any) -> None:
            """Set an attribute that is the user's own, or one that there is."""
            if name[0] != "_" and name in checked_when_set(type(self)):
                self._check_attribute(name, value)
            object.__setattr__(self, name, value)

    @classmethod
    def _checked_names(cls) -> frozenset[str]:
        """The names that `_check_attribute` is to see; the same at any time."""
        kind: Any = cls  # for mypy, to which a class with instances without a hash has none
        return frozenset() if is_of_user(kind) else frozenset(absent_of(kind))

    def _check_attribute(self, name: str, value: Any) -> None:
        """Check an attribute that is about to be set.

        Raises:
            MissingNameError: Keras has it, and this library has not.
        """
        kind: Any = type(self)
        if name in absent_of(kind):
            raise _missing(kind, name)


class AllTrained:
    """What has Keras's attribute `trainable`, which is always True."""

    @property
    def trainable(self) -> bool:
        """True: all parameters are trained.

        Raises:
            InvalidValueError: it is set to anything else.
        """
        return True

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if not arguments.flag(value, "trainable"):
            raise InvalidValueError("trainable is False, but all weights are trained: leave it out")


def is_of_user(kind: type) -> bool:
    """Whether a class is the user's, and not one of the library."""
    return kind.__module__.partition(".")[0] != "gpucnn"


@cache
def absent_of(kind: Any) -> dict[str, str]:
    """The attributes of Keras's that objects of a class have not, with the advice on each."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not is_of_user(base):
            for names, advice in ABSENT.get(base.__name__, {}).items():
                found |= dict.fromkeys(names.split(), advice)
    there = {
        name
        for base in kind.__mro__
        for name, value in vars(base).items()
        if not isinstance(value, Missing)
    }
    there |= getattr(kind, "__dataclass_fields__", {}).keys()
    return {name: advice for name, advice in found.items() if name not in there}


@cache
def checked_when_set(kind: Any) -> frozenset[str]:
    """The attributes that `_check_attribute` of a class sees, see `KerasAttributes`."""
    names: frozenset[str] = kind._checked_names()
    return names


def _missing(kind: type, name: str) -> MissingNameError:
    return MissingNameError(f"{kind.__name__} has no {name}: {absent_of(kind)[name]}")
