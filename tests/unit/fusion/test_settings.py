"""Fusion settings: what they refuse, and their round trip through a file's metadata."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.fusion.settings import LAYERS, MODES, ORIENTATIONS, REFINED_RESIDUALS, RESOLUTIONS, FusionSettings

settings = st.builds(
    FusionSettings,
    mode=st.sampled_from(MODES),
    strength=st.floats(0, 1),
    resolutions=st.sets(st.sampled_from(RESOLUTIONS), min_size=1).map(tuple),
    layers=st.sampled_from(LAYERS),
    refine=st.sampled_from(REFINED_RESIDUALS),
    orientation=st.sampled_from(ORIENTATIONS),
)


@given(settings)
def test_metadata_round_trip(settings):
    metadata = settings.to_metadata()
    assert all(isinstance(value, str) for value in metadata.values())
    assert FusionSettings.from_metadata({"format": "pt", **metadata}) == settings


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"sesahand.sf_mode": "none"}])
def test_weights_trained_without_fusion_have_no_settings(metadata):
    assert FusionSettings.from_metadata(metadata) is None


def test_the_mode_alone_is_enough():
    assert FusionSettings.from_metadata({"sesahand.sf_mode": "paper"}) == FusionSettings(mode="paper")


@pytest.mark.parametrize(
    "entry",
    [
        {"mode": "cubist"},
        {"mode": "paper", "strength": "much"},
        {"mode": "paper", "resolutions": "64,128"},
        {"mode": "paper", "refine": ""},
        {"mode": "paper", "temperature": "2"},
    ],
    ids=str,
)
def test_unreadable_metadata_is_an_error_that_names_it(entry):
    with pytest.raises(InvalidFileError, match="sesahand.sf_"):
        FusionSettings.from_metadata({f"sesahand.sf_{name}": value for name, value in entry.items()})


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), float("inf"), "0.5", None])
def test_strength_is_a_number_from_0_to_1(strength):
    with pytest.raises(SesaHandError, match="strength"):
        FusionSettings(strength=strength)


def test_no_resolution_at_all_is_refused():
    with pytest.raises(SesaHandError, match="at least one"):
        FusionSettings(resolutions=())


def test_paper_mode_is_off_or_full():
    assert FusionSettings("paper", 0.3) == FusionSettings("paper") and FusionSettings("paper").strength == 1
    assert FusionSettings("paper", 0).is_off and not FusionSettings("blend", 0.01).is_off


@pytest.mark.parametrize("mode", MODES)
def test_settings_that_are_off_say_so(mode):
    assert FusionSettings(mode, 0).describe() == "off (strength 0)"
    assert FusionSettings(mode).describe().startswith(mode)


def test_a_gate_travels_with_the_weights_and_with_gated_mode_alone():
    gated = FusionSettings(mode="gated", strength=1.0, gate=-0.25, refine="to_16")
    assert FusionSettings.from_metadata(gated.to_metadata()) == gated and not gated.is_off
    assert FusionSettings(mode="gated", gate=0.0).is_off and "gate -0.25" in gated.describe()
    assert not any("gate" in key for key in FusionSettings(mode="paper").to_metadata())
    with pytest.raises(SesaHandError, match="has no gate"):
        FusionSettings(mode="blend", gate=0.5)
    with pytest.raises(InvalidFileError, match="Update SesaHand"):
        FusionSettings.from_metadata({**gated.to_metadata(), "sesahand.sf_gate": "nan"})
