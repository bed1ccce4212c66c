"""How likely a picture is of the folder's domain: a classifier between the two looks."""

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ostcli.errors import UsageError

NUM_FOLDS = 5
"""Parts of the cross-validation; fewer where a domain has fewer pictures."""
PENALTY = 0.01
"""Inverse strength of the ridge penalty: of 1e-4 to 0.1 the best, or nearly, in cross-validation
on seasons and on paintings (decision 0013)."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DomainClassifier:
    """Logistic regression on picture summaries, both domains weighing the same.

    Build with `train_classifier`.
    """

    model: Any
    accuracy: float
    """Balanced, on pictures that it was not trained on (cross-validation); 0.5 is a guess."""

    def probability_of_b(self, summaries: Tensor) -> list[float]:
        """Return the probability of domain B for each picture.

        Args:
            summaries: see `summary`. Shape (pictures, values).
        """
        return [float(p) for p in self.model.predict_proba(summaries.numpy())[:, 1]]


def check_scikit_learn() -> None:
    """Find out before the work whether the extra is there.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise UsageError(
            "the probability of a domain needs scikit-learn, which is not installed",
            hint="run: pipx inject ostcli scikit-learn, or pip install 'ostcli[evaluate]'",
        )


def train_classifier(domain_a: Tensor, domain_b: Tensor) -> DomainClassifier:
    """Learn to tell the source look from the folder's.

    Args:
        domain_a, domain_b: summaries of pictures, two of each at least. Shape (pictures, values).

    Raises:
        ValueError: a domain of a single picture.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fewest = min(len(domain_a), len(domain_b))
    if fewest < 2:
        raise ValueError("a classifier needs two pictures of each domain")
    pictures: Floats = np.concatenate([domain_a.numpy(), domain_b.numpy()])
    is_b = np.repeat([0, 1], [len(domain_a), len(domain_b)])
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=2000),
    )
    folds = StratifiedKFold(min(NUM_FOLDS, fewest), shuffle=True, random_state=0)
    guesses = cross_val_predict(model, pictures, is_b, cv=folds)
    return DomainClassifier(
        model=model.fit(pictures, is_b),
        accuracy=float(balanced_accuracy_score(is_b, guesses)),
    )
