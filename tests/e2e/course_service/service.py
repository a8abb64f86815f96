"""The course's Iris service without any monitoring: what a team has before it starts the agent.

A logistic regression, trained at start-up on the rows that scikit-learn ships, behind FastAPI.
Arguments: the port. It listens on loopback and logs nothing.
"""

import sys
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Dict, List

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

VERSION = "1.0.0"


class IrisFeatures(BaseModel):
    """One flower, in centimetres."""

    sepal_length: float = Field(gt=0)
    sepal_width: float = Field(gt=0)
    petal_length: float = Field(gt=0)
    petal_width: float = Field(gt=0)

    def row(self):
        return [self.sepal_length, self.sepal_width, self.petal_length, self.petal_width]


class PredictionResponse(BaseModel):
    """The most probable species and how sure the model is."""

    prediction: str
    confidence: float
    probabilities: Dict[str, float]
    model_version: str


class BatchResponse(BaseModel):
    """Answers in the order of the rows."""

    predictions: List[PredictionResponse]
    count: int


class Model:
    """The regression and its species' names."""

    def __init__(self):
        data = load_iris()
        self.names = [str(name) for name in data.target_names]
        self.regression = LogisticRegression(max_iter=1000).fit(data.data, data.target)

    def predict(self, rows):
        return [self._answer(shares) for shares in self.regression.predict_proba(rows)]

    def _answer(self, shares):
        best = int(shares.argmax())
        return PredictionResponse(
            prediction=self.names[best],
            confidence=float(shares[best]),
            probabilities=dict(zip(self.names, map(float, shares))),
            model_version=VERSION,
        )


models = {}


@asynccontextmanager
async def lifespan(_):
    models["iris"] = Model()
    yield
    models.clear()


app = FastAPI(title="Iris", version=VERSION, lifespan=lifespan)


@app.post("/predict", response_model=PredictionResponse)
async def predict(features: IrisFeatures):
    return models["iris"].predict([features.row()])[0]


@app.post("/predict/batch", response_model=BatchResponse)
async def predict_batch(batch: List[IrisFeatures]):
    if not batch:
        raise HTTPException(status_code=400, detail="no rows")
    answers = models["iris"].predict([features.row() for features in batch])
    return BatchResponse(predictions=answers, count=len(answers))


@app.get("/health")
async def health():
    now = datetime.now(timezone.utc)
    return {"status": "healthy", "timestamp": now, "version": VERSION, "checks": {}}


@app.get("/ready")
async def ready():
    loaded = "iris" in models
    return {"ready": loaded, "checks": {"model_loaded": loaded, "model_version": VERSION if loaded else None}}


@app.get("/live")
async def live():
    return {"status": "alive"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
