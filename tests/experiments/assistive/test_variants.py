"""Variants of recipes: nothing but the fit of A and W differs."""

from decoderd.experiments import pretrained
from decoderd.experiments.assistive.variants import CORRECT_FIT, EXPECTED, PUBLISHED_FIT, variants


def test_a_filter_is_fitted_as_published_and_to_all_pairs():
    recipe = pretrained.load_recipe("assistive")
    of = variants(recipe)
    assert list(of) == [PUBLISHED_FIT, CORRECT_FIT]
    assert of[CORRECT_FIT] == recipe
    assert of[PUBLISHED_FIT] != recipe
    assert variants(of[PUBLISHED_FIT]) == of
    assert set(of) < set(EXPECTED)


def test_the_recipe_pretrained_as_published_is_fitted_as_published():
    recipe = pretrained.load_recipe("assistive-published")
    assert variants(recipe)[PUBLISHED_FIT] == recipe


def test_a_linear_decoder_has_no_variants():
    recipe = pretrained.load_recipe("assistive-fast")
    assert variants(recipe) == {"": recipe}
