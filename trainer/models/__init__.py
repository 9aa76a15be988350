"""The models that recipes and checkpoints name: a config and a network for each."""

from typing import Any

from fingerpost.trainer.models.found import Found, FoundConfig
from fingerpost.trainer.models.found_signs import FoundSigns, FoundSignsConfig
from fingerpost.trainer.models.ms_mae import MsMae, MsMaeConfig
from fingerpost.trainer.models.ms_mae_classifier import MsMaeClassifier, MsMaeClassifierConfig
from fingerpost.trainer.models.ms_mae_translator import MsMaeTranslator, MsMaeTranslatorConfig
from fingerpost.trainer.models.pocket import Pocket, PocketConfig
from fingerpost.trainer.models.pocket_sizes import PocketTranslatorConfig
from fingerpost.trainer.models.pocket_translator import PocketTranslator
from fingerpost.trainer.models.sigma import Sigma
from fingerpost.trainer.models.sigma_config import SigmaConfig
from fingerpost.trainer.models.signet import Signet, SignetConfig
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig

MODELS: dict[str, tuple[Any, Any]] = {
    "found": (FoundConfig, Found),
    "found_signs": (FoundSignsConfig, FoundSigns),
    "ms_mae": (MsMaeConfig, MsMae),
    "ms_mae_classifier": (MsMaeClassifierConfig, MsMaeClassifier),
    "ms_mae_translator": (MsMaeTranslatorConfig, MsMaeTranslator),
    "pocket": (PocketConfig, Pocket),
    "pocket_translator": (PocketTranslatorConfig, PocketTranslator),
    "signet": (SignetConfig, Signet),
    "sigma": (SigmaConfig, Sigma),
    "uni_sign": (UniSignConfig, UniSign),
}
