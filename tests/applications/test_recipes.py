from gpucnn.applications.recipes import RECIPES
from gpucnn.models import MODELS
from gpucnn.optimizers import OPTIMIZERS_BY_NAME


def test_each_preset_has_a_recipe() -> None:
    assert list(RECIPES) == list(MODELS)


def test_each_optimizer_has_a_learning_rate_for_each_preset() -> None:
    for recipe in RECIPES.values():
        assert recipe.learning_rates.keys() == OPTIMIZERS_BY_NAME.keys()
