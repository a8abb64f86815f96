"""The small models that the real servers serve, trained when they start: a second's work, the same every time."""

import os

# one core is enough, and two of them are shared with the rest
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from sklearn.datasets import load_diabetes, load_iris  # noqa: E402 - after the threads are set
from sklearn.feature_extraction.text import CountVectorizer  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
SENTENCES = ["a great film", "loved it", "what a wonderful story", "bad and boring", "hated it", "an awful plot"]


def iris():
    """Classes 0, 1 and 2 of four numbers."""
    data = load_iris()
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(data.data, data.target)


def iris_named(frame):
    """Classes that are words, of columns that have names. `frame`: pandas' DataFrame."""
    data = load_iris()
    rows = frame(data.data, columns=FEATURES)
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(rows, data.target_names[data.target])


def diabetes():
    """A number for ten numbers."""
    data = load_diabetes()
    return LinearRegression().fit(data.data, data.target)


def sentiment():
    """A word for a sentence."""
    return make_pipeline(CountVectorizer(), LogisticRegression()).fit(SENTENCES, ["positive"] * 3 + ["negative"] * 3)
