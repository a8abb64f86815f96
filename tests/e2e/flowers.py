"""Flowers like Fisher's, as many as are wanted, and such that have changed."""

import random

import harness as h
from harness import Client, equal


class Traffic:
    """Rows of a Gaussian around those of the flowers, always the same for a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.rows = [{name: float(value) for name, value in row.items() if name != "species"} for row in h.rows()]

    def row(self, **shifts):
        row = self.random.choice(self.rows)
        return {name: round(max(0.1, value + self.random.gauss(0, 0.1) + shifts.get(name, 0)), 2)
                for name, value in row.items()}

    def send(self, agent, count, **shifts):
        with Client(agent.port) as client:
            for _ in range(count):
                equal(client.request("POST", "/predict", self.row(**shifts)).status, 200, "status")
