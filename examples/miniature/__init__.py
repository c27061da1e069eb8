"""The paper in miniature: a tiny mixture-of-experts model that solves countdown problems, and the experiments on it."""
