"""Weights: a layer's weights, gradients or updates as a picture."""
